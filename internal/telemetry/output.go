package telemetry

import (
	"context"
	"io"
	"sync"
	"time"
)

const (
	// flushInterval is the time between the first pending line and the write of the
	// batch. A killed process must lose at most the lines of 100 ms. Half of this time
	// is reserved for delays of the scheduler.
	flushInterval = 50 * time.Millisecond
	// batchSize is the number of pending bytes that are written without delay.
	batchSize = 32 << 10
	// maxSpare is the largest size of a buffer that is kept for the next lines.
	maxSpare = 16 * batchSize
	// retryInterval is the time between attempts to write to a failing writer.
	retryInterval = time.Second
	// stopTimeout limits the wait for the reader of the log at a stop.
	stopTimeout = 5 * time.Second
)

// output writes lines to a writer that can block. Before start it writes each line
// at once. After start, lines wait in memory, in their order, and run writes them.
type output struct {
	w io.Writer

	mu      sync.Mutex // not held during a write, except while queued is false
	queued  bool       // lines wait for run
	pending []byte
	writing int   // bytes of the batch that run writes at the moment
	dropped int64 // lines since the last report

	filled chan struct{} // holds a value after the first pending line
	urgent chan struct{} // holds a value if pending lines should not wait
}

func newOutput(w io.Writer) *output {
	return &output{w: w, filled: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
}

// sink adds lines to an output as long as the pending lines have at most limit
// bytes.
type sink struct {
	*output
	limit     int
	immediate bool
}

// Write adds one complete line, or drops and counts it. It reports no error: the
// caller could not log it.
func (s sink) Write(line []byte) (int, error) {
	o := s.output
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.queued {
		_, _ = o.w.Write(line)
		return len(line), nil
	}
	if len(o.pending)+o.writing+len(line) > s.limit {
		o.dropped++
		return len(line), nil
	}
	if len(o.pending) == 0 {
		notify(o.filled)
	}
	o.pending = append(o.pending, line...)
	if s.immediate || len(o.pending) >= batchSize {
		notify(o.urgent)
	}
	return len(line), nil
}

// notify puts a value into c unless it holds one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// start makes lines wait for run.
func (o *output) start() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queued = true
}

// run writes lines until ctx has ended and no line is pending. Lines after that are
// written at once again. It calls report with the number of dropped lines when the
// writer has taken a batch; report may add a line.
func (o *output) run(ctx context.Context, report func(dropped int64)) {
	timer := time.NewTimer(flushInterval)
	defer timer.Stop()
	var batch []byte
	for {
		o.wait(ctx, timer)
		if batch = o.take(batch); len(batch) == 0 {
			if o.end(ctx) {
				return
			}
			continue
		}
		o.write(ctx, batch)
		if n := o.written(); n > 0 {
			report(n)
		}
	}
}

// wait returns when the pending lines should be written, or when ctx has ended.
func (o *output) wait(ctx context.Context, timer *time.Timer) {
	select {
	case <-o.filled:
	case <-ctx.Done():
		return
	}
	timer.Reset(flushInterval)
	select {
	case <-o.urgent:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// take returns the pending lines and reuses the memory of spare, the previous
// batch, for the next lines. It does not reuse a spare above maxSpare, which a slow
// reader causes.
func (o *output) take(spare []byte) []byte {
	if cap(spare) > maxSpare {
		spare = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.urgent:
	default:
	}
	batch := o.pending
	o.pending, o.writing = spare[:0], len(batch)
	return batch
}

// write writes the batch. If the writer fails, for example because a disk is full,
// write tries again until ctx ends.
func (o *output) write(ctx context.Context, batch []byte) {
	for {
		n, err := o.w.Write(batch)
		if batch = batch[n:]; err == nil {
			return
		}
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return
		}
	}
}

// written notes that the batch is written and returns the number of lines dropped
// since the last call.
func (o *output) written() (dropped int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	dropped, o.dropped, o.writing = o.dropped, 0, 0
	return dropped
}

// end reports whether ctx has ended and no line is pending. If so, it makes later
// lines be written at once.
func (o *output) end(ctx context.Context) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() == nil || len(o.pending) > 0 {
		return false
	}
	o.queued = false
	return true
}

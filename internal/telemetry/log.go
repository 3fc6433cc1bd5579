package telemetry

import (
	"context"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/rs/zerolog"

	"github.com/toksta/toksta/internal/exchange"
)

// LogConfig configures [NewLog].
type LogConfig struct {
	Out   io.Writer
	Level slog.Leveler // nil: slog.LevelInfo
	Text  bool         // key=value lines instead of JSON
	// Buffer limits the lines in memory, in bytes, while the log's reader is slow.
	// Lines about the process and about failures can exceed it by a quarter.
	Buffer int
	// RejectedPerSecond limits the records of rejected requests; 0: no limit.
	RejectedPerSecond int
}

// Log is the log of the process: one line for each event of the process, through
// slog, and one record for each request. Times in JSON are in UTC. While Run runs,
// no method waits for the reader of the log. Its methods are safe for concurrent
// use.
type Log struct {
	*slog.Logger // the events of the process
	out          *output
	requests     encoder // of records that may be dropped first
	failures     encoder
	sampler      *sampler     // nil: all records are written
	report       *slog.Logger // of dropped lines, at any level and beyond any limit
}

// NewLog returns a log that writes each line at once. Run makes it write in the
// background.
func NewLog(c LogConfig) *Log {
	if c.Level == nil {
		c.Level = slog.LevelInfo
	}
	out := newOutput(c.Out)
	requests := sink{out, c.Buffer, false}
	events := sink{out, c.Buffer + c.Buffer/4, true}
	l := &Log{
		Logger:   slog.New(c.handler(events)),
		out:      out,
		requests: c.encoder(requests),
		failures: c.encoder(events),
		report:   slog.New(LogConfig{Text: c.Text}.handler(sink{out, math.MaxInt, true})),
	}
	if c.RejectedPerSecond > 0 {
		l.sampler = &sampler{perSecond: c.RejectedPerSecond}
	}
	return l
}

// handler returns the slog handler of the configured format.
func (c LogConfig) handler(w io.Writer) slog.Handler {
	if c.Text {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: c.Level})
	}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: c.Level, ReplaceAttr: utc})
}

// encoder returns the encoder of records in the configured format.
func (c LogConfig) encoder(w io.Writer) encoder {
	if c.Text {
		return encoder{text: c.handler(w)}
	}
	return encoder{json: zerolog.New(w)}
}

// utc converts the time of a line to UTC, so that lines of machines in different
// zones can be compared.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// Run writes the lines of the log until ctx ends, and then the pending ones. A line
// is written at most 50 ms after its event, and at once if it is about the process
// or a failure. If the reader is slow, lines beyond the buffer are dropped; their
// number is logged when the reader reads again. If the reader takes nothing for 5 s
// after the end of ctx, Run returns without the pending lines. It returns no error,
// because a message about it would wait for the same reader.
func (l *Log) Run(ctx context.Context) error {
	l.out.start()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.out.run(ctx, l.reportDropped)
	}()
	<-ctx.Done()
	if l.sampler != nil {
		l.reportSkipped(l.sampler.end())
	}
	select {
	case <-done:
	case <-time.After(stopTimeout):
	}
	return nil
}

// reportDropped logs that n lines were dropped.
func (l *Log) reportDropped(n int64) {
	l.report.Warn("log lines were dropped because the log was read too slowly; read it faster or raise logs.buffer", "dropped", n)
}

// reportSkipped logs that the sampler skipped n records, and how many it has
// skipped since the start. The sum is right even if a line like this is dropped.
func (l *Log) reportSkipped(n, total int64) {
	if n > 0 {
		l.Info("records of rejected requests were skipped", "skipped", n, "skipped_in_total", total)
	}
}

// request writes the record of x. The level is checked before anything is built.
func (l *Log) request(x *exchange.Exchange) {
	level, e := slog.LevelInfo, &l.requests
	if isFailure(x) {
		level, e = slog.LevelError, &l.failures
	}
	if !l.Enabled(context.Background(), level) {
		return
	}
	now := x.Start.Add(x.Duration)
	if l.sampler != nil && isRejected(x) {
		write, skipped, total := l.sampler.take(now)
		l.reportSkipped(skipped, total)
		if !write {
			return
		}
	}
	e.encode(now, level, x)
}

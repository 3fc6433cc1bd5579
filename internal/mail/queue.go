package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// QueueConfig configures a Queue. Both fields are required.
type QueueConfig struct {
	Sender interface {
		Send(ctx context.Context, m Message) error
	}
	Log *slog.Logger
}

// Queue sends mails in the background and keeps them only in memory: a stored link would be a
// stored secret. A crash loses the waiting mails, and the person asks for another one. The
// methods are safe for concurrent use.
type Queue struct {
	QueueConfig
	tasks chan compose
	space chan struct{} // one element for each mail that waits or is sent
	slots chan struct{} // limits the mails that are composed or sent at the same time

	mu     sync.Mutex
	status QueueStatus
}

// QueueStatus counts the mails of a queue since the start of the process.
type QueueStatus struct {
	Waiting  int // now, also between attempts
	Sent     int64
	Failed   int64     // given up
	FailedAt time.Time // the last time; zero: never
}

// Status returns the numbers of mails.
func (q *Queue) Status() QueueStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.status
	out.Waiting = len(q.space)
	return out
}

// count adds a mail that was sent or given up.
func (q *Queue) count(sent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if sent {
		q.status.Sent++
		return
	}
	q.status.Failed++
	q.status.FailedAt = time.Now()
}

// compose writes a mail. A message without an address means that there is nothing to send.
type compose func(context.Context) (Message, error)

const (
	// maxWaiting bounds the mails in memory.
	maxWaiting = 1000
	// maxSending bounds the simultaneous sessions with the mail server.
	maxSending = 4
	// lastWait is the time that mails have after the end of Run's context.
	lastWait = 10 * time.Second
)

// retryPauses returns the pauses before further attempts. A link is valid for 15 minutes, and a
// server that delays mail of unknown senders accepts it after about five.
func retryPauses() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}
}

// NewQueue returns a queue. The caller must start Run, which sends the mails.
func NewQueue(c QueueConfig) *Queue {
	return &Queue{
		QueueConfig: c, tasks: make(chan compose, maxWaiting),
		space: make(chan struct{}, maxWaiting), slots: make(chan struct{}, maxSending),
	}
}

// Post adds a mail to the queue and returns at once. If the queue is full, the mail is dropped
// with an error record.
func (q *Queue) Post(m Message) {
	_ = q.Compose(func(context.Context) (Message, error) { return m, nil })
}

// Compose adds a mail that write returns in the background, and returns at once. A caller whose
// response must not depend on an address, not even in its duration, looks the address up in
// write. If the queue is full, Compose adds an error record and returns false.
func (q *Queue) Compose(write func(context.Context) (Message, error)) bool {
	select {
	case q.space <- struct{}{}:
		q.tasks <- write // has room: each element has one of space
		return true
	default:
		q.count(false)
		q.Log.Error("a mail was dropped, because too many are waiting", "waiting", maxWaiting)
		return false
	}
}

// Run sends mails until ctx ends. Then it attempts each waiting mail once more, for a few
// seconds, before it returns.
func (q *Queue) Run(ctx context.Context) error {
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWait, cancel) })
	defer stop()
	var mails sync.WaitGroup
	defer mails.Wait()
	start := func(write compose) {
		mails.Go(func() {
			q.deliver(within, ctx.Done(), write)
			<-q.space
		})
	}
	for {
		select {
		case write := <-q.tasks:
			start(write)
			continue
		case <-ctx.Done():
		}
		select {
		case write := <-q.tasks:
			start(write)
		default:
			return nil
		}
	}
}

// deliver composes a mail and sends it, with a few retries. After stop is closed, it attempts
// the mail only once more.
func (q *Queue) deliver(ctx context.Context, stop <-chan struct{}, write compose) {
	var m Message
	err := q.limited(ctx, func() (err error) {
		m, err = write(ctx)
		return err
	})
	if err != nil {
		q.count(false)
		q.Log.Error("a mail was not written", "error", err.Error())
		return
	}
	pauses := retryPauses()
	for attempt := 0; m.To != ""; attempt++ {
		err := q.limited(ctx, func() error { return q.Sender.Send(ctx, m) })
		if err == nil {
			q.count(true)
			return
		}
		ended := attempt == len(pauses) || errors.Is(err, ErrRejected)
		select {
		case <-stop:
			ended = true
		default:
		}
		if ended {
			q.count(false)
			q.Log.Error("a mail was not sent", "error", WithoutContent(err), "attempts", attempt+1)
			return
		}
		select {
		case <-time.After(pauses[attempt]):
		case <-stop:
		}
	}
}

// limited calls do when a slot is free. If ctx ends before, it returns the error of ctx.
func (q *Queue) limited(ctx context.Context, do func() error) error {
	select {
	case q.slots <- struct{}{}:
		defer func() { <-q.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return do()
}

// WithoutContent describes an error of Send for a log. A response of a mail server is reduced to its
// codes, because it can quote the mail and so a link.
func WithoutContent(err error) string {
	if e, ok := errors.AsType[*gomail.SendError](err); ok {
		return fmt.Sprintf("the mail server responded with status %d %s: %s", e.ErrorCode(), e.EnhancedStatusCode(), e.Reason)
	}
	return err.Error()
}

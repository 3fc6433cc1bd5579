package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/mail/mailtest"
)

// mailServer records the attempts to send, and responds with the errors of fail in order, then
// with nil.
type mailServer struct {
	mu       sync.Mutex
	fail     []error
	attempts []string // recipient and time since the start
	begun    time.Time
}

func (s *mailServer) Send(_ context.Context, m mail.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, m.To+" "+time.Since(s.begun).String())
	if len(s.fail) == 0 {
		return nil
	}
	err := s.fail[0]
	s.fail = s.fail[1:]
	return err
}

// runQueue runs a queue in a bubble of synctest until stop is called.
func runQueue(sender *mailServer) (q *mail.Queue, log *bytes.Buffer, stop func()) {
	log, sender.begun = new(bytes.Buffer), time.Now()
	q = mail.NewQueue(mail.QueueConfig{Sender: sender, Log: slog.New(slog.NewTextHandler(log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- q.Run(ctx) }()
	return q, log, func() { cancel(); <-done }
}

// Guarantee: a mail that the server does not accept for a while is repeated a few times and then
// given up with an error record, which the status counts. A permanent rejection is not repeated, and a mail without an
// address is not sent.
func TestQueueRetries(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	for name, c := range map[string]struct {
		fail []error
		want []string
		log  string // of a mail that was given up
	}{
		"accepted":       {nil, []string{"ada@example.com 0s"}, ""},
		"later":          {[]error{away, away}, []string{"ada@example.com 0s", "ada@example.com 10s", "ada@example.com 1m10s"}, ""},
		"never":          {[]error{away, away, away, away}, []string{"ada@example.com 0s", "ada@example.com 10s", "ada@example.com 1m10s", "ada@example.com 6m10s"}, "attempts=4"},
		"not an address": {[]error{fmt.Errorf("%w: no such user", mail.ErrRejected)}, []string{"ada@example.com 0s"}, "attempts=1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mailServer{fail: c.fail}
				q, log, stop := runQueue(server)
				q.Post(mail.Message{})
				q.Post(mail.Message{To: "ada@example.com"})
				<-time.After(20 * time.Second)
				waiting := 0
				if len(c.fail) > 1 {
					waiting = 1
				}
				if s := q.Status(); s.Waiting != waiting {
					t.Errorf("after 20 seconds: %+v", s)
				}
				<-time.After(time.Hour)
				stop()
				s, want := q.Status(), mail.QueueStatus{Sent: 1}
				if c.log != "" {
					want = mail.QueueStatus{Failed: 1, FailedAt: s.FailedAt}
				}
				if s != want || s.FailedAt.IsZero() != (c.log == "") {
					t.Errorf("at the end: %+v", s)
				}
				if diff := cmp.Diff(c.want, server.attempts); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				if !strings.Contains(log.String(), c.log) || c.log == "" && log.Len() > 0 {
					t.Errorf("log %q, want %q in it", log, c.log)
				}
			})
		})
	}
}

// Guarantee: a stop attempts every waiting mail once more and does not wait for the pauses.
func TestQueueStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &mailServer{fail: []error{errors.New("busy")}}
		q, _, stop := runQueue(server)
		q.Post(mail.Message{To: "ada@example.com"})
		synctest.Wait()
		q.Post(mail.Message{To: "bob@example.com"})
		stop()
		if got := strings.Join(server.attempts, ", "); strings.Count(got, "ada@example.com 0s") != 2 || strings.Count(got, "bob@example.com 0s") != 1 {
			t.Errorf("attempts: %s", got)
		}
	})
}

// Guarantee: a full queue drops further mails with an error record, and never blocks.
func TestQueueFull(t *testing.T) {
	t.Parallel()
	log := new(bytes.Buffer)
	q := mail.NewQueue(mail.QueueConfig{Sender: new(mailServer), Log: slog.New(slog.NewTextHandler(log, nil))})
	accepted := 0
	for i := range 1100 {
		if q.Compose(func(context.Context) (mail.Message, error) { return mail.Message{To: strconv.Itoa(i)}, nil }) {
			accepted++
		}
	}
	if s := q.Status(); s.Waiting != 1000 || s.Failed != 100 {
		t.Errorf("the status is %+v", s)
	}
	if accepted != 1000 || !strings.Contains(log.String(), "a mail was dropped") {
		t.Errorf("accepted %d mails; the log: %.200s", accepted, log)
	}
}

// Guarantee: the log contains nothing of a mail, also if the server quotes it in its response.
func TestQueueHidesLinks(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{Reject: func(string) int { return 554 }})
	log := new(bytes.Buffer)
	q := mail.NewQueue(mail.QueueConfig{Sender: sender(t, server, mail.Config{TLS: mail.NoTLS}), Log: slog.New(slog.NewTextHandler(log, nil))})
	q.Post(mail.Message{To: "ada@example.com", Subject: "Reset", Text: "https://keys.example/reset#secret"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Run(ctx); err != nil {
		t.Fatal(err)
	}
	// The response of the server is "554 not here".
	if got := log.String(); !strings.Contains(got, "status 554") || strings.Contains(got, "not here") || strings.Contains(got, "ada@") {
		t.Errorf("log: %s", got)
	}
}

// Guarantee: the outbox keeps the last 100 mails, and the numbers of the others are not reused.
func TestOutbox(t *testing.T) {
	t.Parallel()
	var o mail.Outbox
	for i := range 130 {
		if err := o.Send(t.Context(), mail.Message{To: strconv.Itoa(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	list := o.List()
	if len(list) != 100 || list[0].Number != 130 || list[99].To != "31" {
		t.Errorf("%d mails, the newest is number %d, the oldest to %s", len(list), list[0].Number, list[99].To)
	}
	if m, ok := o.Find(31); !ok || m.To != "31" {
		t.Errorf("mail 31 is %v, %v", m, ok)
	}
	if _, ok := o.Find(30); ok {
		t.Error("mail 30 is still kept")
	}
}

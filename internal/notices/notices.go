// Package notices turns the change log, the dates of keys and the events of accounts into notices
// to members, and sends them by mail.
//
// It is on neither the request path nor the change path. Run follows the log from a stored
// position. The position moves in the transaction that writes the notices of a step, and a token
// for each occasion and recipient makes a repeat harmless, so each notice is written once,
// however many nodes run and whenever they are killed. Its mail is sent at least once: a node
// that is killed between the acceptance by the mail server and the record of it is followed by
// another node that sends the mail again.
//
// A notice has identifiers, not names: names are read when it is shown, so the erasure of a
// person needs no search through the notices of others. No text of a change goes into a notice,
// so it cannot contain a secret.
package notices

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Store has the notices and the data that they name.
type Store interface {
	store.NoticeLog
	store.NoticeMails
	store.NoticeReport
	store.NoticePages
	store.Claims
	store.Accounts
	store.Keys
	store.Members
}

// Config configures a Service. All fields except Sender, Letters and Dates are required.
type Config struct {
	Store Store
	// Sender sends mails; nil: notices are only on the page. With it, Letters are required.
	Sender interface {
		Send(ctx context.Context, m mail.Message) error
	}
	Letters  *mail.Letters
	PagesURL string // address of the account pages
	Dates    Dates
	Now      func() time.Time
	Log      *slog.Logger
}

// Dates states when notices about the dates of keys are due.
type Dates struct {
	Expiring []int // days before the expiry of a key, each with a notice
	Unused   int   // days without a use; 0: no notice
}

// Service writes, sends and shows notices. Its methods are safe for concurrent use.
type Service struct {
	config Config
	holder string        // of the claim of this process
	wake   chan struct{} // signals a due mail
	poll   time.Duration // between polls of the log and of due mails

	mu      sync.Mutex
	secret  string                             // signs tokens; "": not read yet
	refused map[toksta.AccountID]toksta.Reason // accounts with calls that billing refused, to be checked

	noted map[toksta.AccountID]time.Time // the last billing state of each that has notices; used by Run only
}

// The intervals of Run.
const (
	scanEvery = time.Hour // between scans of the dates of keys
	retention = 90 * 24 * time.Hour
	// claimFor limits the time in which another node does not follow after the node that does
	// has died.
	claimFor = time.Minute
)

// New returns a service. It writes and sends nothing until Run is called.
func New(c Config) *Service {
	return &Service{config: c, holder: rand.Text(), wake: make(chan struct{}, 1), poll: 5 * time.Second, refused: map[toksta.AccountID]toksta.Reason{}, noted: map[toksta.AccountID]time.Time{}}
}

// Run follows the log, sends mails and deletes old notices until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { s.repeat(ctx, loop{"write notices", nil, s.followAll}) })
	if s.config.Sender != nil {
		loops.Go(func() { s.repeat(ctx, loop{"send the mails of notices", s.wake, s.sendAll}) })
	}
	loops.Wait()
	return nil
}

// loop is a background task that Run repeats.
type loop struct {
	name string
	wake <-chan struct{} // starts it before its next poll; nil: never
	do   func(context.Context) error
}

// repeat does the task in every poll interval until ctx ends. Of consecutive failures, it logs the
// first one.
func (s *Service) repeat(ctx context.Context, l loop) {
	tick := time.NewTicker(s.poll)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		err := l.do(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			s.config.Log.Error("cannot "+l.name+"; trying again", "error", err)
		case err == nil && failing:
			s.config.Log.Info("can " + l.name + " again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-tick.C:
		}
	}
}

// notify starts sending before the next poll.
func (s *Service) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// mails returns the state of the mail of a new notice.
func (s *Service) mails() store.MailState {
	if s.config.Sender == nil {
		return store.MailNone
	}
	return store.MailPending
}

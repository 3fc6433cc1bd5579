// Package events tells of what happens to accounts: credits that come to an
// end, a rate limit that is hit often.
//
// It stands beside both paths. Watch looks at accounts whose totals were
// flushed and raises events; the store keeps them with their deliveries, one
// for each channel; Run delivers. An event arrives at least once, under an id
// that every attempt repeats, or it ends as a dead letter that can be replayed.
// Nothing here is called by a request, and no request waits for it. The
// package never writes a secret, or the body of a webhook's answer, anywhere.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Channel is one way to tell: an address of the vendor's, or mail to the
// customer.
type Channel struct {
	Name    string // deliveries are kept under it
	Kinds   []toksta.EventKind
	Carrier Carrier
}

// wants reports whether events of a kind go through the channel. No kinds
// stand for all.
func (c Channel) wants(kind toksta.EventKind) bool {
	return len(c.Kinds) == 0 || slices.Contains(c.Kinds, kind)
}

// Carrier hands an event over. It is safe for concurrent use.
type Carrier interface {
	// Carry makes one attempt and says in words how it went. An error, whose
	// text goes to the operator, means that the event may not have arrived:
	// ErrGone that it never will, *LaterError when to try again.
	Carry(ctx context.Context, e store.Event) (outcome string, err error)
}

// ErrGone means that the receiver wants no more of this event.
var ErrGone = errors.New("the receiver is gone")

// LaterError is a failure of a receiver that asks for time.
type LaterError struct {
	error
	After time.Duration
}

// Unwrap lets the cause be found through it.
func (e *LaterError) Unwrap() error { return e.error }

// Store is where events wait.
type Store interface {
	store.Outbox
	store.Events
}

// Config is what a Service is made of. All fields are required; there may be
// no channels.
type Config struct {
	Store    Store
	Channels []Channel
	Now      func() time.Time
	Log      *slog.Logger
}

// Service keeps events and delivers them. Its methods are safe for concurrent
// use.
type Service struct {
	config Config
	wake   map[string]chan struct{} // by channel: there is something due
	poll   time.Duration            // between looks for what other nodes left, or is due again
}

// New returns a service that delivers nothing before Run.
func New(c Config) *Service {
	s := &Service{config: c, wake: map[string]chan struct{}{}, poll: 5 * time.Second}
	for _, channel := range c.Channels {
		s.wake[channel.Name] = make(chan struct{}, 1)
	}
	return s
}

// Occurrence is something that happened, as whoever noticed it tells it.
type Occurrence struct {
	Kind      toksta.EventKind
	AccountID toksta.AccountID
	Data      any    // encoded as JSON
	Token     string // the same for everybody who notices this occurrence
}

// Raise keeps an occurrence, once, and has it delivered.
func (s *Service) Raise(ctx context.Context, o Occurrence) error {
	e, err := s.event(o)
	if err != nil {
		return err
	}
	var channels []string
	for _, c := range s.config.Channels {
		if c.wants(o.Kind) {
			channels = append(channels, c.Name)
		}
	}
	raised, err := s.config.Store.RaiseEvent(ctx, e, channels)
	if err != nil {
		return fmt.Errorf("raise %s: %w", o.Kind, err)
	}
	if raised {
		s.rouse(channels)
	}
	return nil
}

// event gives an occurrence its id and time.
func (s *Service) event(o Occurrence) (store.Event, error) {
	data, err := json.Marshal(o.Data)
	if err != nil {
		return store.Event{}, fmt.Errorf("encode %s: %w", o.Kind, err)
	}
	now := s.config.Now()
	return store.Event{
		ID: toksta.NewID(toksta.PrefixEvent, now), Kind: o.Kind, AccountID: o.AccountID, At: now, Data: data, Token: o.Token,
	}, nil
}

// rouse has channels looked after now rather than at their next turn.
func (s *Service) rouse(channels []string) {
	for _, name := range channels {
		select {
		case s.wake[name] <- struct{}{}:
		default:
		}
	}
}

// List returns a page of events with their deliveries, newest first.
func (s *Service) List(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	found, err := s.config.Store.ListEvents(ctx, q)
	if err == nil && len(found) == 0 {
		// A channel that was taken out of the configuration can still have dead
		// letters; one that nothing knows is an error.
		_, err = s.channels(q.Channel)
	}
	return found, err
}

// Get returns one event, or the caller's NOT_FOUND.
func (s *Service) Get(ctx context.Context, id string) (store.Event, error) {
	found, err := s.config.Store.ListEvents(ctx, store.EventQuery{ID: id, Limit: 1})
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Event{}, store.Missing("event", err)
	}
	return found[0], nil
}

// Replay delivers again, under the old id: one event, or with id "" all dead
// letters. It goes through one channel, or with channel "" through all that
// there are, of one event those that want its kind. It returns how many
// deliveries are due now.
func (s *Service) Replay(ctx context.Context, id, channel string) (int, error) {
	channels, err := s.channels(channel)
	if err != nil {
		return 0, err
	}
	if id != "" && channel == "" {
		e, err := s.Get(ctx, id)
		if err != nil {
			return 0, err
		}
		channels = slices.DeleteFunc(channels, func(c Channel) bool { return !c.wants(e.Kind) })
	}
	names := make([]string, len(channels))
	for i, c := range channels {
		names[i] = c.Name
	}
	n, err := s.config.Store.ReplayEvents(ctx, store.Replay{Event: id, Channels: names, Now: s.config.Now()})
	if err != nil {
		return 0, store.Missing("event", err)
	}
	s.rouse(names)
	return n, nil
}

// channels returns the channel of that name, or all for "".
func (s *Service) channels(name string) ([]Channel, error) {
	if name == "" {
		return slices.Clone(s.config.Channels), nil
	}
	at := slices.IndexFunc(s.config.Channels, func(c Channel) bool { return c.Name == name })
	if at < 0 {
		return nil, &toksta.Error{
			Code: toksta.CodeNotFound, Message: "No such channel: " + name + ".", Hint: "toksta config print lists webhooks",
		}
	}
	return s.config.Channels[at : at+1], nil
}

// Test carries an event of kind EventTest at once, which is kept nowhere, and
// says how it went.
func (s *Service) Test(ctx context.Context, channel string) (outcome string, err error) {
	if channel == "" {
		return "", toksta.Invalid("channel", "Name a webhook.")
	}
	found, err := s.channels(channel)
	if err != nil {
		return "", err
	}
	e, err := s.event(Occurrence{Kind: toksta.EventTest, Data: map[string]string{"channel": channel}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, carryTime)
	defer cancel()
	if outcome, err = found[0].Carrier.Carry(ctx, e); err != nil {
		return "", &toksta.Error{
			Code: toksta.CodeUpstreamError, Message: channel + " did not take the event: " + err.Error() + ".",
			Hint: "a receiver answers 2xx to what it could verify and has kept",
		}
	}
	return outcome, nil
}

// Run delivers what is due, and forgets what is old, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, c := range s.config.Channels {
		loops.Go(func() { s.serve(ctx, c) })
	}
	loops.Go(func() { s.prune(ctx) })
	loops.Wait()
	return nil
}

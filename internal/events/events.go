// Package events tells vendors and customers what happens to accounts: credits run low or out, a
// rate limit is hit often.
//
// It is on neither the request path nor the change path. Watch checks accounts whose totals were
// flushed and raises events. The store keeps the events with their deliveries, one for each
// channel. Run delivers them. An event arrives at least once, with the same id at every attempt, or
// its delivery fails finally and can be replayed. No request waits for this package. It never stores
// or logs a secret or the body of a webhook's response.
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

// Channel is one destination of events: a URL of the vendor, or mail to the customer.
type Channel struct {
	Name   string // identifies the channel in stored deliveries
	Kinds  []toksta.EventKind
	Sender Sender
}

// wants reports whether the channel accepts events of a kind. An empty list accepts all kinds.
func (c Channel) wants(kind toksta.EventKind) bool {
	return len(c.Kinds) == 0 || slices.Contains(c.Kinds, kind)
}

// Sender sends an event to a receiver. It is safe for concurrent use.
type Sender interface {
	// Send makes one attempt and returns a description of the outcome for the operator. An error means
	// that the event may not have arrived. ErrGone means that it never will; *RetryAfterError has the
	// delay before the next attempt.
	Send(ctx context.Context, e store.Event) (outcome string, err error)
}

// ErrGone means that the receiver does not accept this event any more.
var ErrGone = errors.New("the receiver is gone")

// RetryAfterError is a failure with the delay that the receiver asked for.
type RetryAfterError struct {
	error
	After time.Duration
}

// Unwrap returns the cause.
func (e *RetryAfterError) Unwrap() error { return e.error }

// Store keeps events and their deliveries.
type Store interface {
	store.Outbox
	store.Events
}

// Config configures a Service. All fields are required; Channels may be empty.
type Config struct {
	Store    Store
	Channels []Channel
	Now      func() time.Time
	Log      *slog.Logger
}

// Service stores events and delivers them. Its methods are safe for concurrent use.
type Service struct {
	config Config
	wake   map[string]chan struct{} // by channel; signals a due delivery
	poll   time.Duration            // between polls for retries and for events that other nodes stored
}

// New returns a service. It delivers nothing until Run is called.
func New(c Config) *Service {
	s := &Service{config: c, wake: map[string]chan struct{}{}, poll: 5 * time.Second}
	for _, channel := range c.Channels {
		s.wake[channel.Name] = make(chan struct{}, 1)
	}
	return s
}

// Occurrence is a condition of an account that was detected. It becomes an event.
type Occurrence struct {
	Kind      toksta.EventKind
	AccountID toksta.AccountID
	Data      any    // encoded as JSON
	Token     string // deduplicates: the same on every node that detects this occurrence
}

// Raise stores an event for the occurrence, unless one with its token exists, and wakes the
// channels that deliver it.
func (s *Service) Raise(ctx context.Context, o Occurrence) error {
	e, err := s.newEvent(o)
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
		s.notify(channels)
	}
	return nil
}

// newEvent returns an event for the occurrence, with a new id and the current time.
func (s *Service) newEvent(o Occurrence) (store.Event, error) {
	data, err := json.Marshal(o.Data)
	if err != nil {
		return store.Event{}, fmt.Errorf("encode %s: %w", o.Kind, err)
	}
	now := s.config.Now()
	return store.Event{
		ID: toksta.NewID(toksta.PrefixEvent, now), Kind: o.Kind, AccountID: o.AccountID, At: now, Data: data, Token: o.Token,
	}, nil
}

// notify wakes the loops of channels before their next poll.
func (s *Service) notify(channels []string) {
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
		// A channel that was removed from the configuration can still have deliveries. An unknown
		// channel without any is an error.
		_, err = s.channels(q.Channel)
	}
	return found, err
}

// Get returns one event. The error of an unknown id has the code NOT_FOUND.
func (s *Service) Get(ctx context.Context, id string) (store.Event, error) {
	if id == "" { // in a query, this selects all events
		return store.Event{}, toksta.Invalid("event", "Give the id of an event.")
	}
	found, err := s.config.Store.ListEvents(ctx, store.EventQuery{ID: id, Limit: 1})
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Event{}, store.Missing("event", id, err)
	}
	return found[0], nil
}

// Replay makes deliveries due again, under the same event ids, and returns their number. If id is
// not "", these are the deliveries of one event, in any state. If id is "", these are all
// deliveries that failed finally. channel selects one channel by name. If channel is "", all
// channels are selected, or for one event those that accept its kind.
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
		return 0, store.Missing("event", id, err)
	}
	s.notify(names)
	return n, nil
}

// channels returns the channel with the name, or all channels if name is "".
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

// Test sends an event of kind EventTest, which is not stored, and returns the outcome.
func (s *Service) Test(ctx context.Context, channel string) (outcome string, err error) {
	if channel == "" {
		return "", toksta.Invalid("channel", "Name a webhook.")
	}
	found, err := s.channels(channel)
	if err != nil {
		return "", err
	}
	e, err := s.newEvent(Occurrence{Kind: toksta.EventTest, Data: map[string]string{"channel": channel}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if outcome, err = found[0].Sender.Send(ctx, e); err != nil {
		return "", &toksta.Error{
			Code: toksta.CodeUpstreamError, Message: channel + " did not accept the event: " + err.Error() + ".",
			Hint: "a receiver responds 2xx once it has verified and stored the event",
		}
	}
	return outcome, nil
}

// Run delivers due events and deletes old ones until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, c := range s.config.Channels {
		loops.Go(func() { s.runChannel(ctx, c) })
	}
	loops.Go(func() { s.prune(ctx) })
	loops.Wait()
	return nil
}

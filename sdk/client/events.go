package client

import (
	"context"
	"encoding/json"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// ListEventsRequest asks for events, newest first. Zero fields select all.
type ListEventsRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	State   string           `json:"state,omitempty"`   // with a delivery that is pending, delivered or dead
	Channel string           `json:"channel,omitempty"` // with State: that delivery's
	Before  string           `json:"before,omitempty"`  // identifiers below this
	Limit   int              `json:"limit,omitempty"`
}

// Event is something that happened to an account.
type Event struct {
	ID         string           `json:"id"` // the webhook's
	Kind       toksta.EventKind `json:"type"`
	At         time.Time        `json:"timestamp"`
	AccountID  toksta.AccountID `json:"account_id"`
	Data       json.RawMessage  `json:"data"`
	Deliveries []Delivery       `json:"deliveries"`
}

// Delivery is an event on its way through one channel: a webhook by its name,
// or mail.
type Delivery struct {
	Channel  string    `json:"channel"`
	State    string    `json:"state"` // pending, delivered or dead
	Attempts int       `json:"attempts"`
	NextAt   time.Time `json:"next_at,omitzero"`  // while it is pending
	TriedAt  time.Time `json:"tried_at,omitzero"` // the last time
	Outcome  string    `json:"outcome,omitempty"` // of the last attempt, in words
}

// EventPage is a page of events; Next is the next page's Before, "" at the end.
type EventPage struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"`
}

// EventRef names an event.
type EventRef struct {
	Event string `json:"event"`
}

// ReplayRequest names what to deliver again: one event, or all dead letters.
// Exactly one of Event and Dead is set.
type ReplayRequest struct {
	Event   string `json:"event,omitempty"`
	Dead    bool   `json:"dead,omitempty"`
	Channel string `json:"channel,omitempty"` // "": all
}

// ReplayAnswer counts the deliveries that are due again.
type ReplayAnswer struct {
	Due int `json:"due"`
}

// TestEventRequest names the webhook to try.
type TestEventRequest struct {
	Channel string `json:"channel"`
}

// TestEventAnswer says how the receiver took it.
type TestEventAnswer struct {
	Outcome string `json:"outcome"`
}

// ListEvents returns a page of events with their deliveries.
func (c *Client) ListEvents(ctx context.Context, r ListEventsRequest) (EventPage, error) {
	return call[EventPage](ctx, c, "events/list", r)
}

// Event returns one event with its deliveries.
func (c *Client) Event(ctx context.Context, r EventRef) (Event, error) {
	return call[Event](ctx, c, "events/show", r)
}

// ReplayEvents delivers again, under the old ids. It does not wait for the
// receivers.
func (c *Client) ReplayEvents(ctx context.Context, r ReplayRequest) (ReplayAnswer, error) {
	return call[ReplayAnswer](ctx, c, "events/replay", r)
}

// TestEvent sends a signed event of kind webhook.test and waits for the
// receiver. A refusal is an error that says what it answered.
func (c *Client) TestEvent(ctx context.Context, r TestEventRequest) (TestEventAnswer, error) {
	return call[TestEventAnswer](ctx, c, "events/test", r)
}

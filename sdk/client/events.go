package client

import (
	"context"
	"encoding/json"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// ListEventsRequest selects events, newest first. An empty field selects all.
type ListEventsRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	State   string           `json:"state,omitempty"`   // only events with a delivery in this state: pending, delivered or dead (failed)
	Channel string           `json:"channel,omitempty"` // with State: name of the webhook, or "mail", whose delivery has this state
	Before  string           `json:"before,omitempty"`  // only events with a lower id
	Limit   int              `json:"limit,omitempty"`
}

// Event is something that happened to an account.
type Event struct {
	ID         string           `json:"id"` // also the id of the webhook
	Kind       toksta.EventKind `json:"type"`
	At         time.Time        `json:"timestamp"`
	AccountID  toksta.AccountID `json:"account_id"`
	Data       json.RawMessage  `json:"data"`
	Deliveries []Delivery       `json:"deliveries"`
}

// Delivery is the delivery of an event through one channel: a webhook, by its
// name, or mail.
type Delivery struct {
	Channel  string    `json:"channel"`
	State    string    `json:"state"` // pending, delivered, or dead: all attempts failed
	Attempts int       `json:"attempts"`
	NextAt   time.Time `json:"next_at,omitzero"`  // of the next attempt, if the delivery is pending
	TriedAt  time.Time `json:"tried_at,omitzero"` // of the last attempt
	Outcome  string    `json:"outcome,omitempty"` // of the last attempt, in words
}

// EventPage is a page of events. Next is the next page's Before, "" on the last
// page.
type EventPage struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"`
}

// EventRef identifies an event.
type EventRef struct {
	Event string `json:"event"`
}

// ReplayRequest selects the deliveries to repeat: those of one event, or all
// failed ("dead") deliveries. Exactly one of Event and Dead must be set.
type ReplayRequest struct {
	Event   string `json:"event,omitempty"`
	Dead    bool   `json:"dead,omitempty"`
	Channel string `json:"channel,omitempty"` // name of a webhook, or "mail"; "": all
}

// ReplayResponse has the number of deliveries that are pending again.
type ReplayResponse struct {
	Due int `json:"due"`
}

// TestEventRequest names the webhook to test.
type TestEventRequest struct {
	Channel string `json:"channel"`
}

// TestEventResponse describes the response of the receiver.
type TestEventResponse struct {
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

// ReplayEvents makes deliveries pending again. The repeated webhooks have the
// same event ids. ReplayEvents does not wait for the receivers.
func (c *Client) ReplayEvents(ctx context.Context, r ReplayRequest) (ReplayResponse, error) {
	return call[ReplayResponse](ctx, c, "events/replay", r)
}

// TestEvent sends a signed event of kind webhook.test and waits for the
// receiver. If the receiver rejects it, the error has its response.
func (c *Client) TestEvent(ctx context.Context, r TestEventRequest) (TestEventResponse, error) {
	return call[TestEventResponse](ctx, c, "events/test", r)
}

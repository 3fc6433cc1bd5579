package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Outbox keeps what is to be told, until it was.
type Outbox interface {
	// RaiseEvent writes e, and a delivery of it that is due at once to each
	// of the channels. An event with e's token may have been raised before,
	// by any node: then nothing is written and raised is false.
	RaiseEvent(ctx context.Context, e Event, channels []string) (raised bool, err error)
	// ClaimDeliveries takes deliveries that are due, the longest due first,
	// counts an attempt of each and keeps them from every other claim until
	// the claim ends.
	ClaimDeliveries(ctx context.Context, c DeliveryClaim) ([]Claimed, error)
	// SettleDelivery records how a claimed attempt went: State, NextAt and
	// Outcome of now. It changes nothing, and is no error, when the delivery
	// has been claimed again or replayed since.
	SettleDelivery(ctx context.Context, was, now Delivery) error
}

// Events is what was told, or could not be.
type Events interface {
	// ListEvents returns events with their deliveries, newest first.
	ListEvents(ctx context.Context, q EventQuery) ([]Event, error)
	// ReplayEvents makes deliveries due again, as if never tried, and
	// returns how many.
	ReplayEvents(ctx context.Context, r Replay) (int, error)
	// PruneEvents forgets events from before a time, delivered or not.
	PruneEvents(ctx context.Context, before time.Time) error
}

// Event is something that happened to an account.
type Event struct {
	ID        string // toksta.PrefixEvent and a ULID, so identifiers sort by time
	Kind      toksta.EventKind
	AccountID toksta.AccountID
	At        time.Time
	Data      json.RawMessage // of a form that Kind decides; never a secret
	Token     string          // the same for one occurrence whichever node sees it; not read back

	Deliveries []Delivery // by channel; set by ListEvents
}

// Delivery is one event on its way to one channel.
type Delivery struct {
	EventID  string
	Channel  string
	State    DeliveryState
	Attempts int       // begun since it was raised or replayed
	NextAt   time.Time // due; while an attempt is under way, when its claim ends
	TriedAt  time.Time // zero: never
	Outcome  string    // of the last attempt, in words
}

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead" // given up; it can be replayed
)

// Claimed is a delivery that the claimant alone attempts now.
type Claimed struct {
	Event    Event
	Delivery Delivery
}

// DeliveryClaim asks for up to Limit deliveries to a channel that are due at
// Now, by the claimant's clock, and keeps them until Until.
type DeliveryClaim struct {
	Channel    string
	Now, Until time.Time
	Limit      int
}

// EventQuery selects events, newest first. Zero fields select all.
type EventQuery struct {
	ID      string
	Account toksta.AccountID
	State   DeliveryState // those with a delivery in it
	Channel string        // with State: that delivery's
	Before  string        // identifiers below this; "": from the newest
	Limit   int           // 0: 100
}

// Replay names deliveries to make again at Now: those of one event to some
// channels, whatever became of them or if there were none, or without an event
// all dead ones of the channels.
type Replay struct {
	Event    string
	Channels []string
	Now      time.Time
}

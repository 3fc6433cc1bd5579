package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Outbox keeps events and their deliveries until they are delivered.
type Outbox interface {
	// RaiseEvent writes e, and for each channel a delivery that is due at once. If
	// any node has raised an event with e's token before, nothing is written and
	// raised is false.
	RaiseEvent(ctx context.Context, e Event, channels []string) (raised bool, err error)
	// ClaimDeliveries claims deliveries that are due, the longest due first. It
	// counts an attempt of each. No other claim returns them before this one ends.
	ClaimDeliveries(ctx context.Context, c DeliveryClaim) ([]Claimed, error)
	// FinishDelivery records the result of a claimed attempt: State, NextAt and
	// Outcome of result. If the delivery has been claimed again or replayed since,
	// it changes nothing and returns no error.
	FinishDelivery(ctx context.Context, claimed, result Delivery) error
}

// Events reads and manages stored events.
type Events interface {
	// ListEvents returns events with their deliveries, newest first.
	ListEvents(ctx context.Context, q EventQuery) ([]Event, error)
	// ReplayEvents makes deliveries due again, as if they had never been tried, and
	// returns their number.
	ReplayEvents(ctx context.Context, r Replay) (int, error)
	// PruneEvents deletes the events before a time, delivered or not.
	PruneEvents(ctx context.Context, before time.Time) error
}

// Event is something that happened to an account.
type Event struct {
	ID        string // toksta.PrefixEvent and a ULID, so identifiers sort by time
	Kind      toksta.EventKind
	AccountID toksta.AccountID
	At        time.Time
	Data      json.RawMessage // its form depends on Kind; never a secret
	Token     string          // identifies the occurrence on all nodes; not read back

	Deliveries []Delivery // by channel; set by ListEvents
}

// Delivery is the delivery of one event to one channel.
type Delivery struct {
	EventID  string
	Channel  string
	State    DeliveryState
	Attempts int       // begun since the event was raised or replayed
	NextAt   time.Time // when it is due; during an attempt, when its claim ends
	TriedAt  time.Time // zero: never
	Outcome  string    // of the last attempt, for people
}

// DeliveryState is the state of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead" // failed finally; it can be replayed
)

// Claimed is a delivery that only the caller attempts until its claim ends.
type Claimed struct {
	Event    Event
	Delivery Delivery
}

// DeliveryClaim selects up to Limit deliveries to a channel that are due at Now, by
// the caller's clock. The claim ends at Until.
type DeliveryClaim struct {
	Channel    string
	Now, Until time.Time
	Limit      int
}

// EventQuery selects events, newest first. Zero fields select all.
type EventQuery struct {
	ID      string
	Account toksta.AccountID
	State   DeliveryState // of at least one delivery
	Channel string        // with State: of that delivery
	Before  string        // identifiers less than this; "": from the newest
	Limit   int           // 0: 100
}

// Replay selects deliveries that become due at Now. With an event these are its
// deliveries to the channels, in any state, and created if missing. Without an event
// these are all dead deliveries to the channels.
type Replay struct {
	Event    string
	Channels []string
	Now      time.Time
}

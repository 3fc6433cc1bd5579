package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Outbox keeps events and their deliveries until they are delivered. A channel is the
// name of a destination: a webhook of the vendor, or mail to the customer.
type Outbox interface {
	// RaiseEvent writes e, and for each channel a delivery that is due at once. If an
	// event with the same Token exists, raised by any node, it writes nothing and
	// returns false.
	RaiseEvent(ctx context.Context, e Event, channels []string) (raised bool, err error)
	// ClaimDeliveries claims due deliveries, the longest due first, and counts an
	// attempt of each. Until c.Until, no other call returns these deliveries.
	ClaimDeliveries(ctx context.Context, c DeliveryClaim) ([]Claimed, error)
	// FinishDelivery records the result of an attempt: State, NextAt and Outcome of
	// result. The delivery claimed is as ClaimDeliveries returned it. If it has been
	// claimed again or replayed since, FinishDelivery changes nothing and returns nil.
	FinishDelivery(ctx context.Context, claimed, result Delivery) error
}

// Events reads and manages stored events.
type Events interface {
	// ListEvents returns events with their deliveries, newest first.
	ListEvents(ctx context.Context, q EventQuery) ([]Event, error)
	// ReplayEvents makes deliveries due again, as if they had never been tried, and
	// returns their number.
	ReplayEvents(ctx context.Context, r Replay) (int, error)
	// PruneEvents deletes the events before the given time, delivered or not.
	PruneEvents(ctx context.Context, before time.Time) error
}

// Event is something that happened to an account.
type Event struct {
	ID        string // toksta.PrefixEvent and a ULID, so identifiers sort by time
	Kind      toksta.EventKind
	AccountID toksta.AccountID
	At        time.Time
	Data      json.RawMessage // its form depends on Kind; never a secret
	Token     string          // equal on all nodes that detect the same occurrence; not read back

	Deliveries []Delivery // by channel; set by ListEvents
}

// Delivery is the delivery of one event by one channel.
type Delivery struct {
	EventID  string
	Channel  string // name of a webhook, or mail; see Outbox
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
	DeliveryDead      DeliveryState = "dead" // failed: not attempted again, unless it is replayed
)

// Claimed is a delivery that only the caller attempts until its claim ends.
type Claimed struct {
	Event    Event
	Delivery Delivery
}

// DeliveryClaim selects up to Limit deliveries by one channel that are due at Now. The
// claim ends at Until. Both are times on the caller's clock.
type DeliveryClaim struct {
	Channel    string
	Now, Until time.Time
	Limit      int
}

// EventQuery selects events, newest first. Zero fields select all.
type EventQuery struct {
	ID      string
	Account toksta.AccountID
	State   DeliveryState // at least one delivery is in this state
	Channel string        // with State: that delivery is by this channel
	Before  string        // identifiers less than this; "": from the newest
	Limit   int           // 0: 100
}

// Replay selects deliveries by Channels, which become due at Now. If Event is set, it
// selects the deliveries of that event in any state; missing ones are created. If Event
// is "", it selects the failed deliveries of all events.
type Replay struct {
	Event    string
	Channels []string
	Now      time.Time
}

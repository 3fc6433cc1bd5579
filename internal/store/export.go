package store

import (
	"context"
	"time"
)

// Exports hands usage of admitted calls over to something outside, each hour
// once and whatever it grows by later once more. Nothing is lost or made twice:
// events are fixed in the transaction that takes note of what they say, and
// stay until they are known to be delivered.
type Exports interface {
	// StageUsage makes events of what hours before a time have more, or less,
	// than was staged of them, of about limit rows in one transaction. It
	// returns how many rows it looked at, 0 when all is staged. After an error,
	// such as for others at the same rows, nothing was staged: try again.
	StageUsage(ctx context.Context, before time.Time, limit int) (rows int, err error)
	// StagedUsage returns up to limit events, those of the oldest hours first.
	// They are the same, however often they are read.
	StagedUsage(ctx context.Context, limit int) ([]UsageEvent, error)
	// DeliveredUsage forgets events by their ids. Those of others, or ones
	// that are forgotten already, are no error.
	DeliveredUsage(ctx context.Context, ids []string) error
}

// ExportState is what nodes know of the export together.
type ExportState interface {
	// SetExport turns the export on for hours from a time, or with nil off.
	// While it is on no row is rolled up before all of it was staged.
	SetExport(ctx context.Context, from *time.Time) error
	// FailExport notes why events were not delivered, until some are.
	FailExport(ctx context.Context, why string) error
	// ExportStatus says how far the export is with hours before a time.
	ExportStatus(ctx context.Context, before time.Time) (ExportStatus, error)
}

// UsageEvent is a difference of totals, negative where a charge was taken back.
type UsageEvent struct {
	// ID follows from the slot, the epoch and how many events there were
	// before of both: a database that was set back makes the same ones again.
	ID string
	UsageTotal
}

// ExportStatus is how far the export is.
type ExportStatus struct {
	On          bool
	Through     time.Time // all hours before it are delivered as they are now
	Waiting     int64     // rows not staged and events not delivered
	Delivered   int64     // events ever
	DeliveredAt time.Time // of the last events
	FailedAt    time.Time
	Failure     string // why the last events were not delivered; "" when they were
}

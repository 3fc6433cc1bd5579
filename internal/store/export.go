package store

import (
	"context"
	"time"
)

// Exports keeps the usage of admitted calls for delivery to external billing: each
// hour once, and its later growth as further events. Nothing is lost or duplicated:
// one transaction writes an event and marks its usage as staged, and the event stays
// until its delivery is confirmed.
type Exports interface {
	// StageUsage reads up to limit totals of hours before the given time, in one
	// transaction. For each total that differs from its staged part it writes an event
	// with the difference. It returns the number of totals that it read, 0 if
	// everything is staged. After an error, for example a conflict with another node,
	// nothing was staged.
	StageUsage(ctx context.Context, before time.Time, limit int) (rows int, err error)
	// StagedUsage returns up to limit events, the oldest hours first. An event never
	// changes.
	StagedUsage(ctx context.Context, limit int) ([]UsageEvent, error)
	// DeliveredUsage deletes events by their ids. Missing events are no error.
	DeliveredUsage(ctx context.Context, ids []string) error
}

// ExportState keeps the state of the export that all nodes share.
type ExportState interface {
	// SetExport turns the export on for the hours from the given time on, or off if
	// from is nil.
	// While it is on, a row is rolled up only after all of it is staged.
	SetExport(ctx context.Context, from *time.Time) error
	// FailExport records the cause of a failed delivery. The next successful
	// delivery clears it.
	FailExport(ctx context.Context, cause string) error
	// ExportStatus returns the progress of the export of hours before the given time.
	ExportStatus(ctx context.Context, before time.Time) (ExportStatus, error)
}

// UsageEvent is a difference of totals, negative where a charge was taken back.
type UsageEvent struct {
	// ID is derived from the slot, the epoch and the number of their earlier events,
	// so that a restored database creates the same ids again.
	ID string
	// ExternalID is the account's external id when the event was staged; "": none.
	ExternalID string
	UsageTotal
}

// ExportStatus is the progress of the export.
type ExportStatus struct {
	On          bool
	Through     time.Time // all hours before it are delivered with their present totals
	Waiting     int64     // rows not staged and events not delivered
	Delivered   int64     // events ever
	DeliveredAt time.Time // of the last events
	FailedAt    time.Time
	Failure     string // cause of the last failed delivery; "" after a success
}

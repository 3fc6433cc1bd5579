package store

import (
	"context"
	"time"
)

// Retention makes old usage smaller. Each call is one transaction of about
// limit rows and returns how many it took away, 0 when nothing is left to do.
// What ListUsage sums for whole days stays the same, and so does what
// CreditUse returns.
type Retention interface {
	// RollUp adds hours before a time up into days. Rows of an epoch that is
	// not closed stay, however old they are, and so do those that an export
	// that is on has yet to stage.
	RollUp(ctx context.Context, before time.Time, limit int) (rows int64, err error)
	// Drop deletes rolled-up days before a time, all but what CreditUse must
	// know of them.
	Drop(ctx context.Context, before time.Time, limit int) (rows int64, err error)
}

// Epochs says what the store knows of the meter's epochs.
type Epochs interface {
	// EpochClosed reports whether the store has all totals of an epoch. It
	// does not have those of an epoch that it does not know.
	EpochClosed(ctx context.Context, epoch string) (bool, error)
}

// Claims hands work that is to be done once for all nodes to one of them.
type Claims interface {
	// Claim takes or prolongs a claim unless another holder's is not over,
	// and returns the database's time then; the zero time: another has it.
	// The holder may have been paused since, so the work must be safe to be
	// done twice at once: a claim only saves trouble.
	Claim(ctx context.Context, c Claim) (at time.Time, err error)
}

// Claim is some work of all nodes that one of them wants to do.
type Claim struct {
	Name   string        // of the work
	Holder string        // a process: its epoch
	For    time.Duration // by the database's clock
}

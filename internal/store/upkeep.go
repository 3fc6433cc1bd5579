package store

import (
	"context"
	"time"
)

// Retention compacts old usage. Each call is one transaction of about limit rows. It
// returns the number of removed rows, 0 if nothing is left to do. The results of
// ListUsage for whole days, and of CreditUse, stay the same.
type Retention interface {
	// RollUp sums hours before a time into days. Rows of an open epoch stay, however
	// old they are, and so do rows that an enabled export has not staged.
	RollUp(ctx context.Context, before time.Time, limit int) (rows int64, err error)
	// Drop deletes rolled-up days before a time. It keeps the sums that CreditUse
	// needs.
	Drop(ctx context.Context, before time.Time, limit int) (rows int64, err error)
}

// Epochs reads the state of the meters' epochs.
type Epochs interface {
	// EpochClosed reports whether the store has all totals of an epoch. It returns
	// false for an unknown epoch.
	EpochClosed(ctx context.Context, epoch string) (bool, error)
}

// Claims selects one node for work that concerns all nodes.
type Claims interface {
	// Claim takes or extends a claim, and returns the database's time of that. It
	// returns the zero time if another holder's claim has not ended. The holder may
	// have been paused since, so two nodes doing the work at once must be safe: a
	// claim only saves effort.
	Claim(ctx context.Context, c Claim) (at time.Time, err error)
}

// Claim names the work and the process that wants to do it.
type Claim struct {
	Name   string        // of the work
	Holder string        // a process: its epoch
	For    time.Duration // by the database's clock
}

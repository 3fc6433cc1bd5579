package store

import (
	"context"
	"time"
)

// Retention compacts old usage. Each call compacts about limit rows in one transaction
// and returns the number of removed rows, 0 if nothing is left to do. The results of
// CreditUse stay the same.
type Retention interface {
	// RollUp sums the hours that start before the given time into days. The results
	// of ListUsage for whole days stay the same. Rows of an open epoch stay, however
	// old they are, and so do rows that an enabled export has not staged.
	RollUp(ctx context.Context, before time.Time, limit int) (rows int64, err error)
	// Drop deletes the rolled-up days that start before the given time. It keeps the
	// sums that CreditUse needs.
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
	// Claim reserves the work c.Name for c.Holder, for the time c.For, and returns
	// the database's time at that moment. It extends the holder's own claim, and
	// returns the zero time if the claim of another holder has not ended. A holder
	// can pause until its claim has ended, so it must be safe for two nodes to do the
	// work at once: a claim only saves effort.
	Claim(ctx context.Context, c Claim) (at time.Time, err error)
}

// Clock is the clock of the database. The clocks of nodes can differ by seconds, so the order of two
// events at different nodes is decided by this one.
type Clock interface {
	// Time returns the database's time.
	Time(ctx context.Context) (time.Time, error)
}

// Claim names the work and the process that wants to do it.
type Claim struct {
	Name   string        // of the work
	Holder string        // a process: its epoch
	For    time.Duration // by the database's clock
}

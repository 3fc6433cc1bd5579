package store

import (
	"context"

	"github.com/toksta/toksta/sdk/toksta"
)

// Log commits mutations and waits until no node admits a call on the old state.
// Package changefeed implements it with a Mutator.
type Log interface {
	// Commit makes the change that decide returns, with by as the actor, and returns
	// the receipt of the enforced change. If it returns an error of decide or a
	// *RepeatedError, nothing was written. After any other error it is possible that
	// the change was written, and that it takes effect later.
	Commit(ctx context.Context, by toksta.Actor, decide Decide) (toksta.Receipt, error)
}

package store

import (
	"context"

	"github.com/toksta/toksta/sdk/toksta"
)

// Log commits mutations and waits until no node admits a call on the old state.
// Package changefeed implements it with a Mutator; keys and accounts use nothing
// else that concerns nodes.
type Log interface {
	// Commit returns the receipt of an enforced change. If it returns an error of
	// decide or a *RepeatedError, nothing was written. After any other error the
	// change may have been written, and may take effect.
	Commit(ctx context.Context, by toksta.Actor, decide Decide) (toksta.Receipt, error)
}

package store

import (
	"context"

	"github.com/toksta/toksta/sdk/toksta"
)

// Log is what mutations go through: Commit, then wait until no node admits a
// request on the old state. The changefeed implements it around a Mutator;
// keys and accounts know nothing else of nodes.
type Log interface {
	// Commit returns the receipt of an enforced change. decide's error and
	// *RepeatedError come back as they are and nothing was written; after
	// any other error the change may have been written and may take effect.
	Commit(ctx context.Context, by toksta.Actor, decide Decide) (toksta.Receipt, error)
}

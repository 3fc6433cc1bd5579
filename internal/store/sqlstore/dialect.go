package sqlstore

import (
	"context"

	"github.com/pressly/goose/v3"
)

// dialect holds the differences between the SQL of SQLite and PostgreSQL.
type dialect struct {
	hasRowids bool // tables have rowids, in the order of insertion
	goose     goose.Dialect
	now       string // expression: the database's time in Unix milliseconds
	share     string // clause of a SELECT: no other transaction changes its rows before the commit; "" if transactions are serialized
	chunk     int    // preferred number of rows of an INSERT
	page      int    // rows of a page that a node reads
	check     string // query: reads all pages and returns "ok" or the damage; "" for none
	notify    string // expression, with seq as the number of a change: notifies other processes at the commit
	origin    string // expression: differs after a restore, a fail-over or on another server
}

// notifier notifies nodes of commits. It can lose notifications.
type notifier interface {
	// committed is called after the commit of the change seq, or with 0 if the outcome
	// of a commit is unknown. It notifies listeners, unless the transaction did.
	committed(seq int64)
	Listen(ctx context.Context, notified func(seq int64)) error
}

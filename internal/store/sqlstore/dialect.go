package sqlstore

import (
	"context"

	"github.com/pressly/goose/v3"
)

// dialect is everything in which the engines' SQL differs.
type dialect struct {
	goose  goose.Dialect
	now    string // expression: Unix milliseconds by the database's clock
	chunk  int    // rows that one statement writes at best
	page   int    // rows of a table that a node is read at a time
	check  string // query: reads all pages and answers "ok" or the damage; "" for none
	notify string // expression, where seq is a change's number: wakes other processes' listeners as it commits
	origin string // expression: what changes when the database goes back in time, or its server changes
}

// notifier notifies nodes of commits. It may lose notifications.
type notifier interface {
	// committed notifies listeners of a commit that its transaction did not notify;
	// seq is 0 if the outcome of the commit is unknown.
	committed(seq int64)
	Listen(ctx context.Context, notified func(seq int64)) error
}

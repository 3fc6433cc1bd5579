package sqlstore

import (
	"context"

	"github.com/pressly/goose/v3"
)

// dialect is everything in which the engines' SQL differs.
type dialect struct {
	goose  goose.Dialect
	now    string            // expression: Unix milliseconds by the database's clock
	chunk  int               // rows that one statement writes at best
	page   int               // rows of a table that a node is read at a time
	check  string            // query: reads all pages and answers "ok" or the damage; "" for none
	ring   string            // expression, where seq is a change's number: wakes other processes' listeners as it commits
	origin string            // expression: what changes when the database goes back in time, or its server changes
	fault  func(error) fault // what kind of failure an error is
}

// fault is a class of database errors that this package acts on.
type fault int

const (
	faultOther fault = iota
	faultRetry       // rolled back by the database for others' sake; may work next time
	faultTaken       // a unique value belongs to another row
)

// bell carries "there is something to read" between nodes. It may lose rings
// and has no authority.
type bell interface {
	// rang tells listeners of a commit that its transaction did not tell them;
	// 0: of one that may have been made, or may be made yet.
	rang(seq int64)
	Listen(ctx context.Context, woken func(seq int64)) error
}

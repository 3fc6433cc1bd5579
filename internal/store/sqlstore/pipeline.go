package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// patient marks a context as that of a statement whose result nobody waits for.
type patient struct{}

// later marks ctx: a statement of a transaction that is made with it may wait to
// be sent with the next one that is not, or with the commit. Its error comes with
// that one then; rows of a query are there when they are read, which sends it at
// the latest. SQLite, which is no way off, carries it out at once.
func later(ctx context.Context) context.Context { return context.WithValue(ctx, patient{}, true) }

// pipeline is the open transaction of a connection and what has not been sent
// of it yet, so that many statements share one way to the database and back.
// The first is the one that begins it.
type pipeline struct {
	open bool
	rest *pgx.Batch // nil: nothing waits
}

// begin opens a transaction without a word to the database.
func (p *pipeline) begin(opts driver.TxOptions) error {
	text := "begin"
	switch sql.IsolationLevel(opts.Isolation) {
	case sql.LevelDefault:
	case sql.LevelRepeatableRead:
		text += " isolation level repeatable read"
	default:
		return fmt.Errorf("isolation level %d is not used here", opts.Isolation)
	}
	if opts.ReadOnly {
		text += " read only"
	}
	*p = pipeline{open: true}
	p.add(text, nil)
	return nil
}

// mostWaiting is how many statements wait at most: who writes very many rows must
// not leave the server without a word for so long that it ends the transaction.
const mostWaiting = 64

// mayWait reports whether a statement may be kept for later.
func (p *pipeline) mayWait(ctx context.Context) bool {
	return p.open && ctx.Value(patient{}) != nil && (p.rest == nil || p.rest.Len() < mostWaiting)
}

// add keeps a statement for later.
func (p *pipeline) add(query string, args []driver.NamedValue) *pgx.QueuedQuery {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	if p.rest == nil {
		p.rest = new(pgx.Batch)
	}
	return p.rest.Queue(query, values...)
}

func (p *pipeline) send(ctx context.Context, conn *pgx.Conn) pgx.BatchResults {
	batch := p.rest
	p.rest = nil
	return conn.SendBatch(ctx, batch)
}

// flush sends what waits.
func (p *pipeline) flush(ctx context.Context, conn *pgx.Conn) error {
	if p.rest == nil {
		return nil
	}
	return p.send(ctx, conn).Close()
}

// exec sends a statement behind what waits.
func (p *pipeline) exec(ctx context.Context, conn *pgx.Conn, query string, args []driver.NamedValue) (done pgconn.CommandTag, err error) {
	p.add(query, args).Exec(func(tag pgconn.CommandTag) error {
		done = tag
		return nil
	})
	return done, p.flush(ctx, conn)
}

// query sends a query behind what waits.
func (p *pipeline) query(ctx context.Context, conn *pgx.Conn, query string, args []driver.NamedValue) (driver.Rows, error) {
	p.add(query, args)
	waited := p.rest.QueuedQueries[:p.rest.Len()-1]
	results := p.send(ctx, conn)
	for _, q := range waited {
		if err := result(q, results); err != nil {
			_ = results.Close() // fails with the same error
			return nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &lastRows{rows, results}, nil
}

// result takes the next of the results, which is that of q.
func result(q *pgx.QueuedQuery, results pgx.BatchResults) error {
	if q.Fn != nil {
		return q.Fn(results)
	}
	_, err := results.Exec()
	return err
}

// commit sends the commit behind what waits: the server carries it out when all
// of that went well, and only then.
func (p *pipeline) commit(ctx context.Context, conn *pgx.Conn) error {
	p.open = false
	if p.rest != nil && conn.PgConn().TxStatus() == 'I' && p.rest.Len() == 1 {
		p.rest = nil // begun, and nothing else
		return nil
	}
	done, err := p.exec(ctx, conn, "commit", nil)
	if err == nil && done.String() != "COMMIT" {
		err = pgx.ErrTxCommitRollback
	}
	if err != nil && !conn.IsClosed() {
		err = errors.Join(err, p.rollback(ctx, conn))
	}
	return err
}

// rollbackTime bounds a rollback: then the connection is closed, which the
// server takes for one.
const rollbackTime = time.Second

// rollback drops what waits, and undoes what was sent, also for a caller who
// has gone: the transaction may hold what everybody waits for.
func (p *pipeline) rollback(ctx context.Context, conn *pgx.Conn) error {
	*p = pipeline{}
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTime)
	defer cancel()
	_, err := conn.Exec(ctx, "rollback")
	if err != nil {
		err = errors.Join(err, conn.Close(ctx))
	}
	return err
}

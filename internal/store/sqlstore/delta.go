package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
)

// Follow implements [store.ChangeFeed]. The number and the keys of a usual change
// are one statement, and so one moment; what is read after that is newer.
func (s *Store) Follow(ctx context.Context, n store.Node, sink store.DeltaSink) (seq int64, err error) {
	err = s.onFeed(ctx, func(conn *sql.Conn) error {
		keys := keyWalk{walk: s.walkChanges(n.Applied), sink: sink}
		now, err := s.look(ctx, conn, n, &keys)
		if err != nil {
			return err
		}
		seq = now.seq
		if now.accounts > n.Applied {
			accounts := s.walkChanges(n.Applied)
			if err := accounts.accounts(ctx, conn, sink); err != nil {
				return err
			}
		}
		if keys.rows < usualRows {
			return nil
		}
		return keys.rest(ctx, conn)
	})
	return seq, err
}

// Snapshot implements [store.ChangeFeed], page by page, all of one moment: what is
// in a node's index must never be newer than the number it knows of, or it would
// not notice a database that has lost it.
func (s *Store) Snapshot(ctx context.Context, sink store.DeltaSink) (seq int64, err error) {
	tx, err := s.feed.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("begin a snapshot: %w", err)
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	accounts := s.walkAll()
	if err := accounts.accounts(ctx, tx, sink); err != nil {
		return 0, err
	}
	keys := keyWalk{walk: s.walkAll(), sink: sink}
	return seq, keys.all(ctx, tx)
}

// onFeed reads on one connection, so that number and rows are of one server,
// also while another takes its place. It may read twice.
func (s *Store) onFeed(ctx context.Context, read func(*sql.Conn) error) error {
	return tryTwice(func() error {
		conn, err := s.feed.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		defer conn.Close()
		return read(conn)
	})
}

// tryTwice is for what may be done twice, on a connection that may have been
// lost unnoticed.
func tryTwice(do func() error) error {
	err := do()
	if errors.Is(err, store.ErrUnavailable) {
		err = do()
	}
	return err
}

// latest is what there is to follow.
type latest struct {
	seq      int64 // of the last change
	accounts int64 // of the last change of an account
}

// look reads what there is to follow and, in the same moment, the first keys.
// A node without a row, or with one of another incarnation, is fenced, and given
// no rows: its own calls believe what it has applied.
func (s *Store) look(ctx context.Context, q querier, n store.Node, keys *keyWalk) (now latest, err error) {
	query, args := keys.look(s.current())
	rows, err := q.QueryContext(ctx, query, append(args, n.ID, n.Epoch)...)
	if err != nil {
		return now, fmt.Errorf("look for changes: %w", err)
	}
	defer rows.Close()
	var member bool
	err = keys.put(rows, &now.seq, &now.accounts, &member)
	if err == nil && !member {
		err = store.ErrFenced
	}
	return now, err
}

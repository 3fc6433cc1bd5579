package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
)

// Follow implements [store.Deltas]. The number and the keys of a usual change
// are one statement, and so one moment; what is read after that is newer.
func (s *Store) Follow(ctx context.Context, n store.Node, sink store.DeltaSink) (seq int64, err error) {
	err = s.onFeed(ctx, func(conn *sql.Conn) error {
		keys := keyWalk{walk: s.walkChanges(n.Applied), sink: sink}
		now, err := look(ctx, conn, n, &keys)
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

// Snapshot implements [store.Deltas], page by page: no transaction is open for
// as long as it takes. The number is read first, so what changes meanwhile
// comes again.
func (s *Store) Snapshot(ctx context.Context, sink store.DeltaSink) (seq int64, err error) {
	err = s.onFeed(ctx, func(conn *sql.Conn) error {
		if err := conn.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
			return fmt.Errorf("read the clock: %w", err)
		}
		accounts := s.walkAll()
		if err := accounts.accounts(ctx, conn, sink); err != nil {
			return err
		}
		keys := keyWalk{walk: s.walkAll(), sink: sink}
		return keys.all(ctx, conn)
	})
	return seq, err
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
// A node without a row is fenced. Whether the row is of this incarnation is
// left to the ack and the renewal, without which the rows vouch for nothing.
func look(ctx context.Context, q querier, n store.Node, keys *keyWalk) (now latest, err error) {
	query, args := keys.look()
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

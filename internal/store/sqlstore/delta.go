package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
)

// Follow implements [store.ChangeFeed]. Its first statement reads the number of the last
// change and the first keys, as of one moment. The rows that later statements read can be
// newer than that number.
func (s *Store) Follow(ctx context.Context, n store.Node, sink store.DeltaSink) (seq int64, err error) {
	err = s.onFeed(ctx, func(conn *sql.Conn) error {
		keys := keyPager{pager: s.pageChanges(n.Applied), sink: sink}
		now, err := s.pollChanges(ctx, conn, n, &keys)
		if err != nil {
			return err
		}
		seq = now.seq
		if now.accounts > n.Applied {
			accounts := s.pageChanges(n.Applied)
			if err := accounts.accounts(ctx, conn, sink); err != nil {
				return err
			}
		}
		if now.operators > n.Applied {
			if err := s.streamOperatorKeys(ctx, conn, n.Applied, sink); err != nil {
				return err
			}
		}
		if keys.rows < usualRows {
			return nil
		}
		return keys.streamChanges(ctx, conn)
	})
	return seq, err
}

// Snapshot implements [store.ChangeFeed]. Its pages are of one moment: if rows in a
// node's index were newer than the node's number, it would not notice a database that
// lost their change.
func (s *Store) Snapshot(ctx context.Context, sink store.DeltaSink) (seq int64, err error) {
	tx, err := s.feed.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("begin a snapshot: %w", err)
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	accounts := s.pageAll()
	if err := accounts.accounts(ctx, tx, sink); err != nil {
		return 0, err
	}
	if err := s.streamOperatorKeys(ctx, tx, 0, sink); err != nil {
		return 0, err
	}
	if s.hasRowids {
		keys := rowidReader{keyPager: keyPager{pager: s.pageAll(), sink: sink}, q: tx}
		return seq, keys.streamTable(ctx)
	}
	keys := keyPager{pager: s.pageAll(), sink: sink}
	return seq, keys.streamAll(ctx, tx)
}

// onFeed calls read with one connection, so that the number and the rows are of one
// server even during a fail-over. It calls read twice if the connection was lost.
func (s *Store) onFeed(ctx context.Context, read func(*sql.Conn) error) error {
	return retryOnce(func() error {
		conn, err := s.feed.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		defer conn.Close()
		return read(conn)
	})
}

// retryOnce calls do a second time if the database was unavailable, because the first
// call can have used an idle connection that was lost.
func retryOnce(do func() error) error {
	err := do()
	if errors.Is(err, store.ErrUnavailable) {
		err = do()
	}
	return err
}

// latest holds the numbers of the last changes.
type latest struct {
	seq       int64 // of the last change
	accounts  int64 // of the last change of an account
	operators int64 // of the last change of an operator key
}

// pollChanges reads the newest numbers and, as of the same moment, the first keys. It
// returns ErrFenced and streams nothing if the node has no row of the current
// incarnation.
func (s *Store) pollChanges(ctx context.Context, q querier, n store.Node, keys *keyPager) (now latest, err error) {
	query, args := keys.firstQuery(s.currentIncarnation())
	rows, err := q.QueryContext(ctx, query, append(args, n.ID, n.Epoch)...)
	if err != nil {
		return now, fmt.Errorf("poll for changes: %w", err)
	}
	defer rows.Close()
	var member bool
	err = keys.put(rows, &now.seq, &now.accounts, &now.operators, &member)
	if err == nil && !member {
		err = store.ErrFenced
	}
	return now, err
}

package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// Register implements [store.Nodes]. It removes nobody: who is gone is found
// out by those who wait, not by a clock that somebody can set. The first to
// come after a fail-over or a restore gives the database another incarnation,
// which fences everybody who served the history before.
func (s *Store) Register(ctx context.Context, n store.Node) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		rename := `UPDATE cluster SET incarnation = $1, origin = ` + s.origin + ` WHERE origin <> ` + s.origin
		if _, err := tx.ExecContext(ctx, rename, rand.Text()); err != nil {
			return fmt.Errorf("look where the database comes from: %w", err)
		}
		insert := `INSERT INTO nodes (id, epoch, incarnation, version, applied, lease, keys, seen_at)
			SELECT $1, $2, incarnation, $3, $4, $5, $6, ` + s.now + ` FROM cluster`
		_, err := tx.ExecContext(ctx, insert, n.ID, n.Epoch, n.Version, n.Applied, n.Lease.Milliseconds(), n.Keys)
		if err != nil {
			return fmt.Errorf("register node: %w", err)
		}
		return nil
	})
}

// Snapshot implements [store.Deltas], by a read that holds up nobody.
func (s *Store) Snapshot(ctx context.Context, sink store.DeltaSink) (seq int64, err error) {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("begin snapshot: %w", err)
	}
	defer tx.Rollback()
	if seq, err = readClock(ctx, tx); err != nil {
		return 0, err
	}
	return seq, delta(ctx, tx, 0, sink)
}

// Renew implements [store.Deltas]. Clock, accounts and grants are read as of
// one moment, so a renewal falls wholly before or after each change: after,
// and it carries the change; before, and its lease, which counts from earlier
// still, ends within one lease of the change's commit. It takes no lock that a
// change waits for: a node that stops in the middle holds up nobody.
func (s *Store) Renew(ctx context.Context, n store.Node, sink store.DeltaSink) (seq int64, err error) {
	err = s.inTxAt(ctx, sql.LevelRepeatableRead, func(tx *sql.Tx) error {
		if seq, err = readClock(ctx, tx); err != nil {
			return err
		}
		if err := s.touch(ctx, tx, n); err != nil {
			return err
		}
		return delta(ctx, tx, n.Applied, sink)
	})
	return seq, err
}

// Follow implements [store.Deltas]. The number is read first: what the rows
// show beyond it comes once more with the next number. Each statement sees a
// moment of its own, and the rows of one key, which must change together, are
// one statement's.
func (s *Store) Follow(ctx context.Context, n store.Node, sink store.DeltaSink) (seq int64, err error) {
	conn, err := s.reads.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close()
	var accounts sql.NullInt64
	read := `SELECT seq, (SELECT max(seq) FROM accounts) FROM clock WHERE EXISTS (SELECT 1 FROM nodes WHERE id = $1 AND epoch = $2 AND ` + s.current() + `)`
	switch err := conn.QueryRowContext(ctx, read, n.ID, n.Epoch).Scan(&seq, &accounts); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, store.ErrFenced
	case err != nil:
		return 0, fmt.Errorf("read the clock: %w", err)
	case seq <= n.Applied:
		return seq, nil
	case accounts.Int64 <= n.Applied:
		return seq, grantDelta(ctx, conn, n.Applied, sink)
	default:
		return seq, delta(ctx, conn, n.Applied, sink)
	}
}

// current is true of a node's row of this incarnation of the database: another
// belongs to a node that served a history which is gone.
func (s *Store) current() string {
	return `incarnation = (SELECT incarnation FROM cluster WHERE origin = ` + s.origin + `)`
}

// Ack implements [store.Nodes].
func (s *Store) Ack(ctx context.Context, n store.Node) error {
	result, err := s.acks.ExecContext(ctx, `UPDATE nodes SET applied = $3, keys = $4
		WHERE id = $1 AND epoch = $2 AND `+s.current(), n.ID, n.Epoch, n.Applied, n.Keys)
	return matched(result, err, "say what the node knows")
}

// readClock returns the number of the last change that tx sees.
func readClock(ctx context.Context, tx *sql.Tx) (seq int64, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return seq, nil
}

// touch renews the node's row.
func (s *Store) touch(ctx context.Context, tx *sql.Tx, n store.Node) error {
	renew := `UPDATE nodes SET version = $3, applied = $4, lease = $5, keys = $6, beats = beats + 1, seen_at = ` + s.now + `
		WHERE id = $1 AND epoch = $2 AND ` + s.current()
	result, err := tx.ExecContext(ctx, renew, n.ID, n.Epoch, n.Version, n.Applied, n.Lease.Milliseconds(), n.Keys)
	return matched(result, err, "renew node")
}

// matched returns ErrFenced for an update of a node that found no row.
func matched(result sql.Result, err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	switch rows, err := result.RowsAffected(); {
	case err != nil:
		return fmt.Errorf("%s: %w", doing, err)
	case rows == 0:
		return store.ErrFenced
	default:
		return nil
	}
}

// ListNodes implements [store.Nodes].
func (s *Store) ListNodes(ctx context.Context) ([]store.Node, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT id, epoch, version, applied, lease, keys, seen_at, beats
		FROM nodes ORDER BY id, epoch`)
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (n store.Node, err error) {
		var lease int64
		err = rows.Scan(&n.ID, &n.Epoch, &n.Version, &n.Applied, &lease, &n.Keys, timeColumn{&n.SeenAt}, &n.Beats)
		n.Lease = time.Duration(lease) * time.Millisecond
		return n, err
	})
}

// Leave implements [store.Nodes]. Leaving twice is no error.
func (s *Store) Leave(ctx context.Context, n store.Node) error {
	return s.removeNode(ctx, `id = $1 AND epoch = $2`, n.ID, n.Epoch)
}

// Fence implements [store.Nodes]. A renewal on its way either counts first and
// keeps the row, or finds it gone and fails.
func (s *Store) Fence(ctx context.Context, n store.Node) error {
	return s.removeNode(ctx, `id = $1 AND epoch = $2 AND beats = $3`, n.ID, n.Epoch, n.Beats)
}

// removeNode is a transaction of its own. Whoever removes a row has made sure
// before that nothing is admitted under it.
func (s *Store) removeNode(ctx context.Context, where string, args ...any) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM nodes WHERE `+where, args...); err != nil {
			return fmt.Errorf("remove node: %w", err)
		}
		return nil
	})
}

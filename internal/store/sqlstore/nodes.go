package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// Register implements [store.Nodes]. It removes nobody: who is gone is found
// out by those who wait, not by a clock that somebody can set. The first to
// come after a fail-over or a restore gives the database another incarnation,
// which fences everybody who served the history before.
func (s *Store) Register(ctx context.Context, n store.Node) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
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

// Renew implements [store.Nodes]. It is one statement, and so falls wholly
// before or after each change: after, and its number takes the node to the
// change before it takes its lease; before, and that lease, which counts from
// earlier still, ends within one lease of the change's commit. It takes no lock
// that a change waits for: a node that stops in the middle holds up nobody.
func (s *Store) Renew(ctx context.Context, n store.Node) (seq int64, err error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close()
	renew := `UPDATE nodes SET version = $3, applied = CASE WHEN applied > $4 THEN applied ELSE $4 END, lease = $5, keys = $6, beats = beats + 1, seen_at = ` + s.now + `
		WHERE id = $1 AND epoch = $2 AND ` + s.current() + ` RETURNING (SELECT seq FROM clock)`
	rows, err := conn.QueryContext(ctx, renew, n.ID, n.Epoch, n.Version, n.Applied, n.Lease.Milliseconds(), n.Keys)
	if err != nil {
		return 0, fmt.Errorf("renew the node's row: %w", err)
	}
	renewed, err := collect(rows, func(rows *sql.Rows) (seq int64, err error) { return seq, rows.Scan(&seq) })
	switch {
	case err != nil:
		return 0, fmt.Errorf("renew the node's row: %w", err)
	case len(renewed) == 0:
		return 0, store.ErrFenced
	default:
		return renewed[0], dbconn.Confirm(conn)
	}
}

// current is true of a node's row of this incarnation of the database: another
// belongs to a node that served a history which is gone.
func (s *Store) current() string {
	return `incarnation = (SELECT incarnation FROM cluster WHERE origin = ` + s.origin + `)`
}

// Ack implements [store.ChangeFeed]. A process never forgets what it has applied: a
// smaller number is an older word, which was held up on its way.
func (s *Store) Ack(ctx context.Context, n store.Node) error {
	ack := `UPDATE nodes SET applied = CASE WHEN applied > $3 THEN applied ELSE $3 END, keys = $4 WHERE id = $1 AND epoch = $2 AND ` + s.current()
	return tryTwice(func() error {
		result, err := s.acks.ExecContext(ctx, ack, n.ID, n.Epoch, n.Applied, n.Keys)
		if err != nil {
			return fmt.Errorf("say what the node knows: %w", err)
		}
		switch rows, err := result.RowsAffected(); {
		case err != nil:
			return fmt.Errorf("say what the node knows: %w", err)
		case rows == 0:
			return store.ErrFenced
		default:
			return nil
		}
	})
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
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM nodes WHERE `+where, args...); err != nil {
			return fmt.Errorf("remove node: %w", err)
		}
		return nil
	})
}

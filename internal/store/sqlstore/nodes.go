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

// Register implements [store.Nodes]. It removes no other node: a change that waits for a
// node removes it when its lease has ended, without wall clocks. The first node that
// registers after a fail-over or a restore gives the database another incarnation, which
// fences all nodes of the history before.
func (s *Store) Register(ctx context.Context, n store.Node) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		rename := `UPDATE cluster SET incarnation = $1, origin = ` + s.origin + ` WHERE origin <> ` + s.origin
		if _, err := tx.ExecContext(ctx, rename, rand.Text()); err != nil {
			return fmt.Errorf("check the origin of the database: %w", err)
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

// Renew implements [store.Nodes]. It is one statement, so each change commits entirely
// before it or after it. If the change was first, the returned number includes it, and
// the node applies it before it uses the lease. If the renewal was first, the lease ends
// at most one lease duration after the commit of the change, because the duration counts
// from the sending of the renewal. Renew takes no lock that a change waits for.
func (s *Store) Renew(ctx context.Context, n store.Node) (seq int64, err error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close()
	renew := `UPDATE nodes SET version = $3, applied = CASE WHEN applied > $4 THEN applied ELSE $4 END, lease = $5, keys = $6, beats = beats + 1, seen_at = ` + s.now + `
		WHERE id = $1 AND epoch = $2 AND ` + s.currentIncarnation() + ` RETURNING (SELECT seq FROM clock)`
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

// currentIncarnation returns the condition that a node's row belongs to the current incarnation of
// the database.
func (s *Store) currentIncarnation() string {
	return `incarnation = (SELECT incarnation FROM cluster WHERE origin = ` + s.origin + `)`
}

// Ack implements [store.ChangeFeed]. It ignores a number that is less than the stored one,
// because that number is from a delayed message.
func (s *Store) Ack(ctx context.Context, n store.Node) error {
	ack := `UPDATE nodes SET applied = CASE WHEN applied > $3 THEN applied ELSE $3 END, keys = $4 WHERE id = $1 AND epoch = $2 AND ` + s.currentIncarnation()
	return retryOnce(func() error {
		result, err := s.acks.ExecContext(ctx, ack, n.ID, n.Epoch, n.Applied, n.Keys)
		if err != nil {
			return fmt.Errorf("acknowledge changes: %w", err)
		}
		switch rows, err := result.RowsAffected(); {
		case err != nil:
			return fmt.Errorf("acknowledge changes: %w", err)
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

// Leave implements [store.Nodes]. A missing row is no error.
func (s *Store) Leave(ctx context.Context, n store.Node) error {
	return s.removeNode(ctx, `id = $1 AND epoch = $2`, n.ID, n.Epoch)
}

// Fence implements [store.Nodes]. A concurrent renewal is either first, so that the row
// stays, or finds no row and fails.
func (s *Store) Fence(ctx context.Context, n store.Node) error {
	return s.removeNode(ctx, `id = $1 AND epoch = $2 AND beats = $3`, n.ID, n.Epoch, n.Beats)
}

// removeNode deletes a node's row. Its caller has made sure that the node admits no
// calls.
func (s *Store) removeNode(ctx context.Context, where string, args ...any) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM nodes WHERE `+where, args...); err != nil {
			return fmt.Errorf("remove node: %w", err)
		}
		return nil
	})
}

package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// ListAttempts implements [store.Attempts].
func (s *Store) ListAttempts(ctx context.Context, names []store.AttemptName) ([]store.AttemptCount, error) {
	var where []string
	var c conditions
	counts := make([]store.AttemptCount, len(names))
	for i, n := range names {
		counts[i].AttemptName = n
		where = append(where, "(scope = "+c.bind(n.Scope)+" AND name = "+c.bind(n.Digest[:])+")")
	}
	rows, err := s.reads.QueryContext(ctx, `SELECT scope, name, count, at FROM attempts WHERE `+strings.Join(where, " OR "), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	found, err := collect(rows, func(rows *sql.Rows) (a store.AttemptCount, err error) {
		return a, rows.Scan(&a.Scope, digestColumn{&a.Digest}, &a.Count, timeColumn{&a.At})
	})
	for _, a := range found {
		for i := range counts {
			if counts[i].AttemptName == a.AttemptName {
				counts[i] = a
			}
		}
	}
	return counts, err
}

// errSwapped means that another transaction changed a counter, so the current one is rolled back.
var errSwapped = errors.New("a counter has changed")

// SwapAttempts implements [store.Attempts]. It writes the rows in the same order as any other
// call, so that two calls cannot wait for each other.
func (s *Store) SwapAttempts(ctx context.Context, old, next []store.AttemptCount) (bool, error) {
	order := make([]int, len(old))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(old[i].Scope, old[j].Scope), bytes.Compare(old[i].Digest[:], old[j].Digest[:]))
	})
	err := s.inTx(ctx, func(tx *dbconn.Tx) error {
		for _, i := range order {
			if err := swapAttempt(ctx, tx, old[i], next[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errSwapped) {
		return false, nil
	}
	return err == nil, err
}

// swapAttempt replaces one counter. The error is errSwapped if it is no longer old.
func swapAttempt(ctx context.Context, tx *dbconn.Tx, old, next store.AttemptCount) error {
	var result sql.Result
	var err error
	switch {
	case old == next:
		return nil
	case old.Count == 0:
		result, err = tx.ExecContext(ctx, `INSERT INTO attempts (scope, name, count, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			next.Scope, next.Digest[:], next.Count, millis(next.At))
	case next.Count == 0:
		result, err = tx.ExecContext(ctx, `DELETE FROM attempts WHERE scope = $1 AND name = $2 AND count = $3 AND at = $4`,
			old.Scope, old.Digest[:], old.Count, millis(old.At))
	default:
		result, err = tx.ExecContext(ctx, `UPDATE attempts SET count = $5, at = $6 WHERE scope = $1 AND name = $2 AND count = $3 AND at = $4`,
			old.Scope, old.Digest[:], old.Count, millis(old.At), next.Count, millis(next.At))
	}
	if err != nil {
		return fmt.Errorf("count attempts: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 1 {
		return err
	}
	return errSwapped
}

// TrimAttempts implements [store.Attempts].
func (s *Store) TrimAttempts(ctx context.Context, before time.Time, keep int) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		const trim = `DELETE FROM attempts WHERE at < $1 OR at < (SELECT at FROM attempts ORDER BY at DESC LIMIT 1 OFFSET $2)`
		if _, err := tx.ExecContext(ctx, trim, millis(before), keep-1); err != nil {
			return fmt.Errorf("delete old attempts: %w", err)
		}
		return nil
	})
}

// ListBrowsers implements [store.Browsers].
func (s *Store) ListBrowsers(ctx context.Context, id toksta.Digest) ([]store.Browser, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT id, member_id, seen_at FROM browsers WHERE id = $1 ORDER BY member_id`, id[:])
	if err != nil {
		return nil, fmt.Errorf("read browsers: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (b store.Browser, err error) {
		return b, rows.Scan(digestColumn{&b.ID}, &b.MemberID, timeColumn{&b.SeenAt})
	})
}

// maxBrowsers bounds the browsers of one member.
const maxBrowsers = 50

// PutBrowser implements [store.Browsers].
func (s *Store) PutBrowser(ctx context.Context, b store.Browser, replaces toksta.Digest) (others int, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		if replaces != (toksta.Digest{}) {
			if _, err := tx.ExecContext(ctx, `UPDATE browsers SET id = $1 WHERE id = $2`, b.ID[:], replaces[:]); err != nil {
				return fmt.Errorf("replace the id of a browser: %w", err)
			}
		}
		put := `INSERT INTO browsers (id, member_id, seen_at) SELECT $1, members.id, $3` + s.ofPerson("$2") +
			` ON CONFLICT (id, member_id) DO UPDATE SET seen_at = excluded.seen_at`
		result, err := tx.ExecContext(ctx, put, b.ID[:], b.MemberID, millis(b.SeenAt))
		if err := oneRow("store a browser", result, err); err != nil {
			return err
		}
		const trim = `DELETE FROM browsers WHERE member_id = $1 AND id NOT IN
			(SELECT id FROM browsers WHERE member_id = $1 ORDER BY seen_at DESC, id LIMIT $2)`
		if _, err := tx.ExecContext(ctx, trim, b.MemberID, maxBrowsers); err != nil {
			return fmt.Errorf("delete old browsers: %w", err)
		}
		const count = `SELECT count(*) FROM browsers WHERE member_id = $1 AND id <> $2`
		return rowError(tx.QueryRowContext(ctx, count, b.MemberID, b.ID[:]).Scan(&others), "the browsers of a member")
	})
	return others, err
}

// DeleteBrowsers implements [store.Browsers]. An empty set deletes nothing.
func (s *Store) DeleteBrowsers(ctx context.Context, set store.BrowserSet) error {
	where, args := `WHERE seen_at < $1`, []any{millis(set.Before)}
	switch {
	case set.Member != "" && set.ID != toksta.Digest{}:
		where, args = `WHERE member_id = $1 AND id = $2`, []any{set.Member, set.ID[:]}
	case set.Member != "":
		where, args = `WHERE member_id = $1 AND id <> $2`, []any{set.Member, set.Keep[:]}
	case set.Before.IsZero():
		return nil
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM browsers `+where, args...); err != nil {
			return fmt.Errorf("delete browsers: %w", err)
		}
		return nil
	})
}

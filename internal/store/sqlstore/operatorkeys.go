package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// selectOperatorKeys and joinOperatorSecrets enclose a WHERE clause that selects operator
// keys. The query returns one row for each generation.
const (
	selectOperatorKeys = `SELECT k.id, k.name, k.roles, k.networks, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.seq, k.used_at, k.used_address,
		s.digest, s.number, s.first, s.last, s.created_at, s.revoked_at FROM (SELECT * FROM operator_keys`
	joinOperatorSecrets = `) k JOIN operator_secrets s ON s.key_id = k.id ORDER BY k.id, s.number`
)

// OperatorKey implements [store.OperatorKeys].
func (r reader) OperatorKey(ctx context.Context, id toksta.OperatorKeyID) (toksta.OperatorKey, error) {
	return one(r.operatorKeys(ctx, ` WHERE id = $1`, id))
}

// ListOperatorKeys implements [store.OperatorKeys].
func (r reader) ListOperatorKeys(ctx context.Context, q store.OperatorKeyQuery) ([]toksta.OperatorKey, error) {
	where := ` WHERE id > $1`
	if !q.Revoked {
		where += ` AND revoked_at = 0`
	}
	return r.operatorKeys(ctx, where+` ORDER BY id LIMIT $2`, q.Page.After, limit(q.Page.Limit))
}

// CountLiveOperatorKeys implements [store.OperatorKeys].
func (r reader) CountLiveOperatorKeys(ctx context.Context, now time.Time) (n int, err error) {
	const count = `SELECT count(*) FROM operator_keys WHERE revoked_at = 0 AND (expires_at = 0 OR expires_at > $1)`
	return n, rowError(r.q.QueryRowContext(ctx, count, millis(now)).Scan(&n), "the number of operator keys")
}

// operatorKeys reads the operator keys that match a WHERE clause, with their generations.
func (r reader) operatorKeys(ctx context.Context, where string, args ...any) (out []toksta.OperatorKey, err error) {
	rows, err := r.q.QueryContext(ctx, selectOperatorKeys+where+joinOperatorSecrets, args...)
	if err != nil {
		return nil, fmt.Errorf("read operator keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		k, err := scanOperatorKey(rows)
		if err != nil {
			return nil, err
		}
		if last := len(out) - 1; last >= 0 && out[last].ID == k.ID {
			out[last].Generations = append(out[last].Generations, k.Generations...)
			continue
		}
		out = append(out, k)
	}
	return out, rows.Err()
}

// scanOperatorKey reads an operator key with one generation. Every key has at least one:
// both are written in one change and never deleted.
func scanOperatorKey(rows *sql.Rows) (k toksta.OperatorKey, err error) {
	var g toksta.Generation
	err = rows.Scan(&k.ID, &k.Name, jsonColumn{&k.Roles}, jsonColumn{&k.Networks}, timeColumn{&k.CreatedAt}, &k.CreatedBy,
		timeColumn{&k.ExpiresAt}, timeColumn{&k.RevokedAt}, &k.Seq, timeColumn{&k.LastUse.At}, &k.LastUse.Address,
		digestColumn{&g.Digest}, &g.Number, &g.Start, &g.End, timeColumn{&g.CreatedAt}, timeColumn{&g.RevokedAt})
	if err != nil {
		return k, fmt.Errorf("read an operator key: %w", err)
	}
	k.Generations = []toksta.Generation{g}
	return k, nil
}

// streamOperatorKeys streams the grants of all operator keys that a change after the given
// number touched. The pages are in the order of ids, which never change, so a key that
// changes between two pages is read in a later page or by the next call.
func (s *Store) streamOperatorKeys(ctx context.Context, q querier, after int64, sink store.DeltaSink) error {
	r, last := reader{q: q}, toksta.OperatorKeyID("")
	for {
		keys, err := r.operatorKeys(ctx, ` WHERE seq > $1 AND id > $2 ORDER BY id LIMIT $3`, after, last, s.page)
		if err != nil {
			return err
		}
		for _, k := range keys {
			for i, g := range k.Grants() {
				sink.PutOperatorGrant(k.Generations[i].Digest, g)
			}
			last = k.ID
		}
		if len(keys) < s.page {
			return nil
		}
	}
}

// TouchOperatorKeys implements [store.OperatorUses]. It writes the rows in the order of ids,
// so that two nodes cannot wait for each other.
func (s *Store) TouchOperatorKeys(ctx context.Context, uses map[toksta.OperatorKeyID]toksta.OperatorUse) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(uses)) {
			const touch = `UPDATE operator_keys SET used_at = $2, used_address = $3 WHERE id = $1 AND used_at < $2`
			if err := tx.Queue(ctx, touch, id, millis(uses[id].At), uses[id].Address); err != nil {
				return fmt.Errorf("record the last use of operator keys: %w", err)
			}
		}
		return nil
	})
}

// operatorSecretRow is a row of the table operator_secrets.
type operatorSecretRow struct {
	key toksta.OperatorKeyID
	*toksta.Generation
}

// writeOperatorKeys writes operator keys, stamped with the number of the change, and their
// generations.
func (s *Store) writeOperatorKeys(ctx context.Context, tx *dbconn.Tx, seq int64, keys []toksta.OperatorKey) error {
	if err := s.operatorKeyRows(seq).queue(ctx, tx, keys); err != nil {
		return err
	}
	var secrets []operatorSecretRow
	for _, k := range keys {
		for i := range k.Generations {
			secrets = append(secrets, operatorSecretRow{k.ID, &k.Generations[i]})
		}
	}
	return s.operatorSecretRows().queue(ctx, tx, secrets)
}

// operatorKeyRows describes how operator keys are written. An update leaves the last use
// unchanged.
func (s *Store) operatorKeyRows(seq int64) upsert[toksta.OperatorKey] {
	return upsert[toksta.OperatorKey]{
		table:    "operator_keys",
		conflict: []string{"id"},
		chunk:    s.chunk,
		columns:  []string{"id", "name", "roles", "networks", "created_at", "created_by", "expires_at", "revoked_at", "seq"},
		args: func(k toksta.OperatorKey) ([]any, error) {
			roles, err := jsonText(k.Roles)
			if err != nil {
				return nil, err
			}
			networks := ""
			if len(k.Networks) > 0 {
				networks, err = jsonText(k.Networks)
			}
			return []any{
				k.ID, k.Name, roles, networks, millis(k.CreatedAt), k.CreatedBy, millis(k.ExpiresAt), millis(k.RevokedAt), seq,
			}, err
		},
	}
}

// operatorSecretRows describes how generations are written, as secretRows does: a digest
// that belongs to another key fails the transaction.
func (s *Store) operatorSecretRows() upsert[operatorSecretRow] {
	return upsert[operatorSecretRow]{
		table:     "operator_secrets",
		conflict:  []string{"key_id", "number"},
		chunk:     s.chunk,
		skipEqual: true,
		columns:   []string{"digest", "key_id", "number", "first", "last", "created_at", "revoked_at"},
		args: func(r operatorSecretRow) ([]any, error) {
			return []any{
				r.Digest[:], r.key, r.Number, r.Start, r.End, millis(r.CreatedAt), millis(r.RevokedAt),
			}, nil
		},
	}
}

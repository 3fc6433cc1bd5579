package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// selectKeys and joinSecrets enclose a WHERE clause that selects keys. The query returns
// one row for each generation.
const (
	selectKeys = `SELECT k.id, k.account_id, k.name, k.limits, k.created_at, k.created_by, k.created_by_id,
		k.expires_at, k.revoked_at, k.seq, k.external_id, k.metadata, s.digest, s.number, s.first, s.last, s.created_at, s.revoked_at
		FROM (SELECT * FROM keys`
	joinSecrets = `) k JOIN secrets s ON s.key_id = k.id ORDER BY k.id, s.number`
)

// lookups is the number of digests, ids or spans that one statement looks up.
const lookups = 100

// Key implements [store.Keys].
func (r reader) Key(ctx context.Context, account toksta.AccountID, id toksta.KeyID) (toksta.Key, error) {
	var c conditions
	c.and("id =", id)
	if account != "" {
		c.and("account_id =", account)
	}
	return one(r.keys(ctx, c.text.String(), c.args))
}

// ListKeys implements [store.Keys]. The limit applies before generations are joined: it
// counts keys, not secrets.
func (r reader) ListKeys(ctx context.Context, q store.KeyQuery) ([]toksta.Key, error) {
	var c conditions
	c.and("id >", q.Page.After)
	if q.Account != "" {
		c.and("account_id =", q.Account)
	}
	if !q.Revoked {
		c.text.WriteString(" AND revoked_at = 0") // as in the condition of the index keys_current
	}
	c.text.WriteString(" ORDER BY id LIMIT " + c.bind(limit(q.Page.Limit)))
	return r.keys(ctx, c.text.String(), c.args)
}

// keys reads the keys that match a WHERE clause, with their generations.
func (r reader) keys(ctx context.Context, where string, args []any) ([]toksta.Key, error) {
	rows, err := r.q.QueryContext(ctx, selectKeys+where+joinSecrets, args...)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	defer rows.Close()
	var out []toksta.Key
	for rows.Next() {
		k, err := scanKey(rows)
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

// scanKey reads a key with one generation. Every key has at least one generation: both
// are written in one change and never deleted.
func scanKey(rows *sql.Rows) (k toksta.Key, err error) {
	var g toksta.Generation
	var limits limitsJSON
	err = rows.Scan(&k.ID, &k.AccountID, &k.Name, jsonColumn{&limits}, timeColumn{&k.CreatedAt}, &k.CreatedBy, &k.CreatedByID,
		timeColumn{&k.ExpiresAt}, timeColumn{&k.RevokedAt}, &k.Seq,
		textColumn{&k.ExternalID}, jsonColumn{&k.Metadata},
		digestColumn{&g.Digest}, &g.Number, &g.Start, &g.End, timeColumn{&g.CreatedAt}, timeColumn{&g.RevokedAt})
	if err != nil {
		return k, fmt.Errorf("read a key: %w", err)
	}
	k.Limits = toksta.Limits(limits)
	k.Generations = []toksta.Generation{g}
	return k, nil
}

// CountLiveKeys implements [store.Keys]. As for [toksta.Key.State], a key has expired
// from the millisecond of its expiry on.
func (r reader) CountLiveKeys(ctx context.Context, account toksta.AccountID, now time.Time) (n int, err error) {
	const count = `SELECT count(*) FROM keys
		WHERE account_id = $1 AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $2)`
	return n, rowError(r.q.QueryRowContext(ctx, count, account, millis(now)).Scan(&n), "the number of keys")
}

// KeyUses implements [store.KeyUses].
func (r reader) KeyUses(ctx context.Context, account toksta.AccountID, ids []toksta.KeyID) ([]store.KeyUse, error) {
	if len(ids) == 0 {
		var c conditions
		c.and("k.account_id =", account)
		c.text.WriteString(" AND k.revoked_at = 0") // as in the condition of the index keys_current
		return r.keyUses(ctx, &c)
	}
	var out []store.KeyUse
	for part := range slices.Chunk(ids, lookups) {
		var c conditions
		c.and("k.account_id =", account)
		list := make([]string, len(part))
		for i, id := range part {
			list[i] = c.bind(id)
		}
		c.text.WriteString(" AND k.id IN (" + strings.Join(list, ", ") + ")")
		uses, err := r.keyUses(ctx, &c)
		if err != nil {
			return nil, err
		}
		out = append(out, uses...)
	}
	return out, nil
}

// keyUses reads the keys that c selects, with their last uses.
func (r reader) keyUses(ctx context.Context, c *conditions) ([]store.KeyUse, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT k.id, k.name, k.expires_at, k.revoked_at, u.at
		FROM keys k LEFT JOIN last_uses u ON u.key_id = k.id`+c.text.String(), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read keys and their uses: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (k store.KeyUse, err error) {
		return k, rows.Scan(&k.ID, &k.Name, timeColumn{&k.ExpiresAt}, timeColumn{&k.RevokedAt}, timeColumn{&k.LastUse})
	})
}

// KeysByDigest implements [store.Keys]. It also finds revoked generations, because a
// digest must never be reused for another key.
func (r reader) KeysByDigest(ctx context.Context, digests []toksta.Digest) (map[toksta.Digest]toksta.KeyID, error) {
	known := make(map[toksta.Digest]toksta.KeyID)
	for part := range slices.Chunk(digests, lookups) {
		if err := r.keysByDigest(ctx, part, known); err != nil {
			return nil, fmt.Errorf("find keys by digest: %w", err)
		}
	}
	return known, nil
}

// keysByDigest adds the keys of up to lookups digests to known.
func (r reader) keysByDigest(ctx context.Context, digests []toksta.Digest, known map[toksta.Digest]toksta.KeyID) error {
	args := make([]any, len(digests))
	for i := range digests {
		args[i] = digests[i][:]
	}
	rows, err := r.q.QueryContext(ctx, `SELECT digest, key_id FROM secrets WHERE digest IN `+tuples(1, len(args)), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var d toksta.Digest
		var id toksta.KeyID
		if err := rows.Scan(digestColumn{&d}, &id); err != nil {
			return err
		}
		known[d] = id
	}
	return rows.Err()
}

// ResolveKeys implements [store.Keys].
func (r reader) ResolveKeys(ctx context.Context, refs []toksta.KeyID) (map[toksta.KeyID]toksta.KeyID, error) {
	return resolve(ctx, r.q, "keys", refs)
}

// secretRow is a row of the secrets table: the digest of one generation of a key.
type secretRow struct {
	key toksta.KeyID
	*toksta.Generation
}

// writeKeys writes keys, stamped with the number of the change, and their generations.
func (s *Store) writeKeys(ctx context.Context, tx *dbconn.Tx, seq int64, keys []toksta.Key) error {
	if err := s.keyRows(seq).queue(ctx, tx, keys); err != nil {
		return err
	}
	secrets := make([]secretRow, 0, len(keys))
	for _, k := range keys {
		for i := range k.Generations {
			secrets = append(secrets, secretRow{k.ID, &k.Generations[i]})
		}
	}
	return s.secretRows().queue(ctx, tx, secrets)
}

// keyRows describes how keys are written: every row gets the number of the change, which
// stays the first number of a new key.
func (s *Store) keyRows(seq int64) upsert[toksta.Key] {
	return upsert[toksta.Key]{
		table:      "keys",
		conflict:   []string{"id"},
		chunk:      s.chunk,
		insertOnly: []string{"first_seq"},
		columns: []string{
			"id", "account_id", "name", "limits", "created_at", "created_by", "created_by_id", "expires_at", "revoked_at", "seq", "first_seq",
			"external_id", "metadata",
		},
		args: func(k toksta.Key) ([]any, error) {
			limits, err := limitsText(k.Limits)
			if err != nil {
				return nil, err
			}
			metadata, err := metadataText(k.Metadata)
			return []any{
				k.ID, k.AccountID, k.Name, limits, millis(k.CreatedAt), k.CreatedBy, k.CreatedByID,
				millis(k.ExpiresAt), millis(k.RevokedAt), seq, seq,
				nullText(k.ExternalID), metadata,
			}, err
		},
	}
}

// secretRows describes how generations are written: a row with the same key_id and number
// is updated if it differs; a digest that belongs to another key fails the transaction.
func (s *Store) secretRows() upsert[secretRow] {
	return upsert[secretRow]{
		table:     "secrets",
		conflict:  []string{"key_id", "number"},
		chunk:     s.chunk,
		skipEqual: true,
		columns:   []string{"digest", "key_id", "number", "first", "last", "created_at", "revoked_at"},
		args: func(r secretRow) ([]any, error) {
			return []any{
				r.Digest[:], r.key, r.Number, r.Start, r.End, millis(r.CreatedAt), millis(r.RevokedAt),
			}, nil
		},
	}
}

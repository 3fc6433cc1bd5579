package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// delta streams the state of everything touched after seq: accounts first,
// since a grant without its account admits nothing.
func delta(ctx context.Context, q querier, after int64, sink store.DeltaSink) error {
	if err := accountDelta(ctx, q, after, sink); err != nil {
		return err
	}
	return grantDelta(ctx, q, after, sink)
}

// accountDelta walks the index of numbers: an order by anything else would
// read the whole table at every heartbeat.
func accountDelta(ctx context.Context, q querier, after int64, sink store.DeltaSink) error {
	where, args := touched("seq", after)
	rows, err := q.QueryContext(ctx, `SELECT `+accountColumns+` FROM accounts`+where+` ORDER BY seq, id`, args...)
	if err != nil {
		return fmt.Errorf("follow accounts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return err
		}
		sink.PutAccount(a)
	}
	return rows.Err()
}

// grantDelta streams generations row by row; nothing of a row outlives it but
// the strings that the sink keeps.
func grantDelta(ctx context.Context, q querier, after int64, sink store.DeltaSink) error {
	where, args := touched("k.seq", after)
	rows, err := q.QueryContext(ctx, `SELECT k.account_id, k.id, k.limits, k.expires_at, k.revoked_at,
		s.digest, s.number, s.revoked_at
		FROM keys k JOIN secrets s ON s.key_id = k.id`+where+` ORDER BY k.seq, k.id, s.number`, args...)
	if err != nil {
		return fmt.Errorf("follow keys: %w", err)
	}
	defer rows.Close()
	var (
		r      grantRow
		shared = sharing{limits: make(map[string]*toksta.Limits)}
	)
	fields := []any{
		&r.account, &r.key, &r.limits, &r.expires, &r.revoked, digestColumn{&r.digest}, &r.number, &r.secretRevoked,
	}
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("follow keys: %w", err)
		}
		grant, err := shared.grant(&r)
		if err != nil {
			return err
		}
		sink.PutGrant(r.digest, shared.account, grant)
	}
	return rows.Err()
}

// touched selects the rows that changed after a number. The upper bound says
// nothing but that there are few: with the lower one alone, PostgreSQL takes a
// third of the table for granted and reads all of it.
func touched(column string, after int64) (where string, args []any) {
	if after == 0 {
		return "", nil
	}
	return ` WHERE ` + column + ` > $1 AND ` + column + ` <= $2`, []any{after, int64(math.MaxInt64)}
}

// grantRow is one generation as the delta reads it.
type grantRow struct {
	account, key, limits            string
	expires, revoked, secretRevoked int64
	digest                          toksta.Digest
	number                          int32
}

// sharing lets equal rows of a delta share memory: a million keys mostly have
// few different limits, and a node keeps what it is given.
type sharing struct {
	account toksta.AccountID // of the last row
	key     toksta.KeyID
	limits  map[string]*toksta.Limits // by their stored text
}

// grant hands out strings that rows of the same account or key share; the
// scanned ones would each be a copy.
func (s *sharing) grant(r *grantRow) (toksta.Grant, error) {
	if string(s.account) != r.account {
		s.account = toksta.AccountID(r.account)
	}
	if string(s.key) != r.key {
		s.key = toksta.KeyID(r.key)
	}
	limits, err := s.limit(r.limits)
	return toksta.Grant{
		KeyID: s.key, Limits: limits, ExpiresAt: r.expires / 1000, Generation: r.number,
		Revoked: r.revoked != 0 || r.secretRevoked != 0,
	}, err
}

// limit decodes each different text once.
func (s *sharing) limit(text string) (*toksta.Limits, error) {
	if text == "" {
		return nil, nil
	}
	if l, ok := s.limits[text]; ok {
		return l, nil
	}
	var decoded limitsJSON
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	l := toksta.Limits(decoded)
	s.limits[text] = &l
	return &l, nil
}

package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// searchScan is the largest number of rows that one page of a search reads. A search reads one
// index in the order of its pages and checks the other conditions of the rows that it finds, so
// a page costs no more in a large table than in a small one.
const searchScan = 1000

// folded is the expression by which names are indexed: A to Z in lower case, ordered by bytes,
// as text.FoldName.
const folded = `lower(CAST(name AS IDTEXT))`

// position is the place of a row in a search: after all smaller ids or, in a search by name,
// after all smaller folded names and equal ones with a smaller id.
type position struct{ id, name string }

// cursor returns the cursor of the page after the position. Ids have no spaces.
func (p position) cursor() string {
	if p.name == "" {
		return p.id
	}
	return p.id + " " + p.name
}

// search selects rows by one condition, for which there is an index that has them in the order
// of ids, or by the start of their names.
type search struct {
	table string
	id    string // column of the id
	where string // condition; "": none
	args  []any  // of where
	name  string // the folded start of names, in place of where; "": none
	after string // cursor
}

// positions returns up to searchScan positions after the cursor.
func (s search) positions(ctx context.Context, q querier) ([]position, error) {
	id, name, _ := strings.Cut(s.after, " ")
	if s.name == "" {
		where := s.id + " > $" + strconv.Itoa(len(s.args)+1)
		if s.where != "" {
			where = s.where + " AND " + where
		}
		return s.read(ctx, q, `, '' FROM `+s.table+` WHERE `+where+` ORDER BY `+s.id, append(s.args, id)...)
	}
	// Two queries, because no index serves a condition with OR.
	var out []position
	first, start := `>=`, s.name
	if name != "" {
		first, start = `>`, name
		var err error
		out, err = s.read(ctx, q, `, `+folded+` FROM `+s.table+` WHERE `+folded+` = $1 AND id > $2 ORDER BY id`, name, id)
		if err != nil || len(out) == searchScan {
			return out, err
		}
	}
	// A name that starts with s.name is less than s.name with the last character of Unicode.
	more, err := s.read(ctx, q, `, `+folded+` FROM `+s.table+` WHERE `+folded+` `+first+` $1 AND `+folded+` < $2 ORDER BY `+folded+`, id`,
		start, s.name+"\U0010FFFF")
	out = append(out, more...)
	return out[:min(len(out), searchScan)], err
}

func (s search) read(ctx context.Context, q querier, query string, args ...any) ([]position, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+s.id+query+` LIMIT `+strconv.Itoa(searchScan), args...)
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", s.table, err)
	}
	return collect(rows, func(rows *sql.Rows) (p position, err error) { return p, rows.Scan(&p.id, &p.name) })
}

// page reads the rows at positions.
type page[T any] struct {
	limit int
	read  func(ids []any) ([]T, error)
	id    func(T) string
	meets func(T) bool // all conditions of the search
}

// at returns up to p.limit rows that meet all conditions, in the order of positions.
func (p page[T]) at(positions []position) (out store.Found[T], err error) {
	if len(positions) == searchScan {
		out.Next = positions[searchScan-1].cursor()
	}
	positions = slices.CompactFunc(positions, func(a, b position) bool { return a.id == b.id })
	for len(positions) > 0 {
		part := positions[:min(len(positions), p.limit)]
		ids := make([]any, len(part))
		for i, position := range part {
			ids[i] = position.id
		}
		rows, err := p.read(ids)
		if err != nil {
			return out, err
		}
		byID := make(map[string]T, len(rows))
		for _, row := range rows {
			byID[p.id(row)] = row
		}
		for i, position := range part {
			row, found := byID[position.id]
			if !found || !p.meets(row) {
				continue
			}
			out.Rows = append(out.Rows, row)
			if len(out.Rows) == p.limit {
				if i+1 < len(positions) {
					out.Next = position.cursor()
				}
				return out, nil
			}
		}
		positions = positions[len(part):]
	}
	return out, nil
}

// FindAccounts implements [store.Search].
func (r reader) FindAccounts(ctx context.Context, q store.AccountSearch) (store.Found[toksta.Account], error) {
	q.Name = text.FoldName(q.Name)
	s := search{table: "accounts", id: "id", after: q.Page.After}
	switch {
	case q.Email != "":
		m, err := r.MemberByEmail(ctx, q.Email)
		if errors.Is(err, store.ErrNotFound) {
			return store.Found[toksta.Account]{}, nil
		}
		if err != nil {
			return store.Found[toksta.Account]{}, err
		}
		s.where, s.args = `id IN (SELECT account_id FROM memberships WHERE member_id = $1 AND removed_at = 0)`, []any{m.ID}
	case q.ExternalID != "":
		s.where, s.args = `external_id = $1`, []any{q.ExternalID}
	case q.Name != "":
		s.name = q.Name
	case q.Plan != "" && q.Status != "":
		s.where, s.args = `plan = $1 AND status = $2`, []any{q.Plan, q.Status}
	case q.Plan != "":
		s.where, s.args = `plan = $1`, []any{q.Plan}
	case q.Status != "":
		s.where, s.args = `status = $1`, []any{q.Status}
	}
	positions, err := s.positions(ctx, r.q)
	if err != nil {
		return store.Found[toksta.Account]{}, err
	}
	return page[toksta.Account]{
		limit: limit(q.Page.Limit),
		read: func(ids []any) ([]toksta.Account, error) {
			return r.accounts(ctx, `WHERE id IN `+tuples(1, len(ids)), ids...)
		},
		id: func(a toksta.Account) string { return string(a.ID) },
		meets: func(a toksta.Account) bool {
			return (q.ExternalID == "" || a.ExternalID == q.ExternalID) && strings.HasPrefix(text.FoldName(a.Name), q.Name) &&
				(q.Plan == "" || a.Plan == q.Plan) && (q.Status == "" || a.Status == q.Status)
		},
	}.at(positions)
}

// FindKeys implements [store.Search].
func (r reader) FindKeys(ctx context.Context, q store.KeySearch) (store.Found[toksta.Key], error) {
	q.Name = text.FoldName(q.Name)
	positions, err := keySearch(q).positions(ctx, r.q)
	if err != nil {
		return store.Found[toksta.Key]{}, err
	}
	return page[toksta.Key]{
		limit: limit(q.Page.Limit),
		read: func(ids []any) ([]toksta.Key, error) {
			return r.keys(ctx, ` WHERE id IN `+tuples(1, len(ids)), ids)
		},
		id:    func(k toksta.Key) string { return string(k.ID) },
		meets: func(k toksta.Key) bool { return meetsKeySearch(k, q) },
	}.at(positions)
}

// keySearch returns the search by the most selective condition of q. The conditions on
// revoked_at and expires_at are those of partial indexes.
func keySearch(q store.KeySearch) search {
	s := search{table: "keys", id: "id", after: q.Page.After}
	switch {
	case q.ExternalID != "":
		s.where, s.args = `external_id = $1`, []any{q.ExternalID}
	case q.End != "":
		s.table, s.id, s.where, s.args = "secrets", "key_id", `last = $1`, []any{q.End}
	case q.Account != "":
		s.where, s.args = `account_id = $1`, []any{q.Account}
	case q.Start != "":
		s.table, s.id, s.where, s.args = "secrets", "key_id", `first = $1`, []any{q.Start}
	case q.Name != "":
		s.name = q.Name
	case q.State == toksta.KeyRevoked:
		s.where = `revoked_at > 0`
	case q.State == toksta.KeyExpired:
		s.where = `revoked_at = 0 AND expires_at > 0`
	case q.State == toksta.KeyLive || !q.Revoked:
		s.where = `revoked_at = 0`
	}
	return s
}

// meetsKeySearch reports whether a key meets all conditions of q, whose name is folded. Start
// and End must be those of one secret.
func meetsKeySearch(k toksta.Key, q store.KeySearch) bool {
	switch {
	case q.Account != "" && k.AccountID != q.Account, q.ExternalID != "" && k.ExternalID != q.ExternalID:
		return false
	case q.State != "" && k.State(q.Now) != q.State, q.State == "" && !q.Revoked && !k.RevokedAt.IsZero():
		return false
	}
	return strings.HasPrefix(text.FoldName(k.Name), q.Name) && slices.ContainsFunc(k.Generations, func(g toksta.Generation) bool {
		return (q.Start == "" || g.Start == q.Start) && (q.End == "" || g.End == q.End)
	})
}

package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/toksta/toksta/internal/store"
)

// usualRows is how many keys of a change are read together with its number. Like
// the length of a page it is written out in the statement: PostgreSQL, which
// plans without knowing how little has changed, would read whole tables for it.
const usualRows = 16

// walk goes through a table page by page, each a statement. What changes
// between them gets a later number: by changes it is met once more.
type walk struct {
	limit   int   // rows of a page
	changes bool  // goes by changes, else by ids
	seq     int64 // of the row that the next page comes after, as is its id
	id      string
	rows    int // of the last page
}

// walkAll goes through everything.
func (s *Store) walkAll() walk { return walk{limit: s.page} }

// walkChanges goes through what was touched after a change.
func (s *Store) walkChanges(after int64) walk {
	return walk{limit: s.page, changes: true, seq: after + 1}
}

// page is the query of the next rows, and its arguments.
func (w *walk) page(table string, rows int) (query string, args []any) {
	where, args := `id > $1`, []any{w.id}
	if w.changes {
		where, args = `(seq, id) > ($1, $2)`, []any{w.seq, w.id}
	}
	return `SELECT * FROM ` + table + ` WHERE ` + where + ` ORDER BY ` + w.order() + ` LIMIT ` + strconv.Itoa(rows), args
}

// order is that of the rows. What joins them sorts once more, or the last row
// would not be where the next page begins.
func (w *walk) order() string {
	if w.changes {
		return `seq, id`
	}
	return `id`
}

// accounts streams accounts.
func (w *walk) accounts(ctx context.Context, q querier, sink store.DeltaSink) error {
	for w.rows = w.limit; w.rows == w.limit; {
		page, args := w.page("accounts", w.limit)
		rows, err := q.QueryContext(ctx, `SELECT `+accountColumns+` FROM (`+page+`) a ORDER BY `+w.order(), args...)
		if err != nil {
			return fmt.Errorf("follow accounts: %w", err)
		}
		if err := w.putAccounts(rows, sink); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) putAccounts(rows *sql.Rows, sink store.DeltaSink) error {
	defer rows.Close()
	for w.rows = 0; rows.Next(); w.rows++ {
		a, err := scanAccount(rows)
		if err != nil {
			return err
		}
		sink.PutAccount(a)
		w.seq, w.id = a.Seq, string(a.ID)
	}
	return rows.Err()
}

// keyWalk streams keys, each with all its generations. Nothing of a row
// outlives it but the strings that the sink keeps.
type keyWalk struct {
	walk
	sink   store.DeltaSink
	shared sharing
}

// look is the query of what there is to follow, and of the first keys, for a
// node whose row is current. Two more arguments are its id and epoch.
func (w *keyWalk) look(current string) (query string, args []any) {
	page, args := w.page("keys", usualRows)
	return `SELECT now.seq, now.accounts, now.member, ` + keyColumns + `, ` + secretColumns + `
		FROM (SELECT (SELECT seq FROM clock) AS seq, (SELECT COALESCE(max(seq), 0) FROM accounts) AS accounts,
			EXISTS (SELECT 1 FROM nodes WHERE id = $3 AND epoch = $4 AND ` + current + `) AS member) now
		LEFT JOIN (` + page + `) k ON now.member
		LEFT JOIN secrets s ON s.key_id = k.id ORDER BY k.seq, k.id`, args
}

// next is the query of the next page of changes.
func (w *keyWalk) next() (query string, args []any) {
	page, args := w.page("keys", w.limit)
	return `SELECT ` + keyColumns + `, ` + secretColumns + ` FROM (` + page + `) k
		JOIN secrets s ON s.key_id = k.id ORDER BY ` + w.order(), args
}

// rest streams the changes that are left.
func (w *keyWalk) rest(ctx context.Context, q querier) error {
	for w.rows = w.limit; w.rows == w.limit; {
		query, args := w.next()
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("follow keys: %w", err)
		}
		if err := w.put(rows); err != nil {
			return err
		}
	}
	return nil
}

// put streams rows of a key and a generation, which stand behind the columns of
// before, and closes them.
func (w *keyWalk) put(rows *sql.Rows, before ...any) error {
	defer rows.Close()
	var r grantRow
	fields := slices.Concat(before, r.key(), r.secret())
	for w.rows = 0; rows.Next(); {
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("follow keys: %w", err)
		}
		if r.id == "" {
			continue // an outer join that found nothing
		}
		if r.id != w.id {
			w.rows++
		}
		w.seq, w.id = r.seq, r.id
		if err := w.grant(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (w *keyWalk) grant(r *grantRow) error {
	grant, err := w.shared.grant(r)
	if err == nil {
		w.sink.PutGrant(r.digest, w.shared.account, grant)
	}
	return err
}

// all streams everything. Two ranges that are read in order, of keys and of
// their generations, take the database half the time of a join.
func (w *keyWalk) all(ctx context.Context, q querier) error {
	page := make([]grantRow, 0, w.limit)
	for w.rows = w.limit; w.rows == w.limit; {
		after := w.id
		query, args := w.page("keys", w.limit)
		rows, err := q.QueryContext(ctx, `SELECT `+keyColumns+` FROM (`+query+`) k ORDER BY id`, args...)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		if page, err = w.keys(rows, page[:0]); err != nil {
			return err
		}
		rows, err = q.QueryContext(ctx, generations, after, w.id)
		if err != nil {
			return fmt.Errorf("read secrets: %w", err)
		}
		if err := w.secrets(rows, page); err != nil {
			return err
		}
	}
	return nil
}

// generations is the query of those of a range of keys.
const generations = `SELECT s.key_id, ` + secretColumns + ` FROM secrets s
	WHERE s.key_id > $1 AND s.key_id <= $2 ORDER BY s.key_id`

// keys reads a page of keys.
func (w *keyWalk) keys(rows *sql.Rows, page []grantRow) ([]grantRow, error) {
	defer rows.Close()
	var r grantRow
	fields := r.key()
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		page = append(page, r)
		w.id = r.id
	}
	w.rows = len(page)
	return page, rows.Err()
}

// secrets streams the generations of a page, which come in the order of its
// keys.
func (w *keyWalk) secrets(rows *sql.Rows, page []grantRow) error {
	defer rows.Close()
	var id string
	var s grantRow
	fields := slices.Concat([]any{&id}, s.secret())
	for at := 0; rows.Next(); {
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("read secrets: %w", err)
		}
		for at < len(page) && page[at].id < id {
			at++
		}
		if at == len(page) || page[at].id != id {
			continue
		}
		r := page[at]
		r.digest, r.number, r.secretRevoked = s.digest, s.number, s.secretRevoked
		if err := w.grant(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

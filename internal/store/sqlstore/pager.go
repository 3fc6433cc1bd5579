package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// usualRows is the number of changed keys that are read together with the number of the
// last change, in one round trip. Like the length of a page it is a constant in the
// statement: with a parameter, PostgreSQL would plan for many rows and read whole tables.
const usualRows = 16

// pager reads a table page by page, with one statement for each page. If it reads in the
// order of changes, a row that changes between two pages is read twice.
type pager struct {
	limit    int    // rows of a page
	byChange bool   // in the order of changes, otherwise of ids
	seq      int64  // of the last row: the next page starts after it
	id       string // of the last row
	rows     int    // of the last page
}

// pageAll returns a pager for a whole table.
func (s *Store) pageAll() pager { return pager{limit: s.page} }

// pageChanges returns a pager for the rows that were touched after a change.
func (s *Store) pageChanges(after int64) pager {
	return pager{limit: s.page, byChange: true, seq: after + 1}
}

// page returns the query of the next rows of table, and its arguments.
func (p *pager) page(table string, rows int) (query string, args []any) {
	where, args := `id > $1`, []any{p.id}
	if p.byChange {
		where, args = `(seq, id) > ($1, $2)`, []any{p.seq, p.id}
	}
	return `SELECT * FROM ` + table + ` WHERE ` + where + ` ORDER BY ` + p.order() + ` LIMIT ` + strconv.Itoa(rows), args
}

// order returns the ORDER BY list of a page. A query that joins a page with another table
// must sort again, because the next page starts after the last row that was read.
func (p *pager) order() string {
	if p.byChange {
		return `seq, id`
	}
	return `id`
}

// accounts streams the remaining pages of accounts into sink.
func (p *pager) accounts(ctx context.Context, q querier, sink store.DeltaSink) error {
	for p.rows = p.limit; p.rows == p.limit; {
		page, args := p.page("accounts", p.limit)
		rows, err := q.QueryContext(ctx, `SELECT `+accountColumns+` FROM (`+page+`) a ORDER BY `+p.order(), args...)
		if err != nil {
			return fmt.Errorf("follow accounts: %w", err)
		}
		if err := p.putAccounts(rows, sink); err != nil {
			return err
		}
	}
	return nil
}

func (p *pager) putAccounts(rows *sql.Rows, sink store.DeltaSink) error {
	defer rows.Close()
	for p.rows = 0; rows.Next(); p.rows++ {
		var a toksta.Account
		if err := scanAccount(rows, &a); err != nil {
			return err
		}
		sink.PutAccount(a)
		p.seq, p.id = a.Seq, string(a.ID)
	}
	return rows.Err()
}

// keyPager streams keys, each with all its generations.
type keyPager struct {
	pager
	sink   store.DeltaSink
	shared sharing
}

// firstQuery returns the query of the newest numbers (see latest) and the first keys. Its
// column member tells whether the node has a row that fulfills the condition current;
// otherwise the query returns no keys. The caller appends the node's id and epoch to args.
func (p *keyPager) firstQuery(current string) (query string, args []any) {
	page, args := p.page("keys", usualRows)
	return `SELECT now.seq, now.accounts, now.operators, now.member, ` + keyColumns + `, ` + secretColumns + `
		FROM (SELECT (SELECT seq FROM clock) AS seq, (SELECT COALESCE(max(seq), 0) FROM accounts) AS accounts,
			(SELECT COALESCE(max(seq), 0) FROM operator_keys) AS operators,
			EXISTS (SELECT 1 FROM nodes WHERE id = $3 AND epoch = $4 AND ` + current + `) AS member) now
		LEFT JOIN (` + page + `) k ON now.member
		LEFT JOIN secrets s ON s.key_id = k.id ORDER BY k.seq, k.id`, args
}

// nextQuery returns the query of the next page of changes.
func (p *keyPager) nextQuery() (query string, args []any) {
	page, args := p.page("keys", p.limit)
	return `SELECT ` + keyColumns + `, ` + secretColumns + ` FROM (` + page + `) k
		JOIN secrets s ON s.key_id = k.id ORDER BY ` + p.order(), args
}

// streamChanges streams the remaining changes.
func (p *keyPager) streamChanges(ctx context.Context, q querier) error {
	for p.rows = p.limit; p.rows == p.limit; {
		query, args := p.nextQuery()
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("follow keys: %w", err)
		}
		if err := p.put(rows); err != nil {
			return err
		}
	}
	return nil
}

// put passes rows to the sink and closes them. Each row has a key and one of its
// generations, so a key with n generations has n adjacent rows. p.rows counts the keys,
// because a page is limited in keys; the next page starts at p.seq and p.id. The columns
// that stand before those of the key are scanned into before.
func (p *keyPager) put(rows *sql.Rows, before ...any) error {
	defer rows.Close()
	var r grantRow
	fields := slices.Concat(before, r.key(), r.secret())
	for p.rows = 0; rows.Next(); {
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("follow keys: %w", err)
		}
		if r.id == "" {
			continue // an outer join that found nothing
		}
		if r.id != p.id {
			p.rows++
		}
		p.seq, p.id = r.seq, r.id
		if err := p.grant(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *keyPager) grant(r *grantRow) error {
	grant, err := p.shared.grant(r)
	if err == nil {
		p.sink.PutGrant(r.digest, p.shared.account, grant)
	}
	return err
}

// streamAll streams all keys. It reads a page of keys and then their generations, which
// takes the database half the time of a join.
func (p *keyPager) streamAll(ctx context.Context, q querier) error {
	page := make([]grantRow, 0, p.limit)
	for p.rows = p.limit; p.rows == p.limit; {
		after := p.id
		query, args := p.page("keys", p.limit)
		rows, err := q.QueryContext(ctx, `SELECT `+keyColumns+` FROM (`+query+`) k ORDER BY id`, args...)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		if page, err = p.keys(rows, page[:0]); err != nil {
			return err
		}
		rows, err = q.QueryContext(ctx, selectGenerations, after, p.id)
		if err != nil {
			return fmt.Errorf("read secrets: %w", err)
		}
		if err := p.secrets(rows, page); err != nil {
			return err
		}
	}
	return nil
}

// selectGenerations reads the secrets' digests of the keys with $1 < id <= $2.
const selectGenerations = `SELECT s.key_id, ` + secretColumns + ` FROM secrets s
	WHERE s.key_id > $1 AND s.key_id <= $2 ORDER BY s.key_id`

// keys reads a page of keys.
func (p *keyPager) keys(rows *sql.Rows, page []grantRow) ([]grantRow, error) {
	defer rows.Close()
	var r grantRow
	fields := r.key()
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		page = append(page, r)
		p.id = r.id
	}
	p.rows = len(page)
	return page, rows.Err()
}

// secrets streams the grants of a page of keys. rows has their generations, in the order
// of the keys.
func (p *keyPager) secrets(rows *sql.Rows, page []grantRow) error {
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
		if err := p.grant(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

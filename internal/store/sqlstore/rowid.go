package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/sdk/toksta"
)

// rowidReader streams all keys of a SQLite database in the order of rowids, the order of
// insertion. In the order of ids, each row of an index would require a search in the
// table. A key and its first generation are inserted in one transaction, so a page of keys
// and a page of first generations usually correspond row by row. Other pages and later
// generations are joined.
//
// The query of a page returns aggregates of whole columns, because the driver needs
// longer to pass on one value than SQLite needs to read one row.
type rowidReader struct {
	keyPager
	q      querier
	key    int64 // rowid of the last key
	secret int64 // rowid of the last generation
}

// lines returns the aggregate of a column with one value a line.
func lines(column string) string { return `COALESCE(group_concat(` + column + `, char(10)), '')` }

// digits returns the aggregate of one digit for each row: 0 if the column is 0, otherwise 1.
func digits(column string) string {
	return `COALESCE(group_concat(CASE ` + column + ` WHEN 0 THEN '0' ELSE '1' END, ''), '')`
}

// keyPage returns the query of the keys with rowid > $1, at most $2.
func keyPage() string {
	return `SELECT COALESCE(max(at), 0), ` + lines(`id`) + `, ` + lines(`account_id`) + `, ` + lines(`limits`) + `,
		` + lines(`CASE expires_at WHEN 0 THEN '' ELSE expires_at END`) + `, ` + digits(`revoked_at`) + `
		FROM (SELECT rowid AS at, id, account_id, limits, expires_at, revoked_at FROM keys WHERE rowid > $1 ORDER BY rowid LIMIT $2)`
}

// firstPage returns the query of the first generations with rowid > $1, at most $2.
func firstPage() string {
	return `SELECT COALESCE(max(at), 0), ` + lines(`key_id`) + `, COALESCE(group_concat(digest, ''), ''), ` + digits(`revoked_at`) + `
		FROM (SELECT rowid AS at, key_id, digest, revoked_at FROM secrets WHERE rowid > $1 AND number = 1 ORDER BY rowid LIMIT $2)`
}

// streamTable streams the first generations of all keys, then the later ones. While it reads a page,
// another goroutine passes on the page before: both take about the same time.
func (r *rowidReader) streamTable(ctx context.Context) error {
	var put errgroup.Group
	defer put.Wait()
	for {
		var k keyTexts
		var s firstTexts
		if err := r.q.QueryRowContext(ctx, keyPage(), r.key, r.limit).Scan(&r.key, &k.id, &k.account, &k.limits, &k.expires, &k.revoked); err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		after := r.secret
		if err := r.q.QueryRowContext(ctx, firstPage(), after, r.limit).Scan(&r.secret, &s.key, &s.digest, &s.revoked); err != nil {
			return fmt.Errorf("read secrets: %w", err)
		}
		err := put.Wait()
		switch {
		case err != nil:
			return err
		case r.secret == 0:
			return r.join(ctx, `s.number <> 1`)
		case k.matches(s):
			put.Go(func() error { return r.putPage(k, s) })
		default:
			if err = r.join(ctx, `s.number = 1 AND s.rowid > $1 AND s.rowid <= $2`, after, r.secret); err == nil {
				err = r.align(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

// keyTexts holds the columns of a page of keys, firstTexts those of a page of
// generations, in the same order of rows.
type (
	keyTexts   struct{ id, account, limits, expires, revoked string }
	firstTexts struct {
		key     string
		digest  []byte
		revoked string
	}
)

// matches reports whether the pages correspond row by row and can be split into rows.
func (k keyTexts) matches(s firstTexts) bool {
	n := len(s.revoked)
	for _, column := range []string{k.id, k.account, k.limits, k.expires} {
		if strings.Count(column, "\n") != n-1 {
			return false
		}
	}
	return k.id == s.key && len(k.revoked) == n && len(s.digest) == n*len(toksta.Digest{})
}

// putPage streams a page of keys and their first generations. The strings of the grants
// share the memory of the page.
func (r *rowidReader) putPage(k keyTexts, s firstTexts) error {
	row := grantRow{number: 1}
	for i := range len(s.revoked) {
		row.id, k.id, _ = strings.Cut(k.id, "\n")
		row.account, k.account, _ = strings.Cut(k.account, "\n")
		row.limits, k.limits, _ = strings.Cut(k.limits, "\n")
		var expires string
		expires, k.expires, _ = strings.Cut(k.expires, "\n")
		row.expires = 0
		if expires != "" {
			var err error
			if row.expires, err = strconv.ParseInt(expires, 10, 64); err != nil {
				return fmt.Errorf("read the expiry of key %s: %w", row.id, err)
			}
		}
		row.revoked, row.secretRevoked = int64(k.revoked[i]-'0'), int64(s.revoked[i]-'0')
		row.digest = toksta.Digest(s.digest[i*len(row.digest):][:len(row.digest)])
		if err := r.grant(&row); err != nil {
			return err
		}
	}
	return nil
}

// join streams the generations that fulfill a condition, each with its key.
func (r *rowidReader) join(ctx context.Context, condition string, args ...any) error {
	// CROSS JOIN: SQLite reads secrets first, in the order of the table.
	rows, err := r.q.QueryContext(ctx, `SELECT `+keyColumns+`, `+secretColumns+`
		FROM secrets s CROSS JOIN keys k ON k.id = s.key_id WHERE `+condition, args...)
	if err != nil {
		return fmt.Errorf("read keys and secrets: %w", err)
	}
	defer rows.Close()
	var row grantRow
	fields := slices.Concat(row.key(), row.secret())
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("read keys and secrets: %w", err)
		}
		if err := r.grant(&row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// align continues after the key of the last generation, so that the next pages correspond
// again.
func (r *rowidReader) align(ctx context.Context) error {
	const of = `SELECT k.rowid FROM secrets s JOIN keys k ON k.id = s.key_id WHERE s.rowid = $1`
	if err := r.q.QueryRowContext(ctx, of, r.secret).Scan(&r.key); err != nil {
		return fmt.Errorf("find the key of the last secret: %w", err)
	}
	return nil
}

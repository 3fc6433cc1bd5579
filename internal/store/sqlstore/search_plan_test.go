package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// explained records the plans of the queries that it runs.
type explained struct {
	*sql.DB
	prefix string
	plans  map[string]string
}

// QueryContext explains the query and then runs it.
func (e explained) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := e.DB.QueryContext(ctx, e.prefix+query, args...)
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	lines, err := collect(rows, func(rows *sql.Rows) (string, error) {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		err := rows.Scan(values...)
		return fmt.Sprint(*values[len(values)-1].(*any)), err
	})
	if err != nil {
		return nil, err
	}
	e.plans[query] = strings.Join(lines, "\n")
	return e.DB.QueryContext(ctx, query, args...)
}

// searches are one search for each index.
func searches() map[string]search {
	out := map[string]search{
		"accounts_name":        {table: "accounts", id: "id", name: "acme", after: "acct_1 acme"},
		"accounts_plan":        {table: "accounts", id: "id", where: `plan = $1`, args: []any{"P"}},
		"accounts_status":      {table: "accounts", id: "id", where: `status = $1`, args: []any{"s"}},
		"accounts_plan_status": {table: "accounts", id: "id", where: `plan = $1 AND status = $2`, args: []any{"P", "s"}},
		"accounts_external":    {table: "accounts", id: "id", where: `external_id = $1`, args: []any{"x"}},
	}
	for name, q := range map[string]store.KeySearch{
		"keys_name": {Name: "k", Page: store.Page{After: "key_1 k"}}, "keys_external": {ExternalID: "x"}, "keys_account": {Account: "acct_1"},
		"keys_revoked": {State: toksta.KeyRevoked}, "keys_expiring": {State: toksta.KeyExpired}, "keys_unrevoked": {State: toksta.KeyLive},
		"secrets_first": {Start: "a"}, "secrets_last": {End: "a"},
	} {
		out[name] = keySearch(q)
	}
	return out
}

// TestSearchReadsIndexes: a page of a search must read an index in its order. Reading or
// sorting a whole table of a million keys takes seconds, for each page.
func TestSearchReadsIndexes(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s, err := Open(t.Context(), Config{URL: t.TempDir() + "/toksta.db"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for index, search := range searches() {
			q := explained{s.reads, "EXPLAIN QUERY PLAN ", map[string]string{}}
			if _, err := search.positions(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			for query, plan := range q.plans {
				if !strings.Contains(plan, index+" ") || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s\n%s", query, plan)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := pgtest.Start(t)
		s, err := Open(t.Context(), Config{URL: server.NewDatabase(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, fill := range []string{
			`INSERT INTO accounts SELECT 'acct_' || i, 'Acme ' || i, 'P', 's' || i % 9, 0, '', 0, '', 0, i FROM generate_series(1, 20000) i`,
			`INSERT INTO keys SELECT 'key_' || i, 'acct_' || (i % 20000 + 1), 'key ' || i, '', 0, '', i % 3, CASE i % 5 WHEN 0 THEN 1 ELSE 0 END, 20000 FROM generate_series(1, 50000) i`,
			`INSERT INTO secrets SELECT decode(md5(i::text) || md5((-i)::text), 'hex'), 'key_' || i, 1, 'a', 'a', 0, 0 FROM generate_series(1, 50000) i`,
			`ANALYZE`,
		} {
			server.Exec(t, "test1", fill)
		}
		for _, search := range searches() {
			q := explained{s.reads, "EXPLAIN ", map[string]string{}}
			if _, err := search.positions(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			for query, plan := range q.plans {
				if strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "Index") {
					t.Errorf("%s\n%s", query, plan)
				}
			}
		}
	})
}

package sqlstore

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// TestFollowReadsNoWholeTable: the queries by which nodes follow must use indexes, also
// without statistics, as after an import or a copy. Reading a whole table takes a hundred
// milliseconds instead of one, for each change on each node.
func TestFollowReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url := server.NewDatabase(t)
	s, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, fill := range []string{
		`INSERT INTO accounts SELECT 'acct_' || i, 'Acme', '', '', 0, '', 0, '', 0, i FROM generate_series(1, 20000) i`,
		`INSERT INTO keys SELECT 'key_' || i, 'acct_' || (i % 20000 + 1), '', '', 0, '', 0, 0, 20000 + i / 10000 FROM generate_series(1, 50000) i`,
		`INSERT INTO secrets SELECT decode(md5(i::text) || md5((-i)::text), 'hex'), 'key_' || i, 1, '', '', 0, 0 FROM generate_series(1, 50000) i`,
	} {
		server.Exec(t, "test1", fill)
	}
	all, changes, usual := keyPager{pager: s.pageAll()}, keyPager{pager: s.pageChanges(20_003)}, keyPager{pager: s.pageChanges(20_003)}
	first, firstArgs := usual.firstQuery(s.currentIncarnation())
	next, nextArgs := changes.nextQuery()
	page, pageArgs := all.page("keys", s.page)
	accounts, accountArgs := changes.page("accounts", s.page)
	for _, statistics := range []string{"", "ANALYZE"} {
		server.Exec(t, "test1", statistics)
		for _, q := range []struct {
			name, text string
			args       []any
		}{
			{"a usual change", first, append(firstArgs, "a", "1")},
			{"many changes", next, nextArgs},
			{"a snapshot's keys", page, pageArgs},
			{"a snapshot's secrets", selectGenerations, []any{"key_1", "key_2"}},
			{"accounts", accounts, accountArgs},
		} {
			plan := plan(t, s, q.text, q.args)
			if whole := regexp.MustCompile(`Seq Scan on (keys|secrets|accounts)`).FindString(plan); whole != "" {
				t.Errorf("%s after %q: %s\n%s", q.name, statistics, whole, plan)
			}
			if !strings.Contains(plan, "Index") {
				t.Errorf("%s: no plan of a table:\n%s", q.name, plan)
			}
		}
	}
}

// plan returns the query plan on the connection of the feed.
func plan(t *testing.T, s *Store, query string, args []any) string {
	t.Helper()
	conn, err := s.feed.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var literals []string
	for _, a := range args {
		literals = append(literals, fmt.Sprintf("'%v'", a))
	}
	if _, err := conn.ExecContext(t.Context(), "PREPARE followed AS "+query); err != nil {
		t.Fatal(err)
	}
	defer conn.ExecContext(t.Context(), "DEALLOCATE followed")
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN EXECUTE followed ("+strings.Join(literals, ", ")+")")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

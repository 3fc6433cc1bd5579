package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// A table fits the terminal: the widest texts are shortened, and ids and secrets never are.
func TestFit(t *testing.T) {
	t.Parallel()
	rows := func() table {
		return table{header: []string{"id", "name", "secret", "scopes"}, rows: [][]string{
			{"key_01M857YSDJWMWN1AN6VYG9EYCG", strings.Repeat("é", 60), "tk_live_a1b2…9f0e", "data,job"},
			{"key_01M857YSDJWMWN1AN6VYG9EYCH", "short", "tk_live_a1b2…9f0e", ""},
		}}
	}
	wide := rows()
	wide.fit(200)
	if diff := cmp.Diff(rows().rows, wide.rows); diff != "" {
		t.Errorf("a wide terminal: %s", diff)
	}
	for _, width := range []int{90, 80, 73} {
		narrow := rows()
		narrow.fit(width)
		if narrow.rows[0][0] != rows().rows[0][0] || narrow.rows[0][2] != rows().rows[0][2] || narrow.rows[1][1] != "short" {
			t.Errorf("%d: %q", width, narrow.rows)
		}
		name := narrow.rows[0][1]
		want := width - (30 + 2 + 17 + 2 + 8 + 2)
		if n := utf8.RuneCountInString(name); n != want || !strings.HasSuffix(name, "é…") {
			t.Errorf("%d: a name of %d characters, want %d: %q", width, n, want, name)
		}
	}
	if narrow := rows(); narrow.fit(60) != 71 || narrow.rows[0][1] != rows().rows[0][1] {
		t.Errorf("too narrow: %q", narrow.rows)
	}
	few := rows()
	few.drop(3)
	if few.fit(61) != 61 || len(few.header) != 3 || len(few.rows[1]) != 3 {
		t.Errorf("without a column: %q", few)
	}
}

// For scripts, -o name prints ids alone: of a list, of the fields of one thing, or the first
// column.
func TestIDs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		t    table
		want []string
	}{
		{table{header: []string{"name", "id"}, rows: [][]string{{"a", "1"}, {"b", "2"}}}, []string{"1", "2"}},
		{table{header: []string{"seq", "at"}, rows: [][]string{{"7", "now"}}}, []string{"7"}},
		{table{header: []string{"field", "value"}, rows: [][]string{{"name", "a"}, {"id", "1"}}}, []string{"1"}},
		{table{rows: [][]string{{"secret"}}}, []string{"secret"}},
		{table{header: []string{"id"}}, nil},
	} {
		if diff := cmp.Diff(test.want, test.t.ids()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

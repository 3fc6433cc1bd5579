package keys_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

func row(secret string) keys.ImportRow {
	return keys.ImportRow{Digest: sum(secret), Account: "acct_1", Name: secret}
}

// An invalid row must not prevent the import of the others, a repeated batch must
// change nothing, and a dry run must return the same results as the import.
func TestImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	existing := w.create(t, "existing")
	bad, far, odd, long, none := row("bad"), row("far"), row("odd"), row("long"), row("none")
	bad.Name, far.Account, odd.Scopes, long.Start, none.Digest = " ", "acct_9", []toksta.Family{"nope"}, "12345", toksta.Digest{}
	exists := row("x")
	exists.Digest = existing.Key.Current().Digest
	lapsed := row("workspace")
	lapsed.Scopes = []toksta.Family{"workspace"} // not of the plan, which the import does not check
	lapsed.ExpiresAt, lapsed.CreatedAt, lapsed.Start, lapsed.End = new(w.now.Add(time.Hour)), new(w.now.Add(-time.Hour)), "a1b2", "9f0e"
	req := keys.ImportRequest{Rows: []keys.ImportRow{row("one"), bad, far, odd, long, none, row("one"), exists, lapsed}, Token: "batch-1"}

	states := func(out keys.Imported) (got []keys.ImportState) {
		for _, r := range out.Results {
			got = append(got, r.State)
		}
		return got
	}
	want := []keys.ImportState{"imported", "invalid", "invalid", "invalid", "invalid", "invalid", "invalid", "exists", "imported"}
	req.DryRun = true
	before := len(w.changes(t))
	dry, err := w.Import(t.Context(), operator, req)
	if diff := cmp.Diff(want, states(dry)); err != nil || diff != "" || len(w.changes(t)) != before {
		t.Fatalf("dry run: %v, %d changes\n%s", err, len(w.changes(t))-before, diff)
	}
	req.DryRun = false
	out, err := w.Import(t.Context(), operator, req)
	if diff := cmp.Diff(want, states(out)); err != nil || diff != "" || len(w.changes(t)) != before+1 {
		t.Fatalf("run: %v, %d changes\n%s", err, len(w.changes(t))-before, diff)
	}
	k, err := w.Get(t.Context(), "acct_1", out.Results[8].Key)
	if err != nil || k.Current().Start != "a1b2" || k.Current().End != "9f0e" || !k.CreatedAt.Equal(*lapsed.CreatedAt) ||
		!k.ExpiresAt.Equal(*lapsed.ExpiresAt) || k.CreatedBy != "operator" || len(k.Limits.Scopes) != 1 {
		t.Errorf("imported %+v, %v", k, err)
	}
	// The export of another system may contain digests without names.
	anonymous := row("anonymous")
	anonymous.Name = ""
	named, err := w.Import(t.Context(), operator, keys.ImportRequest{Rows: []keys.ImportRow{anonymous}})
	if err != nil || named.Counts[keys.RowImported] != 1 {
		t.Fatalf("a row without a name: %+v, %v", named, err)
	}
	if k, err := w.Get(t.Context(), "acct_1", named.Results[0].Key); err != nil || k.Name != "Imported key" {
		t.Errorf("a row without a name is called %q, %v", k.Name, err)
	}
	before++
	for _, token := range []string{"batch-1", ""} {
		req.Token = token
		again, err := w.Import(t.Context(), operator, req)
		if err != nil || again.Counts[keys.RowImported] != 0 || again.Counts[keys.RowExists] != 3 || len(w.changes(t)) != before+1 {
			t.Errorf("again with token %q: %v, %v, %d changes", token, again.Counts, err, len(w.changes(t))-before)
		}
	}
	// A row that the first request did not import is imported, and not only reported.
	others := keys.ImportRequest{Rows: []keys.ImportRow{row("one"), row("another")}, Token: "batch-1"}
	for _, want := range []map[keys.ImportState]int{{keys.RowExists: 1, keys.RowImported: 1}, {keys.RowExists: 2}} {
		if got, err := w.Import(t.Context(), operator, others); err != nil || !maps.Equal(got.Counts, want) {
			t.Errorf("another row with a used token: %v, %v; want %v", got.Counts, err, want)
		}
	}
}

// One change must revoke exactly the selected keys: a selection without a
// condition is rejected, a key must meet all conditions, and the digest of an
// earlier secret does not revoke the current one.
func TestRevokeMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var made []keys.Created
	for i := range 6 {
		made = append(made, w.create(t, fmt.Sprint(i)))
		w.now = w.now.Add(time.Minute)
	}
	other, err := w.Import(t.Context(), operator, keys.ImportRequest{Rows: []keys.ImportRow{row("imported")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(made[5])}); err != nil {
		t.Fatal(err)
	}
	digest := func(i int) toksta.Digest { return made[i].Key.Current().Digest }
	for _, c := range []struct {
		name      string
		selection keys.Selection
		want      []toksta.KeyID
	}{
		{"old secret", keys.Selection{Digests: []toksta.Digest{digest(5)}}, nil},
		{"ids and age", keys.Selection{IDs: []toksta.KeyID{made[0].Key.ID, made[3].Key.ID}, CreatedBefore: &made[2].Key.CreatedAt}, []toksta.KeyID{made[0].Key.ID}},
		{"ids again", keys.Selection{IDs: []toksta.KeyID{made[0].Key.ID}}, nil},
		{"digests twice", keys.Selection{Digests: []toksta.Digest{digest(1), digest(1), sum("?")}, SkipUnknown: true}, []toksta.KeyID{made[1].Key.ID}},
		{"age", keys.Selection{Account: "acct_1", CreatedBefore: &made[3].Key.CreatedAt}, []toksta.KeyID{made[2].Key.ID}},
		{"creator", keys.Selection{CreatedBy: "operator"}, []toksta.KeyID{other.Results[0].Key}},
		{"account", keys.Selection{Account: "acct_1"}, []toksta.KeyID{made[3].Key.ID, made[4].Key.ID, made[5].Key.ID}},
		{"again", keys.Selection{Account: "acct_1"}, nil},
	} {
		before := len(w.changes(t))
		for _, dry := range []bool{true, false} {
			out, err := w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{Selection: c.selection, DryRun: dry})
			var got []toksta.KeyID
			for _, k := range out.Keys {
				got = append(got, k.ID)
				if stored, err := w.Get(t.Context(), "", k.ID); err != nil || stored.RevokedAt.IsZero() != dry {
					t.Errorf("%s, dry %v: %s revoked at %v, %v", c.name, dry, k.ID, stored.RevokedAt, err)
				}
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%s, dry %v: %v (-want +got)\n%s", c.name, dry, err, diff)
			}
		}
		if wrote := len(w.changes(t)) - before; wrote > 1 || (wrote == 1) != (len(c.want) > 0) {
			t.Errorf("%s: %d changes", c.name, wrote)
		}
	}
	_, err = w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{Selection: keys.Selection{Account: "acct_1", CreatedBefore: &time.Time{}}})
	wantError(t, err, toksta.CodeValidation, "not a valid time")
	_, err = w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{})
	wantError(t, err, toksta.CodeValidation, "which keys")
}

// Extreme times of other systems, such as the minimum and maximum of .NET, are
// kept, or their row is rejected. None is read as "never", and none makes a list
// that cannot be encoded.
func TestImportTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var rows []keys.ImportRow
	add := func(created, expires *time.Time) {
		r := row(fmt.Sprint("secret ", len(rows)))
		r.CreatedAt, r.ExpiresAt = created, expires
		rows = append(rows, r)
	}
	add(nil, parseTime("9999-12-31T23:59:59.9999999-05:00"))
	add(parseTime("0000-01-01T00:00:00+12:00"), nil)
	add(nil, parseTime("0001-01-01T00:00:00Z"))
	add(nil, parseTime("1970-01-01T00:00:00Z"))
	add(parseTime("1969-07-20T20:17:40Z"), parseTime("9999-12-31T23:59:59.9999999Z"))
	out, err := w.Import(t.Context(), operator, keys.ImportRequest{Rows: rows})
	if err != nil || out.Counts[keys.RowInvalid] != 3 || out.Counts[keys.RowImported] != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := out.Results[1].Reason; !strings.HasPrefix(got, "created_at: ") {
		t.Errorf("the reason %q does not name its field", got)
	}
	all, err := w.store.ListKeys(t.Context(), store.KeyQuery{Account: "acct_1"})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d keys, %v", len(all), err)
	}
	if _, err := json.Marshal(all); err != nil {
		t.Error(err)
	}
	old, first := all[0], all[1]
	if old.CreatedAt.Year() != 1969 || old.State(w.now) != toksta.KeyLive {
		t.Errorf("of 1969: %+v", old)
	}
	if first.State(w.now) != toksta.KeyExpired {
		t.Errorf("expired in 1970: %+v", first)
	}
}

// BenchmarkImport measures the rate of imported keys in batches of 5,000 over 100
// accounts.
func BenchmarkImport(b *testing.B) {
	w := newWorld(b)
	for i := range 100 {
		a := w.account
		a.ID = toksta.AccountID(fmt.Sprint("acct_", i))
		w.put(b, a)
	}
	var n int
	for b.Loop() {
		rows := make([]keys.ImportRow, 5000)
		for i := range rows {
			rows[i] = row(fmt.Sprint("secret ", n))
			rows[i].Account = toksta.AccountID(fmt.Sprint("acct_", n%100))
			n++
		}
		if _, err := w.Import(b.Context(), operator, keys.ImportRequest{Rows: rows}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "keys/s")
}

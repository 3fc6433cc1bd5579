package keys_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
)

func row(secret string) keys.ImportRow {
	return keys.ImportRow{Digest: sum(secret), Account: "acct_1", Name: secret}
}

// A bad row must not stop the good ones, a batch sent again must change
// nothing, and a dry run must say the same as the run.
func TestImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	was := w.create(t, "was here")
	bad, far, odd, long, none := row("bad"), row("far"), row("odd"), row("long"), row("none")
	bad.Name, far.Account, odd.Scopes, long.Start, none.Digest = "", "acct_9", []toksta.Family{"nope"}, "12345", toksta.Digest{}
	exists := row("x")
	exists.Digest = was.Key.Current().Digest
	lapsed := row("workspace")
	lapsed.Scopes = []toksta.Family{"workspace"} // not of the plan: the operator's word counts
	lapsed.ExpiresAt, lapsed.CreatedAt, lapsed.Start, lapsed.End = w.now.Add(time.Hour), w.now.Add(-time.Hour), "a1b2", "9f0e"
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
	if err != nil || k.Current().Start != "a1b2" || k.Current().End != "9f0e" || !k.CreatedAt.Equal(lapsed.CreatedAt) ||
		!k.ExpiresAt.Equal(lapsed.ExpiresAt) || k.CreatedBy != "operator" || len(k.Limits.Scopes) != 1 {
		t.Errorf("imported %+v, %v", k, err)
	}
	for _, token := range []string{"batch-1", ""} {
		req.Token = token
		again, err := w.Import(t.Context(), operator, req)
		if err != nil || again.Counts[keys.RowImported] != 0 || again.Counts[keys.RowExists] != 3 || len(w.changes(t)) != before+1 {
			t.Errorf("again with token %q: %v, %v, %d changes", token, again.Counts, err, len(w.changes(t))-before)
		}
	}
}

// One change must revoke what was selected and nothing else: a selection
// without a condition is refused, conditions narrow each other, and the
// digest of an earlier secret does not cost a key its present one.
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
		{"ids and age", keys.Selection{IDs: []toksta.KeyID{made[0].Key.ID, made[3].Key.ID, "key_none"}, CreatedBefore: made[2].Key.CreatedAt}, []toksta.KeyID{made[0].Key.ID}},
		{"digests twice", keys.Selection{Digests: []toksta.Digest{digest(1), digest(1), sum("?")}}, []toksta.KeyID{made[1].Key.ID}},
		{"age", keys.Selection{Account: "acct_1", CreatedBefore: made[3].Key.CreatedAt}, []toksta.KeyID{made[2].Key.ID}},
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
	_, err = w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{})
	refused(t, err, toksta.CodeValidation, "which keys")
}

// BenchmarkImport is the rate of keys in batches of 5,000 over 100 accounts.
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

var _ store.Log = straight{}

package storetest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// midnight is the first hour of the day of now, in Unix hours.
var midnight = now.Truncate(24*time.Hour).Unix() / 3600

func slot(key toksta.KeyID, hour int64) store.UsageSlot {
	return store.UsageSlot{AccountID: "acct_a", KeyID: key, Family: "data", CostKey: "search", Hour: midnight + hour}
}

func total(s store.UsageSlot, n int64) store.UsageTotal {
	return store.UsageTotal{
		UsageSlot: s, Calls: n,
		Charge: toksta.Charge{Credits: 10 * n, Purchased: n, Overage: 2 * n, OverageMicros: 3 * n},
	}
}

func (t *suite) flush(epoch string, totals ...store.UsageTotal) {
	t.Helper()
	t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: epoch, Totals: totals}))
}

func (t *suite) usage(q store.UsageQuery) []store.UsageRow {
	t.Helper()
	q.Account = "acct_a"
	rows, err := t.s.ListUsage(t.Context(), q)
	t.ok(err)
	return rows
}

// usageTotals: a repeated or late flush must neither add to a total nor lower it.
func usageTotals(t *suite) {
	s := slot("key_a", 1)
	t.flush("e1", total(s, 5))
	t.flush("e1", total(s, 9))
	t.flush("e1", total(s, 5))
	t.flush("e1", total(s, 9))
	t.flush("e2", total(s, 4))
	concurrently(10, func(i int) {
		b := store.UsageBatch{Epoch: "e3", Totals: []store.UsageTotal{total(s, int64(i+1))}}
		if err := t.s.Flush(t.Context(), b); err != nil {
			t.Error(err)
		}
	})
	is(t, t.usage(store.UsageQuery{From: now.Add(-24 * time.Hour), To: now}), []store.UsageRow{total(s, 9+4+10)})
}

// usageSelection: a report must contain the calls of the selected account and time, and no
// others.
func usageSelection(t *suite) {
	refused, foreign := slot("key_a", 1), slot("key_x", 1)
	refused.Reason, foreign.AccountID = toksta.ReasonRateLimited, "acct_b"
	a0, a1, b23, next := slot("key_a", 0), slot("key_a", 1), slot("key_b", 23), slot("key_a", 24)
	t.flush("e1", total(a0, 1), total(a1, 2), total(refused, 4), total(b23, 8), total(next, 16), total(foreign, 32))

	day := now.Truncate(24 * time.Hour)
	is(t, t.usage(store.UsageQuery{From: day, To: day.Add(24 * time.Hour), GroupDay: true}), []store.UsageRow{
		total(slot("key_a", 0), 3),
		{UsageSlot: at(refused, 0), Calls: 4, Charge: total(refused, 4).Charge},
		total(slot("key_b", 0), 8),
	})
	is(t, t.usage(store.UsageQuery{From: day.Add(time.Hour), To: day.Add(25 * time.Hour), Key: "key_a"}), []store.UsageRow{
		total(a1, 2), total(refused, 4), total(next, 16),
	})
	is(t, t.usage(store.UsageQuery{From: day, To: day}), nil)
}

func at(s store.UsageSlot, hour int64) store.UsageSlot {
	s.Hour = midnight + hour
	return s
}

// lastUses: people revoke a key if it was not used for long, so an older flush must not
// replace a newer use.
func lastUses(t *suite) {
	use := func(key toksta.KeyID, after time.Duration, agent string) store.LastUse {
		return store.LastUse{
			KeyID: key, AccountID: "acct_a", At: now.Add(after), Address: "2001:db8::1", Agent: agent, Operation: "getCreator",
		}
	}
	newest, other := use("key_a", time.Second, "new"), use("key_b", 0, "b")
	foreign := use("key_c", 0, "c")
	foreign.AccountID = "acct_b"
	for _, uses := range [][]store.LastUse{
		{other, use("key_a", 0, "old"), foreign}, {newest}, {use("key_a", 0, "old"), other},
	} {
		t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: "e", LastUses: uses}))
	}
	got, err := t.s.LastUses(t.Context(), "acct_a")
	t.ok(err)
	is(t, got, map[toksta.KeyID]store.LastUse{"key_a": newest, "key_b": other})
}

// keyUses: a report that lacks a key, or shows a key of another account, is wrong.
func keyUses(t *suite) {
	a, b := t.account("acct_a"), t.account("acct_b")
	used, revoked, expiring := key(a.ID, "key_a"), key(a.ID, "key_b"), key(a.ID, "key_c")
	revoked.RevokedAt, expiring.ExpiresAt, expiring.Name = now, now.Add(time.Hour), "C"
	for _, k := range []toksta.Key{used, revoked, expiring, key(b.ID, "key_d")} {
		t.put(k)
	}
	at := now.Add(time.Second)
	t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: "e", LastUses: []store.LastUse{
		{KeyID: "key_a", AccountID: a.ID, At: at}, {KeyID: "key_d", AccountID: b.ID, At: at},
	}}))
	wantUsed := store.KeyUse{ID: "key_a", Name: used.Name, LastUse: at}
	wantRevoked := store.KeyUse{ID: "key_b", Name: revoked.Name, RevokedAt: now}
	many := []toksta.KeyID{"key_a", "key_b", "key_d", "key_x"}
	for i := range 1000 {
		many = append(many, toksta.KeyID(strconv.Itoa(i)))
	}
	for _, c := range []struct {
		ids  []toksta.KeyID
		want []store.KeyUse
	}{
		{nil, []store.KeyUse{wantUsed, {ID: "key_c", Name: "C", ExpiresAt: now.Add(time.Hour)}}},
		{many, []store.KeyUse{wantUsed, wantRevoked}},
		{[]toksta.KeyID{"key_d"}, nil},
	} {
		got, err := t.s.KeyUses(t.Context(), a.ID, c.ids)
		t.ok(err)
		slices.SortFunc(got, func(a, b store.KeyUse) int { return strings.Compare(string(a.ID), string(b.ID)) })
		is(t, got, c.want)
	}
}

// creditUse: without all charges, a restarted node would grant included or purchased
// credits twice.
func creditUse(t *suite) {
	other, free := slot("key_x", 30), slot("key_y", 1)
	other.AccountID, free.AccountID = "acct_b", "acct_c"
	t.flush("e1", total(slot("key_a", 1), 1), total(slot("key_a", 24), 2), total(slot("key_b", 26), 4), total(other, 8))
	t.flush("e2", total(slot("key_a", 24), 16), store.UsageTotal{UsageSlot: free, Calls: 3})

	asked := make(map[toksta.AccountID]int)
	got := make(map[toksta.AccountID]store.CreditUse)
	cycle := func(a toksta.AccountID) time.Time {
		asked[a]++
		return now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	t.ok(t.s.CreditUse(t.Context(), cycle(""), cycle, func(a toksta.AccountID, u store.CreditUse) { got[a] = u }))
	is(t, got, map[toksta.AccountID]store.CreditUse{
		"acct_a": {Cycle: total(slot("", 0), 2+4+16).Charge, PurchasedEver: 1 + 2 + 4 + 16},
		"acct_b": {Cycle: total(slot("", 0), 8).Charge, PurchasedEver: 8},
	})
	is(t, asked, map[toksta.AccountID]int{"": 1, "acct_a": 1, "acct_b": 1})
}

// eachUsage: a bill over all accounts must have every row once, and the bill of one account
// no rows of another. Each row has the external id of its own account.
func eachUsage(t *suite) {
	foreign := slot("key_x", 1)
	foreign.AccountID = "acct_b"
	t.flush("e1", total(slot("key_b", 1), 1), total(slot("key_a", 2), 2), total(foreign, 4), total(slot("key_a", 26), 8))
	t.flush("e2", total(slot("key_a", 2), 16), total(slot("key_b", 3), 32))
	named := account("acct_b")
	named.ExternalID = "crm-42"
	t.commit(store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: named.ID, Accounts: []toksta.Account{named}})
	each := func(q store.UsageQuery) (rows []store.UsageRow) {
		t.Helper()
		t.ok(t.s.EachUsage(t.Context(), q, func(r store.UsageRow, externalID string) error {
			if want := map[toksta.AccountID]string{named.ID: "crm-42"}[r.AccountID]; externalID != want {
				t.Errorf("the external id of %s is %q, want %q", r.AccountID, externalID, want)
			}
			rows = append(rows, r)
			return nil
		}))
		return rows
	}
	day := now.Truncate(24 * time.Hour)
	q := store.UsageQuery{From: day, To: day.Add(24 * time.Hour)}
	is(t, each(q), []store.UsageRow{total(slot("key_b", 1), 1), total(slot("key_a", 2), 18), total(slot("key_b", 3), 32), total(foreign, 4)})
	q.Account, q.GroupDay = "acct_a", true
	is(t, each(q), []store.UsageRow{total(slot("key_a", 0), 18), total(slot("key_b", 0), 33)})
	stop := errors.New("stop")
	if err := t.s.EachUsage(t.Context(), q, func(store.UsageRow, string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each failed, and EachUsage says %v", err)
	}
}

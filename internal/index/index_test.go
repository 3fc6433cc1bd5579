package index

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

func catalog() *toksta.Catalog {
	return &toksta.Catalog{
		Families:  []toksta.FamilyInfo{{Name: "data"}, {Name: "job"}, {Name: "workspace"}},
		Plans:     []toksta.Plan{{ID: "BUILD", API: toksta.APIAlways, Families: []toksta.Family{"data", "job"}, Entitled: []toksta.Family{"workspace"}}, {ID: "FREE", API: toksta.APINever}},
		Statuses:  map[toksta.Status]toksta.Reason{"active": "", "past_due": toksta.ReasonBillingPastDue},
		PerMinute: 60,
	}
}

// digest returns a digest that contains n in its last bytes.
func digest(n int) (d toksta.Digest) {
	binary.BigEndian.PutUint64(d[24:], uint64(n))
	return d
}

func accountGen() *rapid.Generator[toksta.Account] {
	return rapid.Custom(func(t *rapid.T) toksta.Account {
		when := func(label string) time.Time {
			if ms := rapid.Int64Range(-1, 1<<41).Draw(t, label); ms >= 0 {
				return time.UnixMilli(ms).UTC()
			}
			return time.Time{}
		}
		a := toksta.Account{
			ID:          toksta.AccountID(rapid.StringMatching(`acct_[0-9A-Z]{1,3}`).Draw(t, "id")),
			Name:        rapid.StringN(0, 12, 60).Draw(t, "name"),
			Plan:        rapid.SampledFrom([]toksta.PlanID{"", "BUILD", "FREE", "GONE"}).Draw(t, "plan"),
			Status:      rapid.SampledFrom([]toksta.Status{"", "active", "past_due", "odd"}).Draw(t, "status"),
			StatusSince: when("since"),
			ClosedAt:    when("closed"),
			Cadence:     rapid.SampledFrom([]string{"", "monthly", "annual", "weekly"}).Draw(t, "cadence"),
			CycleAnchor: when("anchor"),
			CreatedAt:   when("created"),
			Seq:         rapid.Int64().Draw(t, "seq"),
		}
		e := &a.Entitlements
		e.APIAccess = rapid.Ptr(rapid.Bool(), true).Draw(t, "access")
		limits := rapid.SampledFrom([]int{0, 0, 1, 1 << 40})
		e.PerMinute, e.PerHour = limits.Draw(t, "perMinute"), limits.Draw(t, "perHour")
		e.PerDay, e.Concurrent = limits.Draw(t, "perDay"), limits.Draw(t, "concurrent")
		e.OverageCapMicros = rapid.SampledFrom([]int64{0, 1 << 50}).Draw(t, "cap")
		e.PurchasedCredits = rapid.SampledFrom([]int64{0, 7}).Draw(t, "purchased")
		if m := rapid.MapOfN(rapid.SampledFrom([]toksta.Family{"workspace", "data", "odd"}), rapid.Bool(), 0, 3).Draw(t, "families"); len(m) > 0 {
			e.Families = m
		}
		return a
	})
}

func grants() *rapid.Generator[toksta.Grant] {
	return rapid.Custom(func(t *rapid.T) toksta.Grant {
		g := toksta.Grant{
			KeyID:      toksta.KeyID(rapid.StringMatching(`(key_[0-9A-Z]{26}|k[a-c]?|)`).Draw(t, "key")),
			ExpiresAt:  rapid.SampledFrom([]int64{0, 1, 1 << 40}).Draw(t, "expires"),
			Generation: rapid.Int32Range(0, 3).Draw(t, "generation"),
			Revoked:    rapid.IntRange(0, 4).Draw(t, "revoked") == 0,
		}
		if rapid.Bool().Draw(t, "limited") {
			g.Limits = &toksta.Limits{
				Scopes:    rapid.SliceOfN(rapid.SampledFrom([]toksta.Family{"data", "job"}), 0, 2).Draw(t, "scopes"),
				Networks:  rapid.SliceOfN(rapid.Just(netip.MustParsePrefix("10.0.0.0/8")), 0, 1).Draw(t, "networks"),
				PerMinute: rapid.IntRange(0, 2).Draw(t, "perMinute"),
			}
		}
		return g
	})
}

var diffs = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// Guarantee: after any sequence of changes, a look-up returns exactly the last state
// put, a revoked secret stays revoked, and a grant of an unknown account admits
// nothing. Two maps serve as the oracle.
func TestIndexIsTheLastStatePut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type row struct {
			account toksta.AccountID
			grant   toksta.Grant
		}
		c := catalog()
		x, keys, accounts := New(c), map[toksta.Digest]row{}, map[toksta.AccountID]toksta.Account{}
		check := func(t *rapid.T) {
			for n := range 16 {
				want, known := keys[digest(n)]
				got, standing, ok := x.Lookup(digest(n))
				if ok != known {
					t.Fatalf("digest %d is known: %v, want %v", n, ok, known)
				}
				if diff := cmp.Diff(want.grant, got, diffs); diff != "" {
					t.Fatalf("digest %d (-want +got):\n%s", n, diff)
				}
				a, put := accounts[want.account]
				if (standing != nil) != (known && put) {
					t.Fatalf("digest %d has a standing: %v, want %v", n, standing != nil, put)
				}
				if standing != nil {
					if diff := cmp.Diff(c.Standing(a), standing); diff != "" {
						t.Fatalf("standing (-want +got):\n%s", diff)
					}
				}
			}
			if k, a := x.Len(); k != len(keys) || a != len(accounts) {
				t.Fatalf("Len is %d, %d; want %d, %d", k, a, len(keys), len(accounts))
			}
			for id, a := range accounts {
				if diff := cmp.Diff(c.Standing(a), x.Standing(id)); diff != "" {
					t.Fatalf("standing of %s (-want +got):\n%s", id, diff)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": check,
			"account": func(t *rapid.T) {
				a := accountGen().Draw(t, "account")
				x.PutAccount(a)
				accounts[a.ID] = a
			},
			"grant": func(t *rapid.T) {
				d := digest(rapid.IntRange(0, 15).Draw(t, "digest"))
				r := row{toksta.AccountID(rapid.StringMatching(`acct_[0-9A-Z]`).Draw(t, "owner")), grants().Draw(t, "grant")}
				x.PutGrant(d, r.account, r.grant)
				r.grant.Revoked = r.grant.Revoked || keys[d].grant.Revoked
				keys[d] = r
			},
		})
	})
}

// Guarantee: no field of an account is lost between the change log and the decision,
// including fields added later.
func TestRowKeepsEveryField(t *testing.T) {
	t.Parallel()
	on := true
	full := toksta.Account{
		ExternalID: "crm-1", Metadata: map[string]string{"a": "b"},
		ID: "acct_1", Name: "Ünal & Co", Plan: "BUILD", Status: "active", StatusSince: time.UnixMilli(1).UTC(),
		Cadence: "annual", CycleAnchor: time.UnixMilli(1 << 40).UTC(), CreatedAt: time.UnixMilli(-5).UTC(), ClosedAt: time.UnixMilli(7).UTC(), ErasedAt: time.UnixMilli(8).UTC(), Seq: 9,
		Entitlements: toksta.Entitlements{APIAccess: &on, Families: map[toksta.Family]bool{"workspace": true, "x": false}, PerMinute: 7, PerHour: 70, PerDay: 700, Concurrent: 3, OverageCapMicros: 8, PurchasedCredits: -1},
	}
	requireFilled(t, full)
	requireFilled(t, full.Entitlements)
	c := newCodec(catalog())
	full.ExternalID, full.Metadata, full.ErasedAt = "", nil, time.Time{} // no decision needs them
	if diff := cmp.Diff(full, c.unpack(c.pack(full))); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// Guarantee: an account is found by exactly its id, and its id keeps its text.
func TestIDsKeepTheirText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(
			rapid.StringMatching(`acct_[0-7][0-9A-HJKMNP-TV-Z]{25}`),
			rapid.StringMatching(`(acct_)?[0-9A-Za-z]{24,28}`),
			rapid.String(),
		).Draw(t, "id")
		row := string(appendID(nil, id)) + "rest"
		packed, rest := cutID(row)
		if got := idText(packed); got != id || rest != "rest" {
			t.Fatalf("%q is kept as %q, then %q", id, got, rest)
		}
	})
	if n := len(appendID(nil, toksta.NewID(toksta.PrefixAccount, time.Now()))); n != 17 {
		t.Errorf("an id of this system takes %d bytes, want 17", n)
	}
}

// Guarantee: a look-up during a change of the account, a revocation or a growth of
// the table never returns a partial change, and a look-up after a revocation has
// returned does not admit the key.
func TestLookupsBesideTheWriter(t *testing.T) {
	t.Parallel()
	const keys = 5000
	x := New(catalog())
	narrow := &toksta.Limits{Scopes: []toksta.Family{"data"}}
	put, revoked := make([]chan struct{}, keys), make([]chan struct{}, keys)
	for i := range keys {
		put[i], revoked[i] = make(chan struct{}), make(chan struct{})
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range keys {
				<-put[i]
				g, s, ok := x.Lookup(digest(i))
				want := fmt.Sprintf("key_%026d", i)
				if !ok || string(g.KeyID) != want || s == nil || (g.ExpiresAt == 2) != (g.Limits != nil) {
					t.Errorf("key %d during writes: %+v, %v, %v", i, g, s, ok)
					return
				}
				<-revoked[i]
				if g, _, _ := x.Lookup(digest(i)); !g.Revoked {
					t.Errorf("key %d lives after its revocation returned", i)
					return
				}
			}
		})
	}
	for i := range keys {
		id := toksta.AccountID(fmt.Sprintf("acct_%d", i%50))
		x.PutAccount(toksta.Account{ID: id, Plan: "BUILD", Status: "active", Seq: int64(i)})
		g := toksta.Grant{KeyID: toksta.KeyID(fmt.Sprintf("key_%026d", i)), ExpiresAt: 1}
		x.PutGrant(digest(i), id, g)
		close(put[i])
		g.ExpiresAt, g.Limits = 2, narrow
		x.PutGrant(digest(i), id, g)
		g.Revoked = true
		x.PutGrant(digest(i), id, g)
		close(revoked[i])
	}
	wg.Wait()
}

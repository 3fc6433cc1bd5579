package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

func counter(n store.AttemptName, count int, at time.Time) store.AttemptCount {
	return store.AttemptCount{AttemptName: n, Count: count, At: at}
}

// attempts: of two nodes that count the same attempt from the same state, one must count it
// and the other read again.
func attempts(t *suite) {
	address := store.AttemptName{Scope: "address", Digest: digest("a")}
	network := store.AttemptName{Scope: "network", Digest: digest("a")}
	names := []store.AttemptName{network, address}
	read := func() []store.AttemptCount {
		t.Helper()
		c, err := t.s.ListAttempts(t.Context(), names)
		t.ok(err)
		return c
	}
	swap := func(old, next []store.AttemptCount, want bool) {
		t.Helper()
		swapped, err := t.s.SwapAttempts(t.Context(), old, next)
		t.ok(err)
		is(t, swapped, want)
	}
	none := []store.AttemptCount{{AttemptName: network}, {AttemptName: address}}
	is(t, read(), none)
	one := []store.AttemptCount{counter(network, 1, now), counter(address, 4, now)}
	swap(none, one, true)
	is(t, read(), one)
	swap(none, one, false)
	swap(one, one, true) // changes nothing
	two := []store.AttemptCount{counter(network, 2, now.Add(time.Second)), {AttemptName: address}}
	swap([]store.AttemptCount{one[0], counter(address, 5, now)}, two, false)
	swap([]store.AttemptCount{one[0], counter(address, 4, now.Add(time.Second))}, two, false)
	is(t, read(), one)
	swap(one, two, true)
	is(t, read(), two)

	var swapped atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			next := []store.AttemptCount{counter(network, 3, now.Add(time.Duration(i)*time.Minute)), counter(address, 1, now)}
			if ok, err := t.s.SwapAttempts(t.Context(), two, next); err != nil {
				t.Error(err)
			} else if ok {
				swapped.Add(1)
			}
		})
	}
	wg.Wait()
	is(t, swapped.Load(), 1)
}

// trimmedAttempts: an attacker with many names must not fill the database.
func trimmedAttempts(t *suite) {
	var names []store.AttemptName
	for i := range 6 {
		c := store.AttemptCount{
			AttemptName: store.AttemptName{Scope: "address", Digest: digest(fmt.Sprint(i))}, Count: 1, At: now.Add(time.Duration(i) * time.Minute),
		}
		names = append(names, c.AttemptName)
		_, err := t.s.SwapAttempts(t.Context(), []store.AttemptCount{{AttemptName: c.AttemptName}}, []store.AttemptCount{c})
		t.ok(err)
	}
	left := func() (out []int) {
		counts, err := t.s.ListAttempts(t.Context(), names)
		t.ok(err)
		for i, c := range counts {
			if c.Count > 0 {
				out = append(out, i)
			}
		}
		return out
	}
	t.ok(t.s.TrimAttempts(t.Context(), now, 6))
	is(t, left(), []int{0, 1, 2, 3, 4, 5})
	t.ok(t.s.TrimAttempts(t.Context(), now.Add(2*time.Minute), 6))
	is(t, left(), []int{2, 3, 4, 5})
	t.ok(t.s.TrimAttempts(t.Context(), now, 3))
	is(t, left(), []int{3, 4, 5})
}

// browsers: a browser must be known only for the members who signed in with it, and an id that
// was replaced for none.
func browsers(t *suite) {
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_a", Email: "a@x"}, {ID: "mem_b", Email: "b@x"}}})
	put := func(b store.Browser, replaces toksta.Digest) int {
		t.Helper()
		others, err := t.s.PutBrowser(t.Context(), b, replaces)
		t.ok(err)
		return others
	}
	list := func(id toksta.Digest) []store.Browser {
		t.Helper()
		all, err := t.s.ListBrowsers(t.Context(), id)
		t.ok(err)
		return all
	}
	one, two := store.Browser{ID: digest("1"), MemberID: "mem_a", SeenAt: now}, store.Browser{ID: digest("2"), MemberID: "mem_b", SeenAt: now}
	is(t, put(one, toksta.Digest{}), 0)
	is(t, put(two, one.ID), 0) // the same browser, with another member
	one.ID = two.ID
	is(t, list(digest("1")), nil)
	is(t, list(two.ID), []store.Browser{one, two})
	one.SeenAt = now.Add(time.Hour)
	is(t, put(one, toksta.Digest{}), 0)
	is(t, list(two.ID), []store.Browser{one, two})
	for i := range 60 {
		is(t, put(store.Browser{ID: digest(fmt.Sprint("a", i)), MemberID: "mem_a", SeenAt: now.Add(time.Duration(i+2) * time.Hour)}, toksta.Digest{}), min(i+1, 49))
	}
	is(t, list(two.ID), []store.Browser{two})
	is(t, len(list(digest("a9"))), 0)
	is(t, len(list(digest("a10"))), 1)
	t.ok(t.s.DeleteBrowsers(t.Context(), store.BrowserSet{}))
	t.ok(t.s.DeleteBrowsers(t.Context(), store.BrowserSet{Before: now.Add(30 * time.Hour)}))
	is(t, list(two.ID), nil)
	is(t, len(list(digest("a27")))+len(list(digest("a28"))), 1)
	t.ok(t.s.DeleteBrowsers(t.Context(), store.BrowserSet{Member: "mem_a", ID: digest("a49")}))
	t.ok(t.s.DeleteBrowsers(t.Context(), store.BrowserSet{Member: "mem_b", ID: digest("a51")}))
	is(t, []int{len(list(digest("a49"))), len(list(digest("a51")))}, []int{0, 1})
	t.ok(t.s.DeleteBrowsers(t.Context(), store.BrowserSet{Member: "mem_a", Keep: digest("a50")}))
	is(t, len(list(digest("a50"))), 1)
	is(t, len(list(digest("a51"))), 0)
}

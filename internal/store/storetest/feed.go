package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// sink keeps the received rows, in order and by digest.
type sink struct {
	order     []string
	grants    map[toksta.Digest]toksta.Grant
	operators map[toksta.Digest]toksta.OperatorGrant
}

func (s *sink) PutAccount(a toksta.Account) { s.order = append(s.order, string(a.ID)) }

func (s *sink) PutGrant(d toksta.Digest, a toksta.AccountID, g toksta.Grant) {
	if s.grants == nil {
		s.grants = make(map[toksta.Digest]toksta.Grant)
	}
	s.order = append(s.order, fmt.Sprintf("%s/%s#%d", a, g.KeyID, g.Generation))
	s.grants[d] = g
}

func (s *sink) PutOperatorGrant(d toksta.Digest, g toksta.OperatorGrant) {
	if s.operators == nil {
		s.operators = make(map[toksta.Digest]toksta.OperatorGrant)
	}
	s.order = append(s.order, fmt.Sprintf("%s#%d", g.ID, g.Generation))
	s.operators[d] = g
}

func (t *suite) register(id string) store.Node {
	t.Helper()
	n := store.Node{ID: id, Epoch: id + "-epoch", Version: "v1", Lease: time.Minute}
	t.ok(t.s.Register(t.Context(), n))
	return n
}

// follow follows from n.Applied, updates n.Applied, and sorts the rows.
func (t *suite) follow(n *store.Node) *sink {
	t.Helper()
	var s sink
	seq, err := t.s.Follow(t.Context(), *n, &s)
	t.ok(err)
	n.Applied = seq
	slices.Sort(s.order)
	return &s
}

// renew renews n and returns the newest number.
func (t *suite) renew(n store.Node) int64 {
	t.Helper()
	seq, err := t.s.Renew(t.Context(), n)
	t.ok(err)
	return seq
}

// deltaRows: a missed row can be a revocation that is then not enforced.
func deltaRows(t *suite) {
	n := t.register("a")
	is(t, t.follow(&n).order, nil)
	is(t, n.Applied, int64(0))
	a := t.account("acct_a")
	k := t.put(key(a.ID, "key_a"))
	b := t.account("acct_b")
	is(t, t.follow(&n).order, []string{"acct_a", "acct_a/key_a#1", "acct_b"})
	is(t, n.Applied, b.Seq)
	is(t, t.follow(&n).order, nil)

	k.RevokedAt = now
	t.put(k)
	b.Plan = "FREE"
	last := t.commit(store.Mutation{Kind: toksta.ChangePlanSet, Accounts: []toksta.Account{b}})
	got := t.follow(&n)
	is(t, got.order, []string{"acct_a/key_a#1", "acct_b"})
	is(t, got.grants[digest("key_a")].Revoked, true)
	is(t, n.Applied, last.Seq)

	late := t.register("late")
	is(t, t.follow(&late).order, []string{"acct_a", "acct_a/key_a#1", "acct_b"})
}

// deltaRotate: a node must receive the revoked generation of a rotated key, or it would
// still admit it.
func deltaRotate(t *suite) {
	n := t.register("a")
	k := key(t.account("acct_a").ID, "key_a")
	k.ExpiresAt = now
	k = t.put(k)
	t.follow(&n)
	k.Generations[0].RevokedAt = now
	k.Generations = append(k.Generations, toksta.Generation{Digest: digest("second"), Number: 2, CreatedAt: now})
	t.put(k)
	is(t, t.follow(&n).grants, map[toksta.Digest]toksta.Grant{
		digest("key_a"):  {KeyID: k.ID, ExpiresAt: now.UnixMilli(), Generation: 1, Revoked: true},
		digest("second"): {KeyID: k.ID, ExpiresAt: now.UnixMilli(), Generation: 2},
	})
}

// deltaShares: separate limits for each of a million keys would exceed the documented
// memory of a node.
func deltaShares(t *suite) {
	a := t.account("acct_a")
	for _, id := range []string{"key_a", "key_b", "key_c"} {
		k := key(a.ID, id)
		if id != "key_c" {
			k.Limits = toksta.Limits{Scopes: []toksta.Family{"data"}, PerMinute: 3}
		}
		t.put(k)
	}
	n := t.register("a")
	got := t.follow(&n).grants
	first := got[digest("key_a")].Limits
	is(t, *first, toksta.Limits{Scopes: []toksta.Family{"data"}, PerMinute: 3})
	is(t, first == got[digest("key_b")].Limits, true)
	is(t, got[digest("key_c")].Limits == nil, true)
}

// deltaRaces: a node that follows during commits must receive every row, including those
// that are committed between two of its reads.
func deltaRaces(t *suite) {
	n := t.register("a")
	a := t.account("acct_a")
	var commits sync.WaitGroup
	for i := range 50 {
		commits.Go(func() {
			k := key(a.ID, numbered("key_", i))
			m := store.Mutation{Kind: toksta.ChangeKeyCreated, Keys: []toksta.Key{k}}
			if _, err := t.s.Commit(t.Context(), operator, decided(m)); err != nil {
				t.Error(err)
			}
		})
	}
	seen := make(map[toksta.Digest]bool)
	follow := func() {
		for d := range t.follow(&n).grants {
			seen[d] = true
		}
	}
	for range 20 {
		follow()
	}
	commits.Wait()
	follow()
	is(t, len(seen), 50)
	is(t, n.Applied, a.Seq+50)
}

// deltaPages: all pages must be complete, and each key must have all its generations.
func deltaPages(t *suite) {
	n := t.register("a")
	for _, many := range []int{15, 16, 17, 255, 256, 257, 600, 9000} {
		m := store.Mutation{Kind: toksta.ChangeKeysImported}
		want := []string{}
		for i := range many {
			a := toksta.Account{ID: toksta.AccountID(fmt.Sprintf("acct_%d_%d", many, i)), Name: "Acme"}
			k := key(a.ID, fmt.Sprintf("key_%d_%d", many, i))
			k.Generations = append(k.Generations, toksta.Generation{Digest: digest("second of " + string(k.ID)), Number: 2, CreatedAt: now})
			m.Accounts, m.Keys = append(m.Accounts, a), append(m.Keys, k)
			want = append(want, string(a.ID), fmt.Sprintf("%s/%s#1", a.ID, k.ID), fmt.Sprintf("%s/%s#2", a.ID, k.ID))
		}
		last := t.commit(m)
		slices.Sort(want)
		got := t.follow(&n).order
		is(t, slices.Compact(got), want)
		is(t, n.Applied, last.Seq)
	}
	all := len(t.follow(&store.Node{ID: n.ID, Epoch: n.Epoch}).grants)
	var whole sink
	_, err := t.s.Snapshot(t.Context(), &whole)
	t.ok(err)
	is(t, len(whole.grants), all)
	is(t, len(whole.order), all+all/2)
}

// follows: following must not renew a node's row, and must fail for a node without a
// row.
func follows(t *suite) {
	n := t.register("a")
	a := t.account("acct_a")
	k := t.put(key(a.ID, "key_a"))
	before := t.nodes()
	is(t, t.follow(&n).order, []string{"acct_a", "acct_a/key_a#1"})
	is(t, n.Applied, k.Seq)
	is(t, t.nodes(), before)

	t.ok(t.s.Leave(t.Context(), n))
	_, err := t.s.Follow(t.Context(), n, new(sink))
	is(t, errors.Is(err, store.ErrFenced), true)
}

// renews: the number of a renewal must include every earlier change, or the node would
// admit calls on the state before it.
func renews(t *suite) {
	n := t.register("a")
	is(t, t.renew(n), int64(0))
	a := t.account("acct_a")
	is(t, t.renew(n), a.Seq)
	k := t.put(key(a.ID, "key_a"))
	is(t, t.renew(n), k.Seq)
	is(t, t.nodes()[0].Beats, int64(3))
}

// acks: other nodes must see an acknowledgement at once, and it must not count as a
// renewal, because that would keep a node without a lease from being fenced.
func acks(t *suite) {
	n := t.register("a")
	listed := t.nodes()[0]
	n.Applied, n.Keys = 7, 3
	t.ok(t.s.Ack(t.Context(), n))
	want := listed
	want.Applied, want.Keys = 7, 3
	is(t, t.nodes(), []store.Node{want})
	n.Applied = 6 // a delayed message
	t.ok(t.s.Ack(t.Context(), n))
	is(t, t.nodes(), []store.Node{want})
	t.ok(t.s.Fence(t.Context(), listed))
	is(t, t.nodes(), nil)
	is(t, errors.Is(t.s.Ack(t.Context(), n), store.ErrFenced), true)
}

// fenced: the renewal of a removed node must fail, or the node would admit calls on an
// older state.
func fenced(t *suite) {
	n := t.register("a")
	impostor := n
	impostor.Epoch = "other"
	_, err := t.s.Renew(t.Context(), impostor)
	is(t, errors.Is(err, store.ErrFenced), true)
	t.ok(t.s.Leave(t.Context(), n))
	_, err = t.s.Renew(t.Context(), n)
	is(t, errors.Is(err, store.ErrFenced), true)
}

// fenceSpares: a node that renewed after it was listed may hold a lease, so its row must
// stay, and the next change must wait for it.
func fenceSpares(t *suite) {
	n := t.register("a")
	listed := t.nodes()
	t.renew(n)
	t.ok(t.s.Fence(t.Context(), listed[0]))
	is(t, len(t.nodes()), 1)
	t.renew(n)

	t.ok(t.s.Fence(t.Context(), t.nodes()[0]))
	is(t, t.nodes(), nil)
	_, err := t.s.Renew(t.Context(), n)
	is(t, errors.Is(err, store.ErrFenced), true)
	t.ok(t.s.Fence(t.Context(), listed[0]))
}

func (t *suite) nodes() []store.Node {
	t.Helper()
	listed, err := t.s.ListNodes(t.Context())
	t.ok(err)
	return listed
}

// nodes: all nodes must be listed, regardless of clocks, because a change waits for the
// listed nodes.
func nodes(t *suite) {
	n := t.register("b")
	over := store.Node{ID: "a", Epoch: "1", Lease: 0}
	t.ok(t.s.Register(t.Context(), over))
	again := n
	again.Epoch = "second life"
	t.ok(t.s.Register(t.Context(), again))
	c := t.account("acct_a")
	n.Applied, n.Keys, n.Version, n.Lease = c.Seq, 7, "v2", 2*time.Minute
	t.renew(n)
	n.Beats = 1
	listed := t.nodes()
	for i := range listed {
		is(t, listed[i].SeenAt.IsZero(), false)
		listed[i].SeenAt = time.Time{}
	}
	is(t, listed, []store.Node{over, n, again})
}

// snapshot: the snapshot and the next follow must not omit a row, because the node would
// never receive it. A row that the node receives twice only costs time.
func snapshot(t *suite) {
	a := t.account("acct_a")
	k := t.put(key(a.ID, "key_a"))
	var got sink
	seq, err := t.s.Snapshot(t.Context(), &got)
	t.ok(err)
	is(t, seq, k.Seq)
	is(t, got.order, []string{"acct_a", "acct_a/key_a#1"})
	n := t.register("a")
	n.Applied = seq
	is(t, t.follow(&n).order, nil)
}

// listens: without notifications, or with a number that is too low, a revocation takes a
// whole heartbeat to be confirmed.
func listens(t *suite) {
	listener := t.open(t.T)
	ctx, stop := context.WithCancel(t.Context())
	notified, ended := make(chan int64, 100), make(chan struct{})
	go func() {
		defer close(ended)
		if err := listener.Listen(ctx, func(seq int64) { notified <- seq }); !errors.Is(err, context.Canceled) {
			t.Errorf("Listen ended with %v", err)
		}
	}()
	t.account("acct_a")
	// A notification before the listener is ready can be lost: commit until one arrives.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var last int64
	for received := false; !received; {
		last = t.put(key("acct_a", "key_a")).Seq
		select {
		case seq := <-notified:
			received = 1 < seq && seq <= last // 0 is no number, 1 the account's
		case <-tick.C:
		}
	}
	stop()
	<-ended
	t.ok(t.s.Ping(t.Context()))
}

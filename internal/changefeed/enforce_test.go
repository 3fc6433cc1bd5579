package changefeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// confirmedBy compares the nodes of a receipt, in any order.
func confirmedBy(t *testing.T, r toksta.Receipt, confirmed, fenced []string) {
	t.Helper()
	var got []string
	for _, c := range r.Confirmed {
		got = append(got, c.Node)
	}
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if diff := cmp.Diff(confirmed, got, sorted, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("confirmed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fenced, r.Fenced, sorted, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("fenced (-want +got):\n%s", diff)
	}
}

// Guarantee I1: when a revoke returns, no node admits the key. Guarantee I2: when a
// create returns, every node does.
func TestCommitReachesEveryNode(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	const lease = time.Minute // half of it limits the queue for a commit
	a := startNode(t, Config{Store: s, Node: "a", Lease: lease})
	defer a.stop()
	b := startNode(t, Config{Store: s, Node: "b", Lease: lease})
	defer b.stop()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			from := []node{a, b}[i%2]
			k := newKey(time.Now(), fmt.Sprint("key ", i))
			mustCommit(t, from, create(k))
			if !a.admits(k) || !b.admits(k) {
				t.Errorf("%s: a created key is rejected", k.Name)
			}
			r := mustCommit(t, from, revoke(k, time.Now()))
			if a.admits(k) || b.admits(k) {
				t.Errorf("%s: a revoked key is admitted", k.Name)
			}
			if len(r.Confirmed) != 2 || len(r.Fenced) != 0 {
				t.Errorf("%s: confirmed by %v, fenced %v", k.Name, r.Confirmed, r.Fenced)
			}
		})
	}
	wg.Wait()
}

// Guarantee: a single node, the shipped default, follows the same protocol without
// waiting for a timer.
func TestOneNodeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{Store: openStore(t), Node: "a"})
		defer n.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, n, create(k))
		r := mustCommit(t, n, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, nil)
		if n.admits(k) || r.Took != 0 {
			t.Errorf("admitted %v after %v on the test's clock", n.admits(k), r.Took)
		}
	})
}

// Guarantee I1 for a node that joins during a revoke: nodes are listed after the
// commit, so the revoke waits for the node, or the node has loaded the change.
func TestNodeThatJoinsBeforeTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &faulty{Store: openStore(t)}
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		var late node
		s.first = func() { late = startNode(t, Config{Store: s.Store, Node: "late"}) }
		r := mustCommit(t, a, revoke(k, time.Now()))
		defer late.stop()
		if late.admits(k) {
			t.Error("a node that joined before the commit admits the revoked key")
		}
		confirmedBy(t, r, []string{"a", "late"}, nil)
	})
}

// Guarantees I1, I5 and I9 for a node without connection to the store: a revoke
// waits until its lease has ended, no longer, and reports the node as fenced.
func TestCutOffNodeIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		link := &faulty{Store: s}
		b := startNode(t, Config{Store: link, Node: "b"})
		defer b.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))

		link.cut.Store(true)
		if !b.admits(k) {
			t.Fatal("a node that has just renewed does not admit: nothing is tested")
		}
		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, []string{"b"})
		if b.admits(k) {
			t.Error("a cut-off node admits a key whose revoke has returned")
		}
		if bound := fenceAfter(DefaultLease) + maxPause; r.Took > bound {
			t.Errorf("the revoke took %v, more than %v", r.Took, bound)
		}
		link.cut.Store(false)
		<-time.After(DefaultLease / heartbeats)
		synctest.Wait()
		if !b.Valid(time.Now()) || b.admits(k) {
			t.Error("a reconnected node should hold a lease and reject the revoked key")
		}
	})
}

// Guarantee: only one change waits for a killed node. That change removes the node's
// row, and later changes return at once.
func TestKilledNodeCostsOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		// A killed node: its row exists and is not renewed. Its lease is longer.
		killed := store.Node{ID: "killed", Epoch: "1", Lease: 2 * DefaultLease}
		if err := s.Register(t.Context(), killed); err != nil {
			t.Fatal(err)
		}
		k := newKey(time.Now(), "k")
		r := mustCommit(t, a, create(k))
		confirmedBy(t, r, []string{"a"}, []string{"killed"})
		if r.Took < killed.Lease {
			t.Errorf("waited %v for a lease of %v", r.Took, killed.Lease)
		}
		r = mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, nil)
		if r.Took != 0 {
			t.Errorf("the next change took %v, want 0", r.Took)
		}
	})
}

// Guarantee I1 whatever the database's wall clock does: after a jump ahead no
// renewal looks recent, but every live node must be waited for.
func TestDatabaseClockJumps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "toksta.db")
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a := startNode(t, Config{Store: s, Node: "a"})
			defer a.stop()
			link := &faulty{Store: s}
			b := startNode(t, Config{Store: link, Node: "b"})
			defer b.stop()
			k := newKey(time.Now(), "k "+jump.String())
			mustCommit(t, a, create(k))
			link.cut.Store(true)
			shiftRenewals(t, path, jump)
			if !b.admits(k) {
				t.Fatal("the node has stopped already: nothing is tested")
			}
			confirmedBy(t, mustCommit(t, a, revoke(k, time.Now())), []string{"a"}, []string{"b"})
			if b.admits(k) {
				t.Error("the cut-off node admits the revoked key")
			}
		})
	}
}

// shiftRenewals shifts the renewal times of all nodes, as if the database's clock
// had jumped since.
func shiftRenewals(t *testing.T, path string, jump time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)") // a node may hold the lock
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE nodes SET seen_at = seen_at - $1`, jump.Milliseconds()); err != nil {
		t.Fatal(err)
	}
}

// Guarantee: a node that renews during the wait for it keeps its row. It holds a
// lease again, and the next change must wait for it.
func TestRenewedNodeIsNotFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		// Renews without acknowledging any change.
		silent := store.Node{ID: "silent", Epoch: "1", Lease: DefaultLease}
		if err := s.Register(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		go func() {
			<-time.After(DefaultLease / 2)
			if _, err := s.Renew(t.Context(), silent); err != nil {
				t.Error(err)
			}
		}()
		r := mustCommit(t, a, create(newKey(time.Now(), "k")))
		confirmedBy(t, r, []string{"a"}, []string{"silent"})
		if nodes, err := a.Nodes(t.Context()); err != nil || len(nodes) != 2 {
			t.Errorf("nodes %v, %v: want both", nodes, err)
		}
	})
}

// Guarantee I1 when the response to a renewal is late: the lease starts before the
// request was sent. A lease that started with the response would outlast the
// revoke's wait.
func TestLeaseRunsFromTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		link := &faulty{Store: s}
		b := startNode(t, Config{Store: link, Node: "b"})
		defer b.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))

		response := make(chan error)
		link.late.Store(&response)
		<-time.After(DefaultLease / heartbeats) // b's next heartbeat is executed, its response is held
		synctest.Wait()
		go func() {
			<-time.After(3 * time.Second)
			link.cut.Store(true)
			close(response)
		}()
		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, []string{"b"})
		if b.admits(k) {
			t.Error("a renewal sent before the revoke admits after it")
		}
	})
}

// Guarantee I1 for a node that renews but cannot read the changes before the
// renewal: it takes a lease only when it has applied the renewal's number.
func TestRenewalWithoutItsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		link := &faulty{Store: s}
		b := startNode(t, Config{Store: link, Node: "b"})
		defer b.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		link.stale.Store(true)
		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, []string{"b"})
		if b.admits(k) || b.Valid(time.Now()) {
			t.Error("the node holds a lease without having applied the revoke")
		}
		link.stale.Store(false)
		<-time.After(DefaultLease / heartbeats)
		synctest.Wait()
		if !b.Valid(time.Now()) || b.admits(k) {
			t.Error("a node that reads again should hold a lease and reject the revoked key")
		}
	})
}

// Guarantee: each node reads once for a change. A notification of a change that the
// node has applied, such as its own, causes no read.
func TestOneReadForAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &faulty{Store: openStore(t)}
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		synctest.Wait()
		before := s.follows.Load()
		for i := range 10 {
			mustCommit(t, a, create(newKey(time.Now(), fmt.Sprint("k", i))))
			synctest.Wait()
		}
		if got := s.follows.Load() - before; got != 10 {
			t.Errorf("%d reads for 10 changes", got)
		}
		if nodes, err := a.Nodes(t.Context()); err != nil || nodes[0].Applied != 10 {
			t.Errorf("the node's row is %v, %v", nodes, err)
		}
	})
}

// withoutNotifications is a store that sends no notifications.
type withoutNotifications struct{ faulty }

func (s *withoutNotifications) Listen(ctx context.Context, _ func(int64)) error {
	<-ctx.Done()
	return ctx.Err()
}

// Guarantee: a node acknowledges its own changes without a notification, when their
// callers have returned, and earlier if the callers wait for another node.
func TestAcksOwnChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: &withoutNotifications{faulty{Store: s}}, Node: "a"})
		defer a.stop()
		acked := func() int64 {
			t.Helper()
			nodes, err := s.ListNodes(t.Context())
			if err != nil || nodes[0].ID != "a" {
				t.Fatal(nodes, err)
			}
			return nodes[0].Applied
		}
		k := newKey(time.Now(), "k")
		first := mustCommit(t, a, create(k)).Change.Seq
		synctest.Wait()
		if got := acked(); got != first {
			t.Errorf("a has acknowledged change %d, want %d, which has returned", got, first)
		}
		link := &faulty{Store: s}
		b := startNode(t, Config{Store: link, Node: "b"})
		defer b.stop()
		link.cut.Store(true)
		returned := make(chan toksta.Receipt, 1)
		go func() {
			defer close(returned) // also if the commit fails
			returned <- mustCommit(t, a, revoke(k, time.Now()))
		}()
		<-time.After(DefaultLease / (2 * heartbeats))
		synctest.Wait()
		if got := acked(); got != first+1 {
			t.Errorf("a has acknowledged change %d, want %d, which waits for b", got, first+1)
		}
		confirmedBy(t, <-returned, []string{"a"}, []string{"b"})
	})
}

// withoutAcks is a store whose acknowledgements fail.
type withoutAcks struct {
	withoutNotifications
	acks atomic.Int64
}

func (s *withoutAcks) Ack(context.Context, store.Node) error {
	s.acks.Add(1)
	return errors.New("not now")
}

// Guarantee: a caller that waits for other nodes makes its own node acknowledge
// once, not with every poll. Each failed attempt would be a log line, and load on a
// database that is in trouble.
func TestAcksOnceWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		own := &withoutAcks{withoutNotifications: withoutNotifications{faulty{Store: s}}}
		a := startNode(t, Config{Store: own, Node: "a"})
		defer a.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		link := &faulty{Store: s}
		b := startNode(t, Config{Store: link, Node: "b"})
		defer b.stop()
		link.cut.Store(true)
		// Between two heartbeats, whose renewals acknowledge as well.
		<-time.After(DefaultLease + DefaultLease/(2*heartbeats))
		own.acks.Store(0)
		confirmedBy(t, mustCommit(t, a, revoke(k, time.Now())), []string{"a"}, []string{"b"})
		synctest.Wait()
		if got := own.acks.Load(); got < 1 || got > 2 { // after the quick polls, and perhaps at the end
			t.Errorf("%d acks were tried in one wait", got)
		}
	})
}

// Guarantee: after a commit with unknown outcome this node reads at once instead of
// at the next heartbeat, because the change may have been made.
func TestFollowsAfterUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &withoutNotifications{faulty{Store: openStore(t)}}
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		synctest.Wait()
		s.lost.Store(true)
		if _, err := a.Commit(t.Context(), operator, revoke(k, time.Now())); !errors.Is(err, store.ErrUncertain) {
			t.Fatalf("the outcome is known: %v", err)
		}
		synctest.Wait()
		if a.admits(k) {
			t.Error("a admits the revoked key")
		}
	})
}

// Guarantee I1 across a restart: an acknowledgement of a new process does not count
// for an old process of the same name, which may be paused.
func TestAckCountsForOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		link := &faulty{Store: s}
		paused := startNode(t, Config{Store: link, Node: "b"})
		defer paused.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		link.cut.Store(true)
		again := startNode(t, Config{Store: s, Node: "b"})
		defer again.stop()

		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a", "b"}, []string{"b"})
		if paused.admits(k) {
			t.Error("the old process admits the revoked key")
		}
	})
}

// Guarantee: a repeated revoke, whose first caller gave up, waits as the first one,
// because a node without the change may still admit the key. A caller that gives up
// is told that the change was written.
func TestRepeatWaitsForTheFirst(t *testing.T) {
	nothing := write(store.Mutation{})
	repeat := func(k toksta.Key) store.Decide {
		return store.Once("once", write(store.Mutation{Kind: toksta.ChangeKeyRevoked, KeyID: k.ID}))
	}
	for name, again := range map[string]func(toksta.Key) store.Decide{
		"nothing to do": func(toksta.Key) store.Decide { return nothing },
		"same token":    repeat,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openStore(t)
				a := startNode(t, Config{Store: s, Node: "a"})
				defer a.stop()
				link := &faulty{Store: s}
				b := startNode(t, Config{Store: link, Node: "b"})
				defer b.stop()
				k := newKey(time.Now(), "k")
				mustCommit(t, a, create(k))
				link.cut.Store(true)

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := a.Commit(ctx, operator, store.Once("once", revoke(k, time.Now())))
				if !errors.Is(err, &toksta.Error{Code: toksta.CodeUnavailable}) || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("giving up: %v", err)
				}
				if !b.admits(k) {
					t.Fatal("the cut-off node has stopped already: nothing is tested")
				}
				r, err := a.Commit(t.Context(), operator, again(k))
				if name == "same token" {
					before, ok := errors.AsType[*store.RepeatedError](err)
					if !ok || before.Change.Seq != r.Change.Seq {
						t.Fatalf("repeat: %v", err)
					}
				} else if err != nil {
					t.Fatal(err)
				}
				confirmedBy(t, r, []string{"a"}, []string{"b"})
				if b.admits(k) {
					t.Error("the repeat returned while a node admits the key")
				}
			})
		})
	}
}

// Guarantee: if decide fails, nothing changes and its error is returned unchanged,
// so that callers can match it.
func TestDecideErrorIsReturned(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	a := startNode(t, Config{Store: s, Node: "a"})
	defer a.stop()
	before := a.Status().Applied
	r, err := a.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{}, toksta.NotFound("key")
	})
	if !errors.Is(err, &toksta.Error{Code: toksta.CodeNotFound}) || a.Status().Applied != before || len(r.Confirmed) > 0 {
		t.Errorf("error %v, applied %d, was %d, receipt %+v", err, a.Status().Applied, before, r)
	}
}

// Guarantee: a process that is not registered, for example while it stops, still
// waits for the nodes.
func TestCommitWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		b := startNode(t, Config{Store: s, Node: "b"})
		defer b.stop()
		outside := New(Config{Store: s, Index: b.index, Node: "outside"})
		k := newKey(time.Now(), "k")
		confirmedBy(t, mustCommit(t, outside, create(k)), []string{"b"}, nil)
		if outside.Valid(time.Now()) {
			t.Error("a feed that does not run holds a lease")
		}
		// Without a change and without following, the number to wait for is unknown.
		confirmedBy(t, mustCommit(t, outside, write(store.Mutation{})), nil, []string{"b"})
	})
}

// Guarantee: a process that loses its connection during changes leaves one open
// transaction in the database, not one per connection. Each would block all other
// changes in turn.
func TestOneCommitInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &commitCounter{Store: openStore(t)}
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		var calls sync.WaitGroup
		for i := range 8 {
			calls.Go(func() { mustCommit(t, a.Feed, create(newKey(time.Now(), fmt.Sprint("k", i)))) })
		}
		calls.Wait()
		if s.most != 1 {
			t.Errorf("%d commits at once", s.most)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		select {
		case a.committing <- struct{}{}:
		default:
			t.Fatal("a commit that has returned is still in flight")
		}
		if _, err := a.Commit(gone, operator, write(store.Mutation{})); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled caller waits for the commit before it: %v", err)
		}
		<-a.committing
	})
}

// commitCounter counts concurrent commits, each of which takes some time.
type commitCounter struct {
	Store
	mu        sync.Mutex
	now, most int
}

func (c *commitCounter) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	<-time.After(time.Millisecond)
	defer func() {
		c.mu.Lock()
		c.now--
		c.mu.Unlock()
	}()
	return c.Store.Commit(ctx, by, decide)
}

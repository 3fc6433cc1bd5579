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

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
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

// Guarantee I1: when a revoke returns, neither node admits the key; and I2:
// when a create returns, both do.
func TestCommitReachesEveryNode(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	a := startNode(t, Config{Store: s, Node: "a"})
	defer a.stop()
	b := startNode(t, Config{Store: s, Node: "b"})
	defer b.stop()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			from := []node{a, b}[i%2]
			k := newKey(time.Now(), fmt.Sprint("key ", i))
			mustCommit(t, from, create(k))
			if !a.admits(k) || !b.admits(k) {
				t.Errorf("%s: a created key is refused", k.Name)
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

// One node, the shipped default, is the same protocol with one participant and
// must not wait for a timer.
func TestOneNodeWaitsForNobody(t *testing.T) {
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

// Guarantee I1 for a node that joins while a revoke is on its way: nodes are
// listed after the commit, so it is waited for or has loaded the change.
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

// Guarantees I1, I5 and I9 for a node cut off from the store: a revoke waits
// until its lease is over, no longer, and says so.
func TestCutOffNodeIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		way := &faulty{Store: s}
		b := startNode(t, Config{Store: way, Node: "b"})
		defer b.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))

		way.cut.Store(true)
		if !b.admits(k) {
			t.Fatal("a node that has just renewed does not admit: nothing is tested")
		}
		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, []string{"b"})
		if b.admits(k) {
			t.Error("a cut-off node admits a key whose revoke has returned")
		}
		if bound := sitOut(DefaultLease) + maxPause; r.Took > bound {
			t.Errorf("the revoke took %v, more than %v", r.Took, bound)
		}
		way.cut.Store(false)
		<-time.After(DefaultLease / beats)
		synctest.Wait()
		if !b.Valid(time.Now()) || b.admits(k) {
			t.Error("a node that is back should vouch for keys again, and refuse the revoked one")
		}
	})
}

// A dead node costs one wait, once: the change that waited it out removes its
// row, and the ones after are fast again.
func TestDeadNodeCostsOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		// Killed: its row is there, nobody renews it. Its lease was longer.
		dead := store.Node{ID: "dead", Epoch: "1", Lease: 2 * DefaultLease}
		if err := s.Register(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		k := newKey(time.Now(), "k")
		r := mustCommit(t, a, create(k))
		confirmedBy(t, r, []string{"a"}, []string{"dead"})
		if r.Took < dead.Lease {
			t.Errorf("waited %v for a lease of %v", r.Took, dead.Lease)
		}
		r = mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, nil)
		if r.Took != 0 {
			t.Errorf("the next change took %v", r.Took)
		}
	})
}

// Guarantee I1 whatever the database's wall clock does: after a jump ahead no
// renewal looks recent, and every live node must be waited for all the same.
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
			way := &faulty{Store: s}
			b := startNode(t, Config{Store: way, Node: "b"})
			defer b.stop()
			k := newKey(time.Now(), "k "+jump.String())
			mustCommit(t, a, create(k))
			way.cut.Store(true)
			pretend(t, path, jump)
			if !b.admits(k) {
				t.Fatal("the node has stopped already: nothing is tested")
			}
			confirmedBy(t, mustCommit(t, a, revoke(k, time.Now())), []string{"a"}, []string{"b"})
			if b.admits(k) {
				t.Error("a node hidden by the clock admits the revoked key")
			}
		})
	}
}

// pretend makes the database look as if its clock had jumped since every
// renewal.
func pretend(t *testing.T, path string, jump time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)") // a node may be writing
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE nodes SET seen_at = seen_at - $1`, jump.Milliseconds()); err != nil {
		t.Fatal(err)
	}
}

// A node that came back while it was waited out keeps its row: it holds a
// lease again, and the next change must wait for it.
func TestNodeThatComesBackIsNotFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		// Renews, and never says what it has applied.
		mute := store.Node{ID: "mute", Epoch: "1", Lease: DefaultLease}
		if err := s.Register(t.Context(), mute); err != nil {
			t.Fatal(err)
		}
		go func() {
			<-time.After(DefaultLease / 2)
			if _, err := s.Renew(t.Context(), mute); err != nil {
				t.Error(err)
			}
		}()
		r := mustCommit(t, a, create(newKey(time.Now(), "k")))
		confirmedBy(t, r, []string{"a"}, []string{"mute"})
		if nodes, err := a.Nodes(t.Context()); err != nil || len(nodes) != 2 {
			t.Errorf("nodes %v, %v: want both", nodes, err)
		}
	})
}

// Guarantee I1 when the answer to a renewal is late: the lease runs from
// before the request was sent. A lease from the answer would outlive the
// revoke's wait.
func TestLeaseRunsFromTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		way := &faulty{Store: s}
		b := startNode(t, Config{Store: way, Node: "b"})
		defer b.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))

		answer := make(chan error)
		way.late.Store(&answer)
		<-time.After(DefaultLease / beats) // b's next beat: carried out, not answered
		synctest.Wait()
		go func() {
			<-time.After(3 * time.Second)
			way.cut.Store(true)
			close(answer)
		}()
		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, []string{"b"})
		if b.admits(k) {
			t.Error("a renewal sent before the revoke admits after it")
		}
	})
}

// Guarantee I1 for a node that renews and does not get to read what was written
// before that: a renewal is good for a lease only once its number is applied.
func TestRenewalWithoutItsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		way := &faulty{Store: s}
		b := startNode(t, Config{Store: way, Node: "b"})
		defer b.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		way.blind.Store(true)
		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a"}, []string{"b"})
		if b.admits(k) || b.Valid(time.Now()) {
			t.Error("a renewal vouches for changes that the node does not know")
		}
		way.blind.Store(false)
		<-time.After(DefaultLease / beats)
		synctest.Wait()
		if !b.Valid(time.Now()) || b.admits(k) {
			t.Error("a node that reads again should vouch for keys, and refuse the revoked one")
		}
	})
}

// A change costs each node one read: the bell that comes to who has read
// already, as the caller's own node has, says so by its number.
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
			t.Errorf("the store knows %v of this node, %v", nodes, err)
		}
	})
}

// deaf is a store that does not ring.
type deaf struct{ faulty }

func (s *deaf) Listen(ctx context.Context, _ func(int64)) error {
	<-ctx.Done()
	return ctx.Err()
}

// A node's own changes need not ring there. It tells of them when their callers
// have gone, and before that when those wait for somebody else: others may be
// waiting for this node.
func TestTellsOfItsOwnChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: &deaf{faulty{Store: s}}, Node: "a"})
		defer a.stop()
		told := func() int64 {
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
		if got := told(); got != first {
			t.Errorf("a tells of change %d after %d has returned", got, first)
		}
		way := &faulty{Store: s}
		b := startNode(t, Config{Store: way, Node: "b"})
		defer b.stop()
		way.cut.Store(true)
		returned := make(chan toksta.Receipt)
		go func() { returned <- mustCommit(t, a, revoke(k, time.Now())) }()
		<-time.After(DefaultLease / (2 * beats))
		synctest.Wait()
		if got := told(); got != first+1 {
			t.Errorf("a tells of change %d while %d waits for b", got, first+1)
		}
		confirmedBy(t, <-returned, []string{"a"}, []string{"b"})
	})
}

// mute is a store that takes no ack.
type mute struct {
	deaf
	acks atomic.Int64
}

func (s *mute) Ack(context.Context, store.Node) error {
	s.acks.Add(1)
	return errors.New("not now")
}

// Who waits long for others must not ask its own node to tell of itself with
// every look: each time that fails is a line in the log, and load on a database
// that is in trouble.
func TestTellsOnceWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		own := &mute{deaf: deaf{faulty{Store: s}}}
		a := startNode(t, Config{Store: own, Node: "a"})
		defer a.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		way := &faulty{Store: s}
		b := startNode(t, Config{Store: way, Node: "b"})
		defer b.stop()
		way.cut.Store(true)
		<-time.After(DefaultLease)
		own.acks.Store(0)
		confirmedBy(t, mustCommit(t, a, revoke(k, time.Now())), []string{"a"}, []string{"b"})
		synctest.Wait()
		if got := own.acks.Load(); got < 1 || got > 2 { // after the quick polls, and perhaps at the end
			t.Errorf("%d acks were tried in one wait", got)
		}
	})
}

// A change whose outcome was lost may have been made. This node must not wait
// for the next beat to look.
func TestFollowsWhatMayHaveBeenMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &deaf{faulty{Store: openStore(t)}}
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
			t.Error("a admits the key that was revoked")
		}
	})
}

// Guarantee I1 across a restart: what a new process of the same name has
// applied says nothing of the old one, which may be paused, not dead.
func TestNewProcessDoesNotAnswerForTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		way := &faulty{Store: s}
		paused := startNode(t, Config{Store: way, Node: "b"})
		defer paused.stop()
		k := newKey(time.Now(), "k")
		mustCommit(t, a, create(k))
		way.cut.Store(true)
		again := startNode(t, Config{Store: s, Node: "b"})
		defer again.stop()

		r := mustCommit(t, a, revoke(k, time.Now()))
		confirmedBy(t, r, []string{"a", "b"}, []string{"b"})
		if paused.admits(k) {
			t.Error("the old process admits the revoked key")
		}
	})
}

// Repeating a revoke whose caller gave up must wait as the first one: a node
// that has not heard of it may still admit. Also: giving up says that the
// change was written.
func TestRepeatWaitsForTheFirst(t *testing.T) {
	nothing := write(store.Mutation{})
	repeat := func(k toksta.Key) store.Decide {
		return store.Once("once", write(store.Mutation{Kind: toksta.KeyRevokedChange, KeyID: k.ID}))
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
				way := &faulty{Store: s}
				b := startNode(t, Config{Store: way, Node: "b"})
				defer b.stop()
				k := newKey(time.Now(), "k")
				mustCommit(t, a, create(k))
				way.cut.Store(true)

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

// A decision that fails changes nothing and is not dressed up: callers match
// on it.
func TestDecidesErrorComesBack(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	a := startNode(t, Config{Store: s, Node: "a"})
	defer a.stop()
	before := a.Status().Applied
	_, err := a.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{}, toksta.NotFound("key")
	})
	if !errors.Is(err, &toksta.Error{Code: toksta.CodeNotFound}) || a.Status().Applied != before {
		t.Errorf("error %v, applied %d, was %d", err, a.Status().Applied, before)
	}
}

// A process that is no node, such as one that is stopping, still waits for
// those that are.
func TestCommitWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		b := startNode(t, Config{Store: s, Node: "b"})
		defer b.stop()
		outside := New(Config{Store: s, Index: b.index, Node: "outside"})
		k := newKey(time.Now(), "k")
		confirmedBy(t, mustCommit(t, outside, create(k)), []string{"b"}, nil)
		if outside.Valid(time.Now()) {
			t.Error("a feed that does not run vouches for keys")
		}
		// With nothing to do it cannot know what the others should know.
		confirmedBy(t, mustCommit(t, outside, write(store.Mutation{})), nil, []string{"b"})
	})
}

// A process that is cut off in the middle of its changes leaves one of them
// behind in the database, not as many as it has connections: each would hold up
// everybody in turn.
func TestOneCommitInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &crowd{Store: openStore(t)}
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
		a.turn <- struct{}{}
		if _, err := a.Commit(gone, operator, write(store.Mutation{})); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who left waits for a turn: %v", err)
		}
		<-a.turn
	})
}

// crowd counts the commits that are under way together, each of which takes a
// while.
type crowd struct {
	Store
	mu        sync.Mutex
	now, most int
}

func (c *crowd) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
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

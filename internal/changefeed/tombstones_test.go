package changefeed

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee I6: a node that saw a revocation rejects the secret for ever, even after
// a restart with a database that was restored from an older backup.
func TestRevocationSurvivesRestore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	revoked, live := newKey(time.Now(), "revoked"), newKey(time.Now(), "live")
	a := startNode(t, Config{Store: openStore(t), Node: "a", Tombstones: path})
	mustCommit(t, a, create(revoked))
	mustCommit(t, a, create(live))
	mustCommit(t, a, revoke(revoked, time.Now()))
	a.stop()

	restored := openStore(t)
	a = startNode(t, Config{Store: restored, Node: "a", Tombstones: path})
	defer a.stop()
	mustCommit(t, a, create(revoked))
	mustCommit(t, a, create(live))
	if a.admits(revoked) {
		t.Error("a revoked secret came back with an older database")
	}
	if !a.admits(live) {
		t.Error("a live key is rejected")
	}
}

func digest(text string) toksta.Digest { return sha256.Sum256([]byte(text)) }

// Guarantee I6 for nodes that did not see the revocation: a node with a tombstone
// revokes the key again in the restored database, before it takes a lease.
func TestRestoredKeysAreRevokedAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	revoked, rotated, live := newKey(time.Now(), "revoked"), newKey(time.Now(), "rotated"), newKey(time.Now(), "live")
	a := startNode(t, Config{Store: openStore(t), Node: "a", Tombstones: path})
	for _, k := range []toksta.Key{revoked, rotated, live} {
		mustCommit(t, a, create(k))
	}
	mustCommit(t, a, revoke(revoked, time.Now()))
	now := rotated
	now.Generations = append(slices.Clone(now.Generations), toksta.Generation{Digest: digest("new"), Number: 2})
	now.Generations[0].RevokedAt = time.Now()
	mustCommit(t, a, write(store.Mutation{Kind: toksta.ChangeKeyRotated, Keys: []toksta.Key{now}}))
	a.stop()

	restored := openStore(t)
	b := startNode(t, Config{Store: restored, Node: "b"})
	for _, k := range []toksta.Key{revoked, rotated, live} {
		mustCommit(t, b, create(k))
	}
	if !b.admits(revoked) || !b.admits(rotated) {
		t.Fatal("the restored database knows of the revocations: nothing is tested")
	}
	a = startNode(t, Config{Store: restored, Node: "a", Tombstones: path})
	defer a.stop()
	mustCommit(t, b, write(store.Mutation{})) // returns when b has applied all changes
	defer b.stop()
	for _, n := range []node{a, b} {
		if n.admits(revoked) || n.admits(rotated) || !n.admits(live) {
			t.Errorf("%s admits revoked %v, rotated %v, live %v", n.node.ID, n.admits(revoked), n.admits(rotated), n.admits(live))
		}
	}
	changes, err := restored.ListChanges(t.Context(), store.ChangeQuery{Key: revoked.ID})
	if err != nil || changes[0].Actor.Kind != toksta.ActorSystem {
		t.Errorf("the key's history says %v, %v", changes, err)
	}
}

// Guarantee: if the database loses changes under a running node, the process ends,
// because keys that exist only in its index could not be revoked.
func TestLostChangesEndRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, older := openStore(t), openStore(t)
		link := &switched{Store: first, other: older}
		f := New(Config{Store: link, Index: index.New(&toksta.Catalog{}), Node: "a"})
		done, stop := run(t, f)
		defer stop()
		mustCommit(t, f, create(newKey(time.Now(), "k")))
		link.now.Store(true)
		expectLost(t, done)
		if f.Valid(time.Now()) {
			t.Error("the node holds a lease for keys that no database contains")
		}
	})
}

// Guarantee: a revoke with a sequence number that this node applied as another
// change, because the database went back in time, ends the node's lease before the
// call returns. The revoke has not reached the node's index.
func TestReusedSequenceNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, older := openStore(t), openStore(t)
		k := newKey(time.Now(), "k")
		for _, s := range []store.Store{first, older} {
			if _, err := s.Commit(t.Context(), operator, create(k)); err != nil {
				t.Fatal(err)
			}
		}
		link := &switched{Store: first, other: older}
		x := index.New(&toksta.Catalog{})
		n := node{New(Config{Store: link, Index: x, Node: "a"}), x, nil}
		done, stop := run(t, n.Feed)
		defer stop()
		mustCommit(t, n, create(newKey(time.Now(), "lost")))
		synctest.Wait()
		if !n.admits(k) {
			t.Fatal("the key is rejected before: nothing is tested")
		}
		link.now.Store(true)
		mustCommit(t, n, revoke(k, time.Now()))
		if n.admits(k) {
			t.Error("a key is admitted after its revoke")
		}
		expectLost(t, done)
	})
}

// expectLost fails unless Run ends with errLostChanges within one lease of the test's
// clock.
func expectLost(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if !errors.Is(err, errLostChanges) {
			t.Errorf("Run returned %v, want %v", err, errLostChanges)
		}
	case <-time.After(DefaultLease):
		t.Error("Run did not return although the store lost changes")
	}
}

// switched is a node's connection to one database and, once now is set, to
// another one.
type switched struct {
	Store
	other Store
	now   atomic.Bool
}

func (s *switched) store() Store {
	if s.now.Load() {
		return s.other
	}
	return s.Store
}

func (s *switched) Snapshot(ctx context.Context, sink store.DeltaSink) (int64, error) {
	return s.store().Snapshot(ctx, sink)
}

func (s *switched) Follow(ctx context.Context, n store.Node, sink store.DeltaSink) (int64, error) {
	return s.store().Follow(ctx, n, sink)
}

func (s *switched) Commit(ctx context.Context, by toksta.Actor, d store.Decide) (toksta.Change, error) {
	return s.store().Commit(ctx, by, d)
}

func (s *switched) Register(ctx context.Context, n store.Node) error {
	return s.store().Register(ctx, n)
}

func (s *switched) Renew(ctx context.Context, n store.Node) (int64, error) {
	return s.store().Renew(ctx, n)
}

func (s *switched) Ack(ctx context.Context, n store.Node) error { return s.store().Ack(ctx, n) }

func (s *switched) ListNodes(ctx context.Context) ([]store.Node, error) {
	return s.store().ListNodes(ctx)
}

func (s *switched) Leave(ctx context.Context, n store.Node) error { return s.store().Leave(ctx, n) }

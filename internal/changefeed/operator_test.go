package changefeed

import (
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

func newOperatorKey(text string) toksta.OperatorKey {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return toksta.OperatorKey{
		ID: toksta.OperatorKeyID(toksta.NewID(toksta.PrefixOperatorKey, now)), Name: text, Roles: []toksta.Role{toksta.RoleManage}, CreatedAt: now,
		Generations: []toksta.Generation{{Digest: sha256.Sum256([]byte(text)), Number: 1, CreatedAt: now}},
	}
}

func writeOperatorKey(kind toksta.ChangeKind, k toksta.OperatorKey) store.Decide {
	return write(store.Mutation{Kind: kind, OperatorKeyID: k.ID, OperatorKeys: []toksta.OperatorKey{k}})
}

func createOperatorKey(k toksta.OperatorKey) store.Decide {
	return writeOperatorKey(toksta.ChangeOperatorKeyCreated, k)
}

func revokeOperatorKey(k toksta.OperatorKey) store.Decide {
	k.RevokedAt = time.Now()
	return writeOperatorKey(toksta.ChangeOperatorKeyRevoked, k)
}

// rotateOperatorKey replaces the secret of k by the one with the text.
func rotateOperatorKey(k toksta.OperatorKey, text string) store.Decide {
	k.Generations = append(slices.Clone(k.Generations), toksta.Generation{Digest: digest(text), Number: 2})
	k.Generations[0].RevokedAt = time.Now()
	return writeOperatorKey(toksta.ChangeOperatorKeyRotated, k)
}

// acceptsOperator checks the lease and the index, in the order of a request to the operator
// API.
func (n node) acceptsOperator(text string) bool {
	if !n.Valid(time.Now()) {
		return false
	}
	g, ok := n.index.Operator(digest(text))
	return ok && !g.Revoked
}

// Guarantee: when the call returns, every node accepts a created operator key and the new secret
// of a rotated one, and rejects a revoked key and an old secret.
func TestOperatorKeysAreEnforcedOnEveryNode(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	a, b := startNode(t, Config{Store: db, Node: "a"}), startNode(t, Config{Store: db, Node: "b"})
	defer a.stop()
	defer b.stop()
	revoked, rotated := newOperatorKey("revoked"), newOperatorKey("rotated")
	check := func(after string, want map[string]bool) {
		t.Helper()
		for _, n := range []node{a, b} {
			for text, accepts := range want {
				if n.acceptsOperator(text) != accepts {
					t.Errorf("%s, node %s accepts %q: %v", after, n.node.ID, text, !accepts)
				}
			}
		}
	}
	mustCommit(t, a, createOperatorKey(revoked))
	mustCommit(t, b, createOperatorKey(rotated))
	check("after the creation", map[string]bool{"revoked": true, "rotated": true})
	mustCommit(t, a, revokeOperatorKey(revoked))
	check("after the revocation", map[string]bool{"revoked": false, "rotated": true})
	mustCommit(t, b, rotateOperatorKey(rotated, "new"))
	check("after the rotation", map[string]bool{"revoked": false, "rotated": false, "new": true})

	c := startNode(t, Config{Store: db, Node: "c"}) // loads a snapshot
	defer c.stop()
	if c.acceptsOperator("revoked") || c.acceptsOperator("rotated") || !c.acceptsOperator("new") {
		t.Error("a node that starts later has other operator keys")
	}
}

// Guarantee I6 for operator keys: a node with a tombstone rejects a secret that a restored
// database has as live, and revokes it there before it takes a lease, so that nodes without a
// tombstone reject it too.
func TestRestoredOperatorKeysAreRevokedAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	revoked, rotated, live := newOperatorKey("revoked"), newOperatorKey("rotated"), newOperatorKey("live")
	a := startNode(t, Config{Store: openStore(t), Node: "a", Tombstones: path})
	for _, k := range []toksta.OperatorKey{revoked, rotated, live} {
		mustCommit(t, a, createOperatorKey(k))
	}
	mustCommit(t, a, revokeOperatorKey(revoked))
	mustCommit(t, a, rotateOperatorKey(rotated, "new"))
	a.stop()

	restored := openStore(t)
	b := startNode(t, Config{Store: restored, Node: "b"})
	defer b.stop()
	for _, k := range []toksta.OperatorKey{revoked, rotated, live} {
		mustCommit(t, b, createOperatorKey(k))
	}
	if !b.acceptsOperator("revoked") || !b.acceptsOperator("rotated") {
		t.Fatal("the restored database knows of the revocations: nothing is tested")
	}
	a = startNode(t, Config{Store: restored, Node: "a", Tombstones: path})
	defer a.stop()
	mustCommit(t, b, write(store.Mutation{})) // returns when b has applied all changes
	for _, n := range []node{a, b} {
		if n.acceptsOperator("revoked") || n.acceptsOperator("rotated") || !n.acceptsOperator("live") {
			t.Errorf("%s accepts revoked %v, rotated %v, live %v", n.node.ID,
				n.acceptsOperator("revoked"), n.acceptsOperator("rotated"), n.acceptsOperator("live"))
		}
	}
	changes, err := restored.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
	if err != nil || changes[0].Kind != toksta.ChangeOperatorKeyRevoked || changes[0].Actor.Kind != toksta.ActorSystem ||
		changes[0].Detail["name"] != "revoked, rotated" {
		t.Errorf("the audit trail says %+v, %v", changes, err)
	}
}

// Guarantee: a process records the tombstones of operator keys before the call returns, also if
// it is not registered yet and does not follow.
func TestOperatorTombstonesAreRecordedByTheCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	f := New(Config{Store: openStore(t), Node: "a", Tombstones: path})
	if _, err := f.tombstones.open(); err != nil {
		t.Fatal(err)
	}
	defer f.tombstones.close()
	revoked, rotated := newOperatorKey("revoked"), newOperatorKey("rotated")
	mustCommit(t, f, createOperatorKey(revoked))
	mustCommit(t, f, createOperatorKey(rotated))
	mustCommit(t, f, revokeOperatorKey(revoked))
	mustCommit(t, f, rotateOperatorKey(rotated, "new"))
	got, _ := reopen(t, path)
	for text, want := range map[string]bool{"revoked": true, "rotated": true, "new": false} {
		if got.has(digest(text)) != want {
			t.Errorf("a tombstone of %q is recorded: %v", text, !want)
		}
	}
}

package changefeed

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toksta/toksta"
)

// Guarantee I6: a node that saw a revocation refuses the secret for ever, even
// when the database comes back from an older backup and after a restart.
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
		t.Error("a live key is refused")
	}
}

// A crash in the middle of a write must not cost what was noted before, nor
// what is noted after.
func TestTornTombstone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	one, two, three := digest("one"), digest("two"), digest("three")
	note(t, path, one, two)
	whole, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := int64(1); cut <= int64(recordLen); cut++ {
		if err := os.Truncate(path, whole.Size()-cut); err != nil {
			t.Fatal(err)
		}
		note(t, path, three)
		got := reopen(t, path)
		if !got.has(one) || got.has(two) || !got.has(three) {
			t.Fatalf("%d bytes torn off: one %v, two %v, three %v", cut, got.has(one), got.has(two), got.has(three))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		note(t, path, one, two)
	}
	for size := range int64(len(tombstoneHeader)) {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		note(t, path, three)
		if !reopen(t, path).has(three) {
			t.Fatalf("a header of %d bytes spoils the file", size)
		}
	}
}

// A wrong path must not have its file overwritten.
func TestForeignFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(path, []byte("root:x:0:0:root:/root:/bin/bash\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openTombstones(path); err == nil {
		t.Error("a file of another kind is taken for tombstones")
	}
}

func digest(text string) toksta.Digest { return sha256.Sum256([]byte(text)) }

func reopen(t *testing.T, path string) *tombstones {
	t.Helper()
	got, err := openTombstones(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.close() })
	return got
}

func note(t *testing.T, path string, digests ...toksta.Digest) {
	t.Helper()
	tomb := reopen(t, path)
	for _, d := range digests {
		if err := tomb.add(d); err != nil {
			t.Fatal(err)
		}
	}
}

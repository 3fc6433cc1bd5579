package changefeed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a flipped bit costs no tombstone, wherever it is, and the file is
// whole again afterwards.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	digests := numbered(3)
	note(t, path, digests...)
	whole := read(t, path)
	for bit := range 8 * len(whole) {
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		write0600(t, path, damaged)
		got, found := reopen(t, path)
		if missing := missingOf(got, digests); len(missing) > 0 || found != (damage{repaired: 1}) {
			t.Fatalf("bit %d: tombstones %v are missing; %+v", bit, missing, found)
		}
		if diff := cmp.Diff(whole, read(t, path)); diff != "" {
			t.Fatalf("bit %d: the file was not repaired: %s", bit, diff)
		}
	}
}

// Guarantee: damage costs the records that it touches, and no other. Nothing is
// removed from the file, and the damage is reported each time.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	digests := numbered(9)
	path := filepath.Join(t.TempDir(), "tombstones")
	note(t, path, digests...)
	whole := read(t, path)
	record := func(n int) int { return len(tombstoneHeader) + n*recordLen }
	for name, c := range map[string]struct {
		content []byte
		missing []int
		skipped int
	}{
		"a record of zeros":           {slices.Replace(bytes.Clone(whole), record(4), record(5), make([]byte, recordLen)...), []int{4}, recordLen},
		"a page of zeros at the end":  {append(bytes.Clone(whole), make([]byte, 4096)...), nil, 4096},
		"two bits of a record":        {xor(whole, record(2)+3, 0x41), []int{2}, recordLen},
		"the first and the last":      {xor(xor(whole, record(0)+9, 0x60), record(8)+9, 0x60), []int{0, 8}, 2 * recordLen},
		"a record in part, then more": {slices.Insert(bytes.Clone(whole), record(6), whole[record(3):record(3)+20]...), nil, 20},
		"a record that lost a byte":   {slices.Delete(bytes.Clone(whole), record(5)+7, record(5)+8), []int{5}, recordLen - 1},
	} {
		write0600(t, path, c.content)
		for range 2 {
			got, found := reopen(t, path)
			if missing := missingOf(got, digests); !slices.Equal(missing, c.missing) || found != (damage{skipped: c.skipped}) {
				t.Errorf("%s: tombstones %v are missing; %+v", name, missing, found)
			}
		}
		if !bytes.Equal(read(t, path), c.content) {
			t.Errorf("%s: the file was changed", name)
		}
		later := digest("later " + name)
		note(t, path, later)
		if got, _ := reopen(t, path); !got.has(later) {
			t.Errorf("%s: a tombstone behind it is lost", name)
		}
	}
}

// Guarantee: a process that is killed in the middle of a write costs nothing
// that was recorded before, nor anything that is recorded after.
func TestTornTombstone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	digests := numbered(3)
	note(t, path, digests[:2]...)
	whole := read(t, path)
	for size := range len(whole) {
		write0600(t, path, whole[:size])
		_, found := reopen(t, path)
		if size > len(tombstoneHeader) && found != (damage{torn: (size - len(tombstoneHeader)) % recordLen}) {
			t.Fatalf("%d bytes: %+v", size, found)
		}
		note(t, path, digests[2])
		got, found := reopen(t, path)
		want := max(0, size-len(tombstoneHeader)) / recordLen
		if missing := missingOf(got, digests); len(missing) != 2-want || !got.has(digests[2]) || found != (damage{}) {
			t.Fatalf("%d bytes: tombstones %v are missing; %+v", size, missing, found)
		}
	}
}

// Guarantee: a wrong path does not have its file overwritten.
func TestForeignFileIsRejected(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "passwd")
	write0600(t, path, []byte("root:x:0:0:root:/root:/bin/bash\n"))
	if _, err := newTombstones(path).open(); err == nil {
		t.Error("a file of another kind is taken for tombstones")
	}
	f := New(Config{Store: openStore(t), Index: index.New(&toksta.Catalog{}), Node: "a", Tombstones: path})
	ctx, cancel := context.WithTimeout(t.Context(), DefaultLease)
	defer cancel()
	if err := f.Run(ctx); err == nil {
		t.Error("a node runs without its tombstone file")
	}
}

// Guarantee: a full disk leaves no incomplete record, and the remaining records are
// written when there is space.
func TestTombstonesOnFullDisk(t *testing.T) {
	dir := smallDisk(t, "size=8k")
	path, filler := filepath.Join(dir, "tombstones"), filepath.Join(dir, "filler")
	tomb, _ := reopen(t, path)
	write0600(t, filler, make([]byte, 4096))
	digests, failed := numbered(200), 0
	for _, d := range digests {
		tomb.add(d)
		if tomb.flush() != nil {
			failed++
		}
	}
	if size := len(read(t, path)) - len(tombstoneHeader); failed == 0 || failed == len(digests) || size%recordLen != 0 {
		t.Fatalf("%d of %d writes failed, the records have %d bytes", failed, len(digests), size)
	}
	if _, err := tomb.check(); err == nil {
		t.Error("the check does not report revocations that are not recorded")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if recorded, err := tomb.check(); err != nil || recorded != len(digests) {
		t.Errorf("with room again %d of %d are recorded: %v", recorded, len(digests), err)
	}
	if got, found := reopen(t, path); len(missingOf(got, digests)) > 0 || found != (damage{}) {
		t.Errorf("the file lacks %v; %+v", missingOf(got, digests), found)
	}
}

// Guarantee: the check reads the file, not the memory.
func TestTombstonesAreCheckedInTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	note(t, path, numbered(5)...)
	tomb, _ := reopen(t, path)
	whole := read(t, path)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"a flipped bit":           {xor(whole, 40, 1), "%[1]s is damaged, records with a flipped bit: 1"},
		"an empty file":           {[]byte(tombstoneHeader), "%[1]s lacks 5 of 5 revoked secrets"},
		"zeros at the end":        {append(bytes.Clone(whole), make([]byte, recordLen)...), "%[1]s is damaged, damaged bytes: 36"},
		"an incomplete record":    {whole[:len(whole)-1], "%[1]s lacks 1 of 5 revoked secrets and is damaged, bytes of an incomplete record at the end: 35"},
		"records that are zeroed": {slices.Replace(bytes.Clone(whole), len(tombstoneHeader), len(tombstoneHeader)+2*recordLen, make([]byte, 2*recordLen)...), "%[1]s lacks 2 of 5 revoked secrets and is damaged, damaged bytes: 72"},
		"another file":            {[]byte("root:x:0:0:root:/root:/bin/bash\n"), "read the tombstones in %[1]s: this is not a tombstone file; correct the path, or keep the file elsewhere"},
	} {
		write0600(t, path, c.content)
		if _, err := tomb.check(); err == nil || err.Error() != fmt.Sprintf(c.want, path) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	write0600(t, path, whole)
	if n, err := tomb.check(); err != nil || n != 5 {
		t.Errorf("%d of 5 are recorded: %v", n, err)
	}
}

// Guarantee: a revocation that cannot be recorded takes effect, and is not
// acknowledged. It is recorded once that is possible, and a repeat then succeeds.
func TestUnrecordedRevocationIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	one := newKey(time.Now(), "one")
	a := startNode(t, Config{Store: openStore(t), Node: "a", Tombstones: path})
	defer a.stop()
	mustCommit(t, a, create(one))
	writable := a.tombstones.file
	a.tombstones.mu.Lock()
	readOnly, err := os.Open(path)
	a.tombstones.file = readOnly
	a.tombstones.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Commit(t.Context(), operator, revoke(one, time.Now()))
	if toksta.ErrorCode(err) != toksta.CodeUnavailable {
		t.Errorf("the revocation ended with %v", err)
	}
	if a.admits(one) {
		t.Error("the key is admitted")
	}
	if _, err := a.CheckTombstones(); err == nil {
		t.Error("the check does not report it")
	}
	a.tombstones.mu.Lock()
	a.tombstones.file = writable
	a.tombstones.mu.Unlock()
	if err := readOnly.Close(); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, a, revoke(one, time.Now()))
	if got, _ := reopen(t, path); !got.has(one.Current().Digest) {
		t.Error("the repeat did not record it")
	}
}

// Guarantee: a process that is not registered yet, and does not follow, records the
// revocations that it commits.
func TestRevocationOutsideTheClusterIsRecorded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	one := newKey(time.Now(), "one")
	f := New(Config{Store: openStore(t), Node: "a", Tombstones: path})
	if _, err := f.tombstones.open(); err != nil {
		t.Fatal(err)
	}
	defer f.tombstones.close()
	mustCommit(t, f, create(one))
	mustCommit(t, f, revoke(one, time.Now()))
	if got, _ := reopen(t, path); !got.has(one.Current().Digest) {
		t.Error("it was not recorded")
	}
}

func numbered(n int) []toksta.Digest {
	out := make([]toksta.Digest, n)
	for i := range out {
		out[i] = digest(fmt.Sprint(i))
	}
	return out
}

func missingOf(t *tombstones, digests []toksta.Digest) (numbers []int) {
	for i, d := range digests {
		if !t.has(d) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func reopen(t *testing.T, path string) (*tombstones, damage) {
	t.Helper()
	got := newTombstones(path)
	found, err := got.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.close() })
	return got, found
}

// note records digests by a process of its own.
func note(t *testing.T, path string, digests ...toksta.Digest) {
	t.Helper()
	tomb, _ := reopen(t, path)
	for _, d := range digests {
		tomb.add(d)
	}
	if err := tomb.flush(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write0600(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func xor(content []byte, at int, mask byte) []byte {
	out := bytes.Clone(content)
	out[at] ^= mask
	return out
}

// smallDisk mounts a file system in memory of a given size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, size); err != nil {
		t.Skipf("SKIPPED, needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

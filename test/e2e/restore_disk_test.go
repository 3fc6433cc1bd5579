package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a revocation that was acknowledged while the disk filled up survives the
// documented restore, also if bits of the tombstones flip.
func TestRestoreAfterFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		apptest.Require(t, "sqlite3")
		p := buildRestorable(t).onSmallDisk("16m")
		p.revokeWhileDiskFills(40<<10,
			`sqlite3 "$TOKSTA_DATA/toksta.db" ".backup $TOKSTA_METER_DIR/backup.db"`,
			`rm -f "$TOKSTA_DATA"/toksta.db-*; cp "$TOKSTA_METER_DIR/backup.db" "$TOKSTA_DATA/toksta.db"`)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		p := buildRestorableOn(t, pgtest.Start(t).NewDatabase(t)).onSmallDisk("64k")
		p.revokeWhileDiskFills(16<<10,
			`pg_dump -Fc --exclude-table-data=nodes -d "$TOKSTA_STORE_URL" -f "$TOKSTA_METER_DIR/dump"`,
			`pg_restore --clean --if-exists --single-transaction -d "$TOKSTA_STORE_URL" "$TOKSTA_METER_DIR/dump"`)
	})
}

// onSmallDisk moves the data directory to a new file system of the given size. The journal
// and the socket stay in their place.
func (p restorable) onSmallDisk(size string) restorable {
	dir := p.Dir()
	disk := p.disk()
	if err := os.Mkdir(disk, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
		p.t.Skipf("SKIPPED, needs root to mount a small file system: %v", err)
	}
	p.t.Cleanup(func() {
		p.Kill()
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			p.t.Error(err)
		}
	})
	p.Env = append(p.Env, "TOKSTA_DATA="+disk, "TOKSTA_LISTEN_PRIVATE="+p.Socket,
		"TOKSTA_METER_DIR="+filepath.Join(dir, "meter"), "TOKSTA_KEYS_MAX_LIVE=2000")
	return p
}

// disk returns the path at which onSmallDisk mounts the file system.
func (p restorable) disk() string { return filepath.Join(p.Dir(), "disk") }

// revokeWhileDiskFills makes a backup, revokes 1,000 keys one by one on a disk that has
// little space left after 200 of them, and restores the backup.
func (p restorable) revokeWhileDiskFills(room int64, backup, restore string) {
	p.t.Helper()
	p.Start()
	secrets := p.importKeys(1000)
	p.sh(backup)
	filler := filepath.Join(p.disk(), "filler")
	var (
		mu           sync.Mutex
		acknowledged []string
		group        errgroup.Group
		tried        int
	)
	group.SetLimit(4)
	for id, secret := range secrets {
		if tried++; tried == 200 {
			fillDisk(p.t, filler, room)
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
			defer cancel()
			if _, err := p.API.RevokeKey(ctx, client.KeyRef{Key: id}); err != nil {
				return nil // on a full disk: not acknowledged
			}
			mu.Lock()
			defer mu.Unlock()
			acknowledged = append(acknowledged, secret)
			return nil
		})
	}
	_ = group.Wait()
	if len(acknowledged) < 100 || len(acknowledged) > 990 {
		p.t.Fatalf("%d of 1000 revocations were acknowledged: the disk did not fill", len(acknowledged))
	}
	p.t.Logf("%d of 1000 revocations were acknowledged", len(acknowledged))
	check := func(when string) {
		p.t.Helper()
		p.sh(restore)
		p.Start()
		alive := 0
		for _, secret := range acknowledged {
			if apptest.Status(p.URL, secret) != 401 {
				alive++
			}
		}
		if alive > 0 {
			p.t.Errorf("%s, %d of %d revoked keys do not respond 401", when, alive, len(acknowledged))
		}
		health, err := p.API.Health(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		i := slices.IndexFunc(health.Checks, func(c client.Check) bool { return c.Name == "tombstones" })
		if i < 0 || health.Checks[i].Level != client.LevelOK {
			p.t.Errorf("%s, the doctor says %v", when, health.Checks)
		}
		p.Kill()
	}
	p.Kill()
	if err := os.Remove(filler); err != nil {
		p.t.Fatal(err)
	}
	check("after the restore")
	tombstones := filepath.Join(p.disk(), "tombstones")
	content, err := os.ReadFile(tombstones)
	if err != nil {
		p.t.Fatal(err)
	}
	for at := 30; at < len(content); at += 37 {
		content[at] ^= 1 << (at % 8)
	}
	if err := os.WriteFile(tombstones, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	check("with flipped bits")
}

// importKeys makes n keys of one account and returns their secrets.
func (p restorable) importKeys(n int) map[toksta.KeyID]string {
	p.t.Helper()
	r := client.ImportRequest{}
	owner := apptest.NewAccount(p.t, p.API, "Restored")
	byName := map[string]string{}
	for i := range n {
		secret := fmt.Sprintf("tk_live_restored%032d", i)
		digest := sha256.Sum256([]byte(secret))
		name := fmt.Sprint("key ", i)
		byName[name] = secret
		r.Rows = append(r.Rows, client.ImportRow{Digest: hex.EncodeToString(digest[:]), Account: owner, Name: name})
	}
	if got, err := p.API.ImportKeys(p.t.Context(), r); err != nil || got.Imported != n {
		p.t.Fatalf("%d keys were imported, %v: %v", got.Imported, got.Rejected, err)
	}
	secrets := map[toksta.KeyID]string{}
	for after := toksta.KeyID(""); ; {
		page, err := p.API.ListKeys(p.t.Context(), client.ListKeysRequest{Account: owner, After: after, Limit: 1000})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, k := range page.Keys {
			secrets[k.ID] = byName[k.Name]
		}
		if after = page.Next; after == "" {
			return secrets
		}
	}
}

// fillDisk fills the file system of path until about room bytes are free.
func fillDisk(t *testing.T, path string, room int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(0)
	for page := make([]byte, 4096); ; {
		n, err := f.Write(page)
		size += int64(n)
		if errors.Is(err, unix.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(max(0, size-room)); err != nil {
		t.Fatal(err)
	}
}

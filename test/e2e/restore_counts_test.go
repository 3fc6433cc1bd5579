package e2e

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the documented restore keeps every call that was counted since the backup,
// whether the server was stopped or killed.
func TestRestoreKeepsCounts(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL} {
		t.Run("SQLite/"+name, func(t *testing.T) {
			t.Parallel()
			apptest.Require(t, "sqlite3")
			buildRestorable(t).countOverRestore(by,
				`sqlite3 "$TOKSTA_DATA/toksta.db" ".backup $TOKSTA_DATA/backup.db"`,
				`cd "$TOKSTA_DATA"; cp backup.db toksta.db && rm -f toksta.db-wal toksta.db-shm`)
		})
		t.Run("PostgreSQL/"+name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Start(t).NewDatabase(t)
			dump := filepath.Join(t.TempDir(), "toksta.dump")
			buildRestorableOn(t, url).countOverRestore(by,
				`pg_dump -Fc --exclude-table-data=nodes -d "$TOKSTA_STORE_URL" -f `+dump,
				`pg_restore --clean --if-exists --single-transaction -d "$TOKSTA_STORE_URL" `+dump)
		})
	}
}

func (p restorable) countOverRestore(by syscall.Signal, backup, restore string) {
	p.t.Helper()
	p.Env = append(p.Env, "TOKSTA_METER_FLUSH_INTERVAL=100ms")
	p.Start()
	owner := apptest.NewAccount(p.t, p.API, "Counted")
	secret := apptest.NewKey(p.t, p.API, owner, "counted").Secret
	responses := 0
	call := func(n int) {
		p.t.Helper()
		for range n {
			if got := apptest.Status(p.URL, secret); got != 200 {
				p.t.Fatalf("a call responds %d", got)
			}
			responses++
		}
	}
	call(20)
	p.wantCalls(owner, responses)
	p.sh(backup)
	call(30)
	p.wantCalls(owner, responses) // flushed, so that the database has them
	call(40)
	_ = p.End(by)
	p.sh(restore)
	p.Start()
	p.wantCalls(owner, responses)
	call(10)
	p.wantCalls(owner, responses)
}

// wantCalls waits until the usage of an account has so many calls.
func (p restorable) wantCalls(owner toksta.AccountID, want int) {
	p.t.Helper()
	got, read := int64(0), error(nil)
	defer func() {
		if p.t.Failed() {
			p.t.Logf("the usage has %d calls of %d: %v", got, want, read)
		}
	}()
	apptest.Eventually(p.t, fmt.Sprintf("the usage never has %d calls", want), func() bool {
		usage, err := p.API.UsageBy(p.t.Context(), client.UsageByRequest{AccountRef: client.AccountRef{Account: owner}, By: "key"})
		got, read = usage.Total.Calls, err
		return err == nil && got == int64(want)
	})
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// restorable is a program whose database a test restores by the commands of the
// operations page.
type restorable struct {
	*apptest.Program
	t *testing.T
}

func buildRestorable(t *testing.T) restorable {
	t.Helper()
	return restorable{apptest.Build(t), t}
}

// buildRestorableOn builds a node of the database at url.
func buildRestorableOn(t *testing.T, url string) restorable {
	t.Helper()
	return restorable{apptest.Build(t).On(url), t}
}

// restored holds secrets of keys: live ones, and ones that ended after the backup.
type restored struct {
	live, revoked, rotated, together string
}

// backUp creates keys, makes a backup by a command, and then ends three of the keys. It
// returns a file with the ids that the operations page tells the operator to record.
func (p restorable) backUp(backup string) (r restored, ended string) {
	p.t.Helper()
	owner := apptest.NewAccount(p.t, p.API, "Lasting")
	live, revoked := apptest.NewKey(p.t, p.API, owner, "live,revoked,"), apptest.NewKey(p.t, p.API, owner, "revoked")
	rotated := apptest.NewKey(p.t, p.API, owner, "replaces "+string(live.Key.ID))
	together := apptest.NewKey(p.t, p.API, owner, "together")
	earlier := apptest.NewKey(p.t, p.API, owner, "rotated before the backup")
	renewed, err := p.API.RotateKey(p.t.Context(), client.RotateKeyRequest{KeyRef: client.KeyRef{Key: earlier.Key.ID}})
	if err != nil {
		p.t.Fatal(err)
	}
	// An operator key that ends after the backup; its id is the only line of this file.
	p.sh(`toksta operator-keys create lost --role manage >/dev/null; toksta operator-keys create kept --role read >/dev/null
		toksta operator-keys list -o csv --columns id,name | grep ',lost$' | cut -d, -f1 > "$TOKSTA_DATA/operators"`)
	p.sh(backup)
	p.sh(`toksta operator-keys rotate $(cat "$TOKSTA_DATA/operators") --yes`)
	later := apptest.NewKey(p.t, p.API, owner, "made after the backup")
	p.sh(`toksta keys revoke ` + string(later.Key.ID) + ` --yes`)
	p.sh(`toksta audit --limit 1 -o csv | tail -n 1 | cut -d, -f1 > "$TOKSTA_DATA/last"`)
	p.sh(`toksta keys revoke ` + string(revoked.Key.ID) + ` --yes`)
	p.sh(`toksta keys rotate ` + string(rotated.Key.ID) + ` --yes`)
	if _, err := p.API.RevokeKeys(p.t.Context(), client.RevokeManyRequest{Keys: []toksta.KeyID{together.Key.ID}}); err != nil {
		p.t.Fatal(err)
	}
	ended = filepath.Join(p.Dir(), "ended")
	p.sh(`toksta keys list --revoked -o csv --columns state,id | grep '^revoked,' | cut -d, -f2 > ` + ended)
	p.sh(`toksta audit --limit 0 -o csv --columns seq,change,subject |
		awk -F, -v last="$(cat "$TOKSTA_DATA/last")" '$1 > last && $2 == "key.rotated" { print $3 }' >> ` + ended)
	return restored{live.Secret + " " + renewed.Secret, revoked.Secret, rotated.Secret, together.Secret}, ended
}

// sh runs a shell command of the operations page, with the program as toksta.
func (p restorable) sh(line string) {
	p.t.Helper()
	c := p.Command("bash", "-euo", "pipefail", "-c", "toksta() { "+p.Path+` "$@"; }; `+line)
	if out, err := c.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// checkSecrets fails the test unless live secrets are admitted and ended ones get the
// status.
func (p restorable) checkSecrets(r restored, status int) {
	p.t.Helper()
	for _, secret := range strings.Fields(r.live) {
		if got := apptest.Status(p.URL, secret); got != 200 {
			p.t.Errorf("a live key gets %d", got)
		}
	}
	for name, secret := range map[string]string{"revoked": r.revoked, "rotated": r.rotated, "revoked together": r.together} {
		if got := apptest.Status(p.URL, secret); got != status {
			p.t.Errorf("a secret that was %s after the backup gets %d, want %d", name, got, status)
		}
	}
}

// Guarantee: on SQLite, restoring a backup from before a revocation does not make the key
// live again, if the node has its tombstones or the operator follows the operations page.
func TestRestoreOnSQLite(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "sqlite3")
	p := buildRestorable(t)
	p.Start()
	r, ended := p.backUp(`sqlite3 "$TOKSTA_DATA/toksta.db" ".backup $TOKSTA_DATA/backup.db"`)
	restore := `cd "$TOKSTA_DATA"; rm -f toksta.db-wal toksta.db-shm; cp backup.db toksta.db`
	p.Stop()
	p.sh(restore)
	p.Start()
	p.checkSecrets(r, 401)
	p.sh(`toksta audit -o csv | grep -q ',keys.revoked,system restore,'`)
	p.sh(`toksta audit -o csv | grep -q ',operator_key.revoked,system restore,'`)
	p.sh(`test "$(toksta operator-keys list -o csv --columns name | tail -n +2)" = kept`)
	p.Stop()
	p.sh(restore + `; rm tombstones`)
	p.Start()
	p.checkSecrets(r, 200)
	p.sh(`test "$(toksta operator-keys list -o csv --columns name | tail -n +2 | wc -l)" = 2`)
	p.sh(`toksta keys revoke-many --ids ` + ended + ` --skip-unknown --yes`)
	p.sh(`xargs -r ` + p.Path + ` operator-keys revoke op_none --skip-unknown --yes < "$TOKSTA_DATA/operators"`)
	p.checkSecrets(r, 401)
	p.sh(`test "$(toksta operator-keys list -o csv --columns name | tail -n +2)" = kept`)
}

// checkNoWait makes a change, which must not wait for nodes that ran when the backup was
// made.
func (p restorable) checkNoWait() {
	p.t.Helper()
	page, err := p.API.ListAccounts(p.t.Context(), client.ListAccountsRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	renamed, err := p.API.RenameAccount(p.t.Context(), client.RenameAccountRequest{
		AccountRef: client.AccountRef{Account: page.Accounts[0].ID}, Name: "Restored",
	})
	if err != nil || len(renamed.Receipt.Fenced) > 0 {
		p.t.Errorf("the first change waited for %v: %v", renamed.Receipt.Fenced, err)
	}
}

// Guarantee: on PostgreSQL, restoring a backup from before a revocation does not make the key
// live again: neither on a node with its tombstones, nor on another node once such a node
// runs, nor without one if the operator follows the operations page.
func TestRestoreOnPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).NewDatabase(t)
	dump := filepath.Join(t.TempDir(), "toksta.dump")
	first, second, fresh := buildRestorableOn(t, url), buildRestorableOn(t, url), buildRestorableOn(t, url)
	first.Start()
	second.Start()
	r, ended := first.backUp(`pg_dump -Fc --exclude-table-data=nodes -d "$TOKSTA_STORE_URL" -f ` + dump)
	restore := `pg_restore --clean --if-exists --single-transaction -d "$TOKSTA_STORE_URL" ` + dump
	first.Stop()
	second.Stop()
	first.sh(restore)

	fresh.Start() // contrary to the operations page, a node without tombstones starts first
	fresh.checkSecrets(r, 200)
	fresh.checkNoWait()
	second.Start()
	second.checkSecrets(r, 401)
	apptest.Eventually(t, "the other node does not apply the revocation", func() bool { return apptest.Status(fresh.URL, r.together) == 401 })
	fresh.checkSecrets(r, 401)
	first.Start()
	first.checkSecrets(r, 401)

	// A node that is not stopped during the restore.
	first.Stop()
	fresh.Kill()
	first.sh(restore)
	late := time.AfterFunc(20*time.Second, func() { _ = second.Process.Process.Kill() })
	if err := second.Process.Wait(); err == nil || !late.Stop() {
		t.Errorf("a node continued with changes that its database lost: %v", err)
	}
	second.Process = nil
	for _, p := range []restorable{first, second, fresh} {
		if err := os.Remove(filepath.Join(p.Dir(), "tombstones")); err != nil {
			t.Fatal(err)
		}
		p.Start()
	}
	first.checkSecrets(r, 200)
	first.sh(`toksta keys revoke-many --ids ` + ended + ` --skip-unknown --yes`)
	for _, p := range []restorable{first, second, fresh} {
		p.checkSecrets(r, 401)
	}
}

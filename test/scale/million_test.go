// Package scale tests servers with many keys, with many calls at once and while nodes
// join.
package scale

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// The bars of a node with a million keys.
const (
	leastImport   = 20_000 // keys a second
	longestStart  = 10 * time.Second
	mostResident  = 300 << 10 // KiB
	slowestVerify = 2.0       // median with the keys, of the median without
)

// Guarantee: a vendor moves in with all its keys by one command, customers go
// on with the secrets they have, repeating the command or trying it dry harms
// nothing, and the keys are there after a restart.
//
// TOKSTA_MILLION=1 does it with a million keys and holds the bars on time and
// memory.
func TestMillionKeys(t *testing.T) {
	for _, c := range []struct {
		shape   string
		perUser int
	}{{"hundred keys an account", 100}, {"one key an account", 1}} {
		t.Run(c.shape, func(t *testing.T) {
			keys, full := 50_000, os.Getenv("TOKSTA_MILLION") == "1"
			if full {
				keys = 1_000_000
			}
			m := &migration{Program: apptest.Build(t), keys: keys, perAccount: c.perUser}
			m.run(t, full)
		})
	}
}

// migration is one move of keys from elsewhere.
type migration struct {
	*apptest.Program
	keys, perAccount int
	file             string
}

// imported is what the command prints.
type imported struct{ Rows, Imported, Existing, Rejected int }

func (m *migration) run(t *testing.T, full bool) {
	m.prepare(t)
	m.Start()
	before := m.median(t, m.native(t))

	var dry, first, again imported
	m.CLI(&dry, "keys", "import", m.file, "--dry-run")
	if want := (imported{Rows: m.keys, Imported: m.keys}); dry != want {
		t.Errorf("dry run: %+v, want %+v", dry, want)
	}
	if got := apptest.Status(m.URL, oldSecret(0)); got != 401 {
		t.Errorf("after a dry run a key answers %d", got)
	}
	began := time.Now()
	m.CLI(&first, "keys", "import", m.file)
	took := time.Since(began)
	if want := (imported{Rows: m.keys, Imported: m.keys}); first != want {
		t.Errorf("import: %+v, want %+v", first, want)
	}
	m.sample(t)
	m.CLI(&again, "keys", "import", m.file)
	if want := (imported{Rows: m.keys, Existing: m.keys}); again != want {
		t.Errorf("repeated import: %+v, want %+v", again, want)
	}
	m.Stop()
	cold := m.Start()
	m.sample(t)
	after := m.median(t, oldSecret(m.keys/2))
	resident := m.resident(t)

	rate := float64(m.keys) / took.Seconds()
	ratio := float64(after) / float64(before)
	t.Logf("%d keys: import %.0f/s, cold start %v, resident %d MiB, verify %v before, %v after (%.2f)",
		m.keys, rate, cold.Round(time.Millisecond), resident>>10, before, after, ratio)
	if full && (rate < leastImport || cold > longestStart || resident > mostResident || ratio > slowestVerify) {
		t.Errorf("a bar is missed: import %d/s, cold start %v, resident %d MiB, ratio %v", leastImport, longestStart, mostResident>>10, slowestVerify)
	}
}

// prepare makes the accounts, straight in the store since nobody imports
// those, and the file of their keys.
func (m *migration) prepare(t *testing.T) {
	dir := filepath.Dir(m.Socket)
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, "toksta.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	accounts := make([]toksta.Account, m.keys/m.perAccount)
	for i := range accounts {
		// One a minute, as customers come; the file has them by age.
		since := now.Add(time.Duration(i-len(accounts)) * time.Minute)
		accounts[i] = toksta.Account{
			ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, since)), Name: "Customer " + strconv.Itoa(i),
			Plan: "API_ENTERPRISE", Status: toksta.StatusActive, CreatedAt: since, CycleAnchor: since,
			Entitlements: toksta.Entitlements{PerMinute: 1_000_000},
		}
	}
	for batch := range slices.Chunk(accounts, 10_000) {
		_, err := db.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorSystem}, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: batch}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	m.file = filepath.Join(dir, "keys.csv")
	out, err := os.Create(m.file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "digest,account,name,start,end")
	for i := range m.keys {
		secret := oldSecret(i)
		fmt.Fprintf(w, "%x,%s,Key %d,%s,%s\n", sha256.Sum256([]byte(secret)), accounts[i/m.perAccount].ID, i, secret[8:12], secret[52:])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// oldSecret is the secret that a customer has of the old system.
func oldSecret(i int) string { return fmt.Sprintf("tk_live_%048x", i) }

// native makes an account and a key on the node itself.
func (m *migration) native(t *testing.T) string {
	return apptest.NewKey(t, m.API, apptest.NewAccount(t, m.API, "Native"), "Native").Secret
}

// sample checks keys from all over the file.
func (m *migration) sample(t *testing.T) {
	t.Helper()
	for i := 0; i < m.keys; i += m.keys / 200 {
		if got := apptest.Status(m.URL, oldSecret(i)); got != 200 {
			t.Fatalf("imported key %d answers %d", i, got)
		}
	}
	if got := apptest.Status(m.URL, oldSecret(m.keys)); got != 401 {
		t.Errorf("a key that was not imported answers %d", got)
	}
}

// median is the middle time of a refusal, which is answered by this node
// alone: the key is known, the operation is none of its plan's.
func (m *migration) median(t *testing.T, secret string) time.Duration {
	t.Helper()
	took := make([]time.Duration, 2000)
	for i := range took {
		began := time.Now()
		res := apptest.Send(t, m.URL, "GET /v1/campaigns", secret)
		took[i] = time.Since(began)
		if res.Status != 403 {
			t.Fatalf("a workspace call answers %d", res.Status)
		}
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// resident is the process's memory in KiB.
func (m *migration) resident(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(m.Process.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

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

func TestMain(m *testing.M) { apptest.Main(m) }

// The limits of a node with a million keys.
const (
	leastImport   = 20_000 // keys a second
	longestStart  = 10 * time.Second
	mostResident  = 300 << 10 // KiB
	slowestVerify = 2.0       // median with the keys, relative to the median without
)

// Guarantee: a vendor imports all its keys by one command, and customers keep their secrets.
// A repeated command and a dry run change nothing. The keys persist over a restart.
//
// TOKSTA_MILLION=1 uses a million keys and checks the limits on time and memory.
func TestMillionKeys(t *testing.T) {
	for _, c := range []struct {
		shape      string
		perAccount int
	}{{"hundred keys an account", 100}, {"one key an account", 1}} {
		t.Run(c.shape, func(t *testing.T) {
			keys, full := 50_000, os.Getenv("TOKSTA_MILLION") == "1"
			if full {
				keys = 1_000_000
			}
			m := &migration{Program: apptest.Build(t), keys: keys, perAccount: c.perAccount}
			m.run(t, full)
		})
	}
}

// migration is an import of keys from another system.
type migration struct {
	*apptest.Program
	keys, perAccount int
	file             string
}

// imported is the output of the command.
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
		t.Errorf("after a dry run a key gets %d", got)
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
		t.Errorf("a limit is exceeded: import %d/s, cold start %v, resident %d MiB, ratio %v", leastImport, longestStart, mostResident>>10, slowestVerify)
	}
}

// prepare writes the accounts, which no command imports, into the database, and the keys
// into a file.
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
		// One account a minute; the file has them by age.
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

// oldSecret returns a secret of the other system.
func oldSecret(i int) string { return fmt.Sprintf("tk_live_%048x", i) }

// native creates an account and a key on the node.
func (m *migration) native(t *testing.T) string {
	return apptest.NewKey(t, m.API, apptest.NewAccount(t, m.API, "Native"), "Native").Secret
}

// sample checks keys at regular distances in the file.
func (m *migration) sample(t *testing.T) {
	t.Helper()
	for i := 0; i < m.keys; i += m.keys / 200 {
		if got := apptest.Status(m.URL, oldSecret(i)); got != 200 {
			t.Fatalf("imported key %d gets %d", i, got)
		}
	}
	if got := apptest.Status(m.URL, oldSecret(m.keys)); got != 401 {
		t.Errorf("a key that was not imported gets %d", got)
	}
}

// median returns the median latency of rejections, which need no upstream: the key's plan
// does not contain the operation.
func (m *migration) median(t *testing.T, secret string) time.Duration {
	t.Helper()
	took := make([]time.Duration, 2000)
	for i := range took {
		began := time.Now()
		res := apptest.Send(t, m.URL, "GET /v1/campaigns", secret)
		took[i] = time.Since(began)
		if res.Status != 403 {
			t.Fatalf("a workspace call gets %d", res.Status)
		}
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// resident returns the resident memory of the process in KiB.
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

package index

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a look-up causes no work for the garbage collector.
func TestLookupAllocatesNothing(t *testing.T) {
	x := New(catalog())
	fill(x, 2000, 10)
	for _, d := range []toksta.Digest{digest(7), digest(1 << 30)} {
		if n := testing.AllocsPerRun(100, func() { x.Lookup(d) }); n != 0 {
			t.Errorf("a look-up makes %v allocations, want 0", n)
		}
	}
}

// Guarantee: a node holds a million keys in the documented memory, with many keys
// per account or one.
func TestBytesPerKey(t *testing.T) {
	const keys = 40_000
	for _, c := range []struct{ accounts, most int }{{400, 120}, {keys, 225}} {
		before := live()
		x := New(catalog())
		fill(x, keys, c.accounts)
		per := int(live()-before) / keys
		runtime.KeepAlive(x)
		t.Logf("%d accounts: %d bytes a key", c.accounts, per)
		if per > c.most {
			t.Errorf("%d accounts: %d bytes a key, want at most %d", c.accounts, per, c.most)
		}
	}
}

// Guarantee: the standing of an account without calls is removed from memory
// eventually.
func TestStandingsAreBounded(t *testing.T) {
	x := New(catalog())
	n := len(x.accounts.recent.ring) + 10
	for i := range n {
		x.PutAccount(toksta.Account{ID: toksta.AccountID(fmt.Sprint(i)), Plan: "BUILD", Status: "active"})
		x.Standing(toksta.AccountID(fmt.Sprint(i)))
	}
	resolved := 0
	for i := range n {
		ref := x.accounts.lookup(toksta.AccountID(fmt.Sprint(i)))
		if x.accounts.slots.at(ref).version.Load().standing.Load() != nil {
			resolved++
		}
	}
	if resolved != n-10 {
		t.Errorf("%d of %d accounts have a standing, want %d", resolved, n, n-10)
	}
	if x.Standing("0") == nil {
		t.Error("a removed standing is not computed again")
	}
}

func BenchmarkLookup(b *testing.B) {
	x := New(catalog())
	fill(x, 1_000_000, 10_000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		x.Lookup(digest(n))
		n = (n + 7919) % 1_000_000
	}
}

// BenchmarkMillion measures the memory and the loading time of a million keys.
func BenchmarkMillion(b *testing.B) {
	for _, accounts := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			for b.Loop() {
				before, start := live(), time.Now()
				x := New(catalog())
				fill(x, 1_000_000, accounts)
				took := time.Since(start)
				peak := resident()
				b.ReportMetric(float64(live()-before)/1e6, "bytes/key")
				b.ReportMetric(took.Seconds(), "s/load")
				b.ReportMetric(peak, "peakMB")
				runtime.KeepAlive(x)
			}
		})
	}
}

// fill puts keys in the form of a store's rows, each with memory of its own.
func fill(x *Index, keys, accounts int) {
	since := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for i := range accounts {
		x.PutAccount(toksta.Account{
			ID: toksta.AccountID(fmt.Sprintf("acct_%026d", i)), Name: fmt.Sprintf("Customer %d Ltd", i), Plan: "BUILD",
			Status: "active", StatusSince: since, Cadence: "monthly", CycleAnchor: since, CreatedAt: since, Seq: int64(i),
		})
	}
	for i := range keys {
		g := toksta.Grant{KeyID: toksta.KeyID(fmt.Sprintf("key_%026d", i)), Generation: 1}
		if i%4 == 0 {
			g.Limits = &toksta.Limits{Scopes: []toksta.Family{toksta.Family([]byte("data"))}}
		}
		x.PutGrant(digest(i), toksta.AccountID(fmt.Sprintf("acct_%026d", i%accounts)), g)
	}
}

func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident returns the peak resident memory of this process in MB, or 0 if the
// system does not report it.
func resident() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "VmHWM:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1000
		}
	}
	return 0
}

// requireFilled fails if a field of v is zero, because a comparison of whole values
// would not test that field.
func requireFilled(t *testing.T, v any) {
	t.Helper()
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if r.Type().Field(i).Name != "Entitlements" && r.Field(i).IsZero() {
			t.Errorf("the test does not set %s", r.Type().Field(i).Name)
		}
	}
}

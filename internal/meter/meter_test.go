package meter

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	testAccount = "acct_01ARZ3NDEKTSV4RRFFQ69G5FAV"
	testKey     = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"
)

func noon() time.Time { return time.Date(2026, 5, 14, 12, 30, 0, 0, time.UTC) }

func call(at time.Time) Increment {
	return Increment{
		AccountID: testAccount, KeyID: testKey, Family: "data", CostKey: "profile_enrichment",
		Calls: 1, Now: at, Operation: "startCreatorEnrichment",
	}
}

var errUnavailable = errors.New("the store is unavailable")

// memStore is a store in memory that merges like the real one: it keeps the greater of the stored
// and the given total, and ignores totals of a closed epoch.
type memStore struct {
	mu          sync.Mutex
	unavailable bool
	loseAck     bool // commits, but returns an error: the acknowledgement is lost
	flushes     int
	epochs      map[string]map[store.UsageSlot]store.UsageTotal
	uses        map[toksta.KeyID]store.LastUse
	closed      map[string]bool
}

func (l *memStore) Flush(_ context.Context, b store.UsageBatch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unavailable {
		return errUnavailable
	}
	l.flushes++
	if l.epochs == nil {
		l.epochs, l.uses = map[string]map[store.UsageSlot]store.UsageTotal{}, map[toksta.KeyID]store.LastUse{}
		l.closed = map[string]bool{}
	}
	if l.closed[b.Epoch] {
		b.Totals = nil
	}
	l.closed[b.Epoch] = l.closed[b.Epoch] || b.Close
	if l.epochs[b.Epoch] == nil {
		l.epochs[b.Epoch] = map[store.UsageSlot]store.UsageTotal{}
	}
	for _, t := range b.Totals {
		was := l.epochs[b.Epoch][t.UsageSlot]
		l.epochs[b.Epoch][t.UsageSlot] = store.UsageTotal{
			UsageSlot: t.UsageSlot, Calls: max(was.Calls, t.Calls),
			Charge: toksta.Charge{
				Credits: max(was.Charge.Credits, t.Charge.Credits), Purchased: max(was.Charge.Purchased, t.Charge.Purchased),
				Overage: max(was.Charge.Overage, t.Charge.Overage), OverageMicros: max(was.Charge.OverageMicros, t.Charge.OverageMicros),
			},
		}
	}
	for _, u := range b.LastUses {
		if u.At.After(l.uses[u.KeyID].At) {
			l.uses[u.KeyID] = u
		}
	}
	if l.loseAck {
		return errUnavailable
	}
	return nil
}

// calls sums over epochs, like a report.
func (l *memStore) calls() map[store.UsageSlot]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[store.UsageSlot]int64{}
	for _, totals := range l.epochs {
		for slot, t := range totals {
			out[slot] += t.Calls
		}
	}
	return out
}

func (l *memStore) sum() (n int64) {
	for _, c := range l.calls() {
		n += c
	}
	return n
}

func (l *memStore) set(unavailable, loseAck bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unavailable, l.loseAck = unavailable, loseAck
}

func open(t testing.TB, c Config) *Meter {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Now == nil {
		c.Now = noon
	}
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { crash(m) })
	return m
}

// crash releases a meter's files, as the kernel does when a process dies.
func crash(m *Meter) {
	m.seal(func() { m.closed, m.current = true, nil })
	for _, s := range m.segments() {
		_ = s.close()
	}
	m.mu.Lock()
	if m.spare != nil {
		_ = m.spare.close()
	}
	m.inUse, m.spare = nil, nil
	m.mu.Unlock()
}

func count(t testing.TB, m *Meter, events ...Increment) {
	t.Helper()
	for _, e := range events {
		if err := m.Count(e); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t testing.TB, m *Meter) {
	t.Helper()
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func journals(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// variants returns increments whose slots differ from the slot of call in one field each.
func variants() map[string]Increment {
	out := map[string]Increment{}
	for what, vary := range map[string]func(*Increment){
		"key": func(e *Increment) { e.KeyID = "key_2" }, "account": func(e *Increment) { e.AccountID = "acct_2" },
		"family": func(e *Increment) { e.Family = "job" }, "cost key": func(e *Increment) { e.CostKey = "other" },
		"reason": func(e *Increment) { e.Reason = toksta.ReasonRateLimited }, "hour": func(e *Increment) { e.Now = noon().Add(time.Hour) },
		"cost key, for none": func(e *Increment) { e.CostKey = "" },
	} {
		e := call(noon())
		vary(&e)
		out[what] = e
	}
	return out
}

func hourOf(e Increment) int64 { return e.Now.Unix() / 3600 }

// Guarantee: a slot never includes calls of another key, cost key, reason or hour. Otherwise one
// customer pays for the calls of another.
func TestSlotsAreSeparate(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink})
	want, n := map[store.UsageSlot]int64{}, int64(0)
	for _, e := range variants() {
		n++
		for range n {
			count(t, m, e)
		}
		want[store.UsageSlot{
			AccountID: e.AccountID, KeyID: e.KeyID, Family: e.Family, CostKey: e.CostKey,
			Reason: e.Reason, Hour: hourOf(e),
		}] = n
	}
	flush(t, m)
	if diff := cmp.Diff(want, sink.calls()); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: as above when the hashes of two slots are equal, which keys of a test do not meet by
// chance.
func TestSlotsAreSeparateOnHashCollision(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Sink: &memStore{}})
	e, hour := call(noon()), uint32(hourOf(call(noon())))
	count(t, m, e)
	hash := m.hash(&e, hour)
	c, _ := m.shard(hash).find(&e, hour, hash)
	if c == nil || !c.matches(&e, hour) {
		t.Fatal("a slot does not find itself")
	}
	for what, other := range variants() {
		count(t, m, other) // so that its words exist
		if c.matches(&other, uint32(hourOf(other))) {
			t.Errorf("a slot with another %s matches", what)
		}
	}
}

// Guarantee: credits and money reach the store in the parts in which they were charged, also if
// they are charged after the call was counted.
func TestChargesAddUp(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink})
	charge := call(noon())
	charge.Calls, charge.Charge = 0, toksta.Charge{Credits: 7, Purchased: 2, Overage: 3, OverageMicros: 75_000}
	count(t, m, call(noon()), charge, charge)
	flush(t, m)
	for _, totals := range sink.epochs {
		for _, got := range totals {
			want := toksta.Charge{Credits: 14, Purchased: 4, Overage: 6, OverageMicros: 150_000}
			if got.Calls != 1 || got.Charge != want {
				t.Errorf("got %d calls and %+v, want 1 and %+v", got.Calls, got.Charge, want)
			}
		}
	}
}

// Guarantee: a repeated flush changes no total, even if the store had committed the first one and
// returned an error.
func TestRepeatedFlushChangesNothing(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink})
	for range 100 {
		count(t, m, call(noon()))
		sink.set(false, true)
		if err := m.Flush(t.Context()); !errors.Is(err, errUnavailable) {
			t.Fatalf("flush returned %v", err)
		}
		sink.set(false, false)
		flush(t, m)
	}
	if got := sink.sum(); got != 100 {
		t.Errorf("the store has %d calls, want 100", got)
	}
}

// Guarantee: a flush writes only changed totals, so an idle node causes no writes.
func TestIdleFlushWritesNothing(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink})
	count(t, m, call(noon()))
	for range 10 {
		flush(t, m)
	}
	if sink.flushes != 1 {
		t.Errorf("the store was written %d times, want 1", sink.flushes)
	}
}

// Guarantee: counting continues while the store is unavailable, through changes of the hour and
// into further segments. Afterwards the store receives everything, and the files of past hours are
// deleted.
func TestStoreOutage(t *testing.T) {
	t.Parallel()
	sink, now, dir := &memStore{unavailable: true}, noon(), t.TempDir()
	m := open(t, Config{Dir: dir, Sink: sink, Now: func() time.Time { return now }})
	const perHour = 30_000
	for range 3 {
		for i := range perHour {
			e := call(now)
			e.KeyID = toksta.KeyID(testKey[:20] + string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26), byte('a' + i/17576)}))
			count(t, m, e)
		}
		if err := m.Flush(t.Context()); !errors.Is(err, errUnavailable) {
			t.Fatalf("flush returned %v", err)
		}
		now = now.Add(time.Hour)
		if err := m.rollHour(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(journals(t, dir, "*"+suffixLive)); n != 4 {
		t.Errorf("%d journals while the store is unavailable, want 3 of past hours and the current one", n)
	}
	sink.set(false, false)
	flush(t, m)
	if got := sink.sum(); got != 3*perHour {
		t.Errorf("the store has %d calls, want %d", got, 3*perHour)
	}
	if n := len(journals(t, dir, "*")); n != 1 {
		t.Errorf("%d files left, want the current one", n)
	}
}

// Guarantee: keys that exceed the capacity of one file are counted in the next one.
func TestFullSegmentIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	sink, dir := &memStore{}, t.TempDir()
	m := open(t, Config{Dir: dir, Sink: sink})
	m.current.next = perSegment - 10
	for round := range 2 {
		for i := range 40 {
			e := call(noon())
			e.KeyID = toksta.KeyID("key_" + strings.Repeat("x", i%20) + string(rune('a'+i/20)))
			count(t, m, e)
		}
		flush(t, m)
		if got, want := sink.sum(), int64(40*(round+1)); got != want {
			t.Fatalf("the store has %d calls, want %d", got, want)
		}
	}
	if n := len(journals(t, dir, "*"+suffixLive)); n != 2 {
		t.Errorf("%d journals, want 2", n)
	}
}

// Guarantee: a clock that is stepped back decreases no total. Calls are counted in the hour of the
// clock, even if the file of that hour is gone.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	sink, now := &memStore{}, noon()
	m := open(t, Config{Sink: sink, Now: func() time.Time { return now }})
	tick := func(d time.Duration, calls int) {
		now = now.Add(d)
		if err := m.rollHour(); err != nil {
			t.Fatal(err)
		}
		for range calls {
			count(t, m, call(now))
		}
		flush(t, m)
	}
	tick(0, 5)
	tick(time.Hour, 3)
	tick(-time.Hour, 2)
	tick(time.Hour, 1)
	got := map[int64]int64{}
	for slot, n := range sink.calls() {
		got[slot.Hour] += n
	}
	hour := noon().Unix() / 3600
	if diff := cmp.Diff(map[int64]int64{hour: 7, hour + 1: 4}, got); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: two processes count in one directory. Neither adopts the other's live files, and each
// adopts the files of a dead process.
func TestTwoMetersOnOneDirectory(t *testing.T) {
	t.Parallel()
	sink, dir := &memStore{}, t.TempDir()
	first := open(t, Config{Dir: dir, Sink: sink})
	count(t, first, call(noon()))
	second := open(t, Config{Dir: dir, Sink: sink})
	count(t, second, call(noon()), call(noon()))
	flush(t, second)
	if got := sink.sum(); got != 2 {
		t.Fatalf("the second flushed %d calls, want its own 2", got)
	}
	count(t, first, call(noon()))
	crash(first)
	crash(second)
	third := open(t, Config{Dir: dir, Sink: sink})
	flush(t, third)
	if got := sink.sum(); got != 4 {
		t.Errorf("the store has %d calls, want 4", got)
	}
	if n := len(journals(t, dir, "*")); n != 1 {
		t.Errorf("%d files, want the third's own", n)
	}
}

// Guarantee: the files of a process that ends after this one has started are adopted without a
// restart.
func TestLateOrphanIsAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, dir := &memStore{}, t.TempDir()
		old := open(t, Config{Dir: dir, Sink: &memStore{}})
		count(t, old, call(noon()))
		m := open(t, Config{Dir: dir, Sink: sink, Now: time.Now})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		crash(old)
		<-time.After(adoptEvery + 2*time.Second)
		stop()
		<-ended
		if got := sink.sum(); got != 1 {
			t.Errorf("the store has %d calls, want 1", got)
		}
	})
}

// Guarantee: adopting files while creating files causes no deadlock, which would stop all counting.
func TestAdoptWhileCreatingSegments(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Sink: &memStore{}})
	var both sync.WaitGroup
	both.Go(func() {
		for range 200 {
			if err := m.adopt(); err != nil {
				t.Error(err)
			}
		}
	})
	for range 50 {
		m.mu.Lock()
		err := m.nextSegment()
		m.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	both.Wait()
}

// Guarantee: a clean stop leaves no files. A stop while the store is unavailable leaves the
// unflushed totals to the next process.
func TestClose(t *testing.T) {
	t.Parallel()
	sink, dir := &memStore{unavailable: true}, t.TempDir()
	m := open(t, Config{Dir: dir, Sink: sink})
	count(t, m, call(noon()))
	if err := m.Close(); !errors.Is(err, errUnavailable) {
		t.Fatalf("Close returned %v", err)
	}
	if err := m.Count(call(noon())); !errors.Is(err, ErrClosed) {
		t.Errorf("Count after Close returned %v", err)
	}
	sink.set(false, false)
	if err := open(t, Config{Dir: dir, Sink: sink}).Close(); err != nil {
		t.Fatal(err)
	}
	if got := sink.sum(); got != 1 {
		t.Errorf("the store has %d calls, want 1", got)
	}
	if left := journals(t, dir, "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Guarantee: an account owner sees when and from which network a key was last admitted. The full
// address is not stored, and a rejected call is not a use.
func TestLastUse(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink})
	first, last, rejected := call(noon()), call(noon().Add(3*time.Second)), call(noon().Add(9*time.Second))
	first.Agent, first.Addr = "python-requests/2.31", netip.MustParseAddr("2001:db8:1:2::3")
	last.Agent, last.Addr, last.CostKey = "curl/8.5.0", netip.MustParseAddr("::ffff:203.0.113.77"), "other"
	rejected.Reason = toksta.ReasonRateLimited
	count(t, m, last, first, rejected)
	flush(t, m)
	want := store.LastUse{
		KeyID: testKey, AccountID: testAccount, At: noon().Add(3 * time.Second),
		Address: "203.0.113.0/24", Agent: "curl", Operation: "startCreatorEnrichment",
	}
	if diff := cmp.Diff(want, sink.uses[testKey]); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: a User-Agent reaches a page only as a short plain word, and the number of stored ones
// is limited.
func TestAgentFamily(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"": "", "curl/8.5.0": "curl", "Go-http-client/2.0": "Go-http-client", "Mozilla/5.0 (X11) Chrome/1": "browser",
		"<script>/1": "other", "a\x00b": "other", strings.Repeat("x", 41): "other", "ключ/1": "other", "/1": "",
	} {
		if got := agentFamily(agent); got != want {
			t.Errorf("agentFamily(%q) = %q, want %q", agent, got, want)
		}
	}
	n := newNames()
	for i := range 2 * maxAgents {
		n.number(strings.Repeat("x", i), maxAgents)
	}
	if len(n.texts) != maxAgents {
		t.Errorf("%d names kept, want %d", len(n.texts), maxAgents)
	}
}

// Guarantee: an id that does not fit is rejected and never truncated to the id of another account.
func TestTooLongIsRejected(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Sink: &memStore{}})
	long := call(noon())
	long.KeyID = toksta.KeyID(testKey + "_and_more")
	if err := m.Count(long); err == nil {
		t.Error("a key id beyond its field was counted")
	}
	long = call(noon())
	long.CostKey = strings.Repeat("x", maxWord+1)
	if err := m.Count(long); err == nil {
		t.Error("a cost key beyond its field was counted")
	}
	count(t, m, call(noon()))
}

// Guarantee: totals reach the disk and the store every second without a call from outside. The log
// has one line for the begin and one for the end of an outage.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		sink := &memStore{}
		m := open(t, Config{Sink: sink, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		count(t, m, call(time.Now()))
		<-time.After(1500 * time.Millisecond)
		if got := sink.sum(); got != 1 {
			t.Errorf("after a second the store has %d calls, want 1", got)
		}
		sink.set(true, false)
		count(t, m, call(time.Now()))
		<-time.After(10 * time.Second)
		sink.set(false, false)
		<-time.After(2 * time.Second)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := sink.sum(); got != 2 {
			t.Errorf("after the outage the store has %d calls, want 2", got)
		}
		if failures, recoveries := strings.Count(log.String(), "cannot flush"), strings.Count(log.String(), "can flush"); failures != 1 || recoveries != 1 {
			t.Errorf("logged %d failures and %d recoveries, want 1 each:\n%s", failures, recoveries, &log)
		}
	})
}

// Guarantee: counting a call of an existing slot allocates no memory, also if the last use changes
// and if called through an interface.
func TestCountAllocatesNothing(t *testing.T) {
	m := open(t, Config{Sink: &memStore{}})
	e := call(noon())
	e.Agent, e.Addr = "curl/8.5.0", netip.MustParseAddr("203.0.113.7")
	count(t, m, e)
	var counter interface{ Count(Increment) error } = m
	if n := testing.AllocsPerRun(100, func() {
		e.Now = e.Now.Add(time.Second)
		if counter.Count(e) != nil {
			t.Error("not counted")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// Guarantee: only the user of the process can access the directory and its files.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "meter")
	open(t, Config{Dir: dir, Sink: &memStore{}})
	for _, path := range append(journals(t, dir, "*"), dir) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
	}
}

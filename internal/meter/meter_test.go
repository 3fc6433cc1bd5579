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

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

const (
	testAccount = "acct_01ARZ3NDEKTSV4RRFFQ69G5FAV"
	testKey     = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"
)

func noon() time.Time { return time.Date(2026, 5, 14, 12, 30, 0, 0, time.UTC) }

func call(at time.Time) Event {
	return Event{
		AccountID: testAccount, KeyID: testKey, Family: "data", CostKey: "profile_enrichment",
		Calls: 1, Now: at, Operation: "startCreatorEnrichment",
	}
}

var errAway = errors.New("the store is away")

// ledger is a store in memory that merges as the real one must: each total is
// the greatest of what it has and what it is given, and of a closed epoch
// nothing is new.
type ledger struct {
	mu      sync.Mutex
	away    bool
	lose    bool // commits, yet reports a failure: the answer was lost
	flushes int
	epochs  map[string]map[store.UsageSlot]store.UsageTotal
	uses    map[toksta.KeyID]store.LastUse
	closed  map[string]bool
}

func (l *ledger) Flush(_ context.Context, b store.UsageBatch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errAway
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
	if l.lose {
		return errAway
	}
	return nil
}

// calls sums over epochs, as a report does.
func (l *ledger) calls() map[store.UsageSlot]int64 {
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

func (l *ledger) sum() (n int64) {
	for _, c := range l.calls() {
		n += c
	}
	return n
}

func (l *ledger) set(away, lose bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away, l.lose = away, lose
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

// crash lets go of a meter's files as the death of its process does.
func crash(m *Meter) {
	m.seal(func() { m.closed, m.current = true, nil })
	for _, s := range m.segments() {
		_ = s.close()
	}
	m.mu.Lock()
	if m.spare != nil {
		_ = m.spare.close()
	}
	m.all, m.spare = nil, nil
	m.mu.Unlock()
}

func count(t testing.TB, m *Meter, events ...Event) {
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

// variants are events for slots that differ from call's in one thing each.
func variants() map[string]Event {
	out := map[string]Event{}
	for what, vary := range map[string]func(*Event){
		"key": func(e *Event) { e.KeyID = "key_2" }, "account": func(e *Event) { e.AccountID = "acct_2" },
		"family": func(e *Event) { e.Family = "job" }, "cost key": func(e *Event) { e.CostKey = "other" },
		"reason": func(e *Event) { e.Reason = toksta.ReasonRateLimited }, "hour": func(e *Event) { e.Now = noon().Add(time.Hour) },
		"cost key, for none": func(e *Event) { e.CostKey = "" },
	} {
		e := call(noon())
		vary(&e)
		out[what] = e
	}
	return out
}

func hourOf(e Event) int64 { return e.Now.Unix() / 3600 }

// Guarantee: a slot holds what was counted for it and nothing of another key,
// cost key, reason or hour. Without it one customer pays for another's calls.
func TestSlotsAreApart(t *testing.T) {
	t.Parallel()
	sink := &ledger{}
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

// Guarantee: as above when the hashes of two slots are the same, which no key
// of a test hits by chance.
func TestSlotsAreApartWhenHashesMeet(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Sink: &ledger{}})
	e, hour := call(noon()), uint32(hourOf(call(noon())))
	count(t, m, e)
	hash := m.hash(&e, hour)
	c, _ := m.shard(hash).find(&e, hour, hash)
	if c == nil || !c.holds(&e, hour) {
		t.Fatal("a slot does not find itself")
	}
	for what, other := range variants() {
		count(t, m, other) // so that its words are known
		if c.holds(&other, uint32(hourOf(other))) {
			t.Errorf("another %s is taken for the same slot", what)
		}
	}
}

// Guarantee: credits and money reach the store in the parts they were charged
// in, also when they come after the call was counted.
func TestChargesAddUp(t *testing.T) {
	t.Parallel()
	sink := &ledger{}
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

// Guarantee: a flush repeated, or reported as failed after the store had
// committed it, changes no number.
func TestRepeatedFlushChangesNothing(t *testing.T) {
	t.Parallel()
	sink := &ledger{}
	m := open(t, Config{Sink: sink})
	for range 100 {
		count(t, m, call(noon()))
		sink.set(false, true)
		if err := m.Flush(t.Context()); !errors.Is(err, errAway) {
			t.Fatalf("flush answered %v", err)
		}
		sink.set(false, false)
		flush(t, m)
	}
	if got := sink.sum(); got != 100 {
		t.Errorf("the store has %d calls, want 100", got)
	}
}

// Guarantee: only what changed is written; an idle node costs the store
// nothing.
func TestIdleFlushWritesNothing(t *testing.T) {
	t.Parallel()
	sink := &ledger{}
	m := open(t, Config{Sink: sink})
	count(t, m, call(noon()))
	for range 10 {
		flush(t, m)
	}
	if sink.flushes != 1 {
		t.Errorf("the store was written %d times, want 1", sink.flushes)
	}
}

// Guarantee: counting goes on while the store is away, through the turn of
// hours and into further segments, and all of it arrives afterwards; then the
// files of past hours go.
func TestStoreAwayThenBack(t *testing.T) {
	t.Parallel()
	sink, now, dir := &ledger{away: true}, noon(), t.TempDir()
	m := open(t, Config{Dir: dir, Sink: sink, Now: func() time.Time { return now }})
	const perHour = 30_000
	for range 3 {
		for i := range perHour {
			e := call(now)
			e.KeyID = toksta.KeyID(testKey[:20] + string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26), byte('a' + i/17576)}))
			count(t, m, e)
		}
		if err := m.Flush(t.Context()); !errors.Is(err, errAway) {
			t.Fatalf("flush answered %v", err)
		}
		now = now.Add(time.Hour)
		if err := m.turn(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(journals(t, dir, "*"+suffixLive)); n != 4 {
		t.Errorf("%d journals while the store is away, want 3 of past hours and the current one", n)
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

// Guarantee: more keys than one file holds are counted like the first.
func TestFullSegmentIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	sink, dir := &ledger{}, t.TempDir()
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

// Guarantee: a clock that is stepped back lowers nothing; what is counted then
// belongs to the hour the clock showed, though that hour's file is gone.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	sink, now := &ledger{}, noon()
	m := open(t, Config{Sink: sink, Now: func() time.Time { return now }})
	tick := func(d time.Duration, calls int) {
		now = now.Add(d)
		if err := m.turn(); err != nil {
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

// Guarantee: two processes on one directory count side by side; neither takes
// the other's live files, and each takes a dead one's.
func TestTwoMetersOnOneDirectory(t *testing.T) {
	t.Parallel()
	sink, dir := &ledger{}, t.TempDir()
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

// Guarantee: what a process leaves that ends after this one has started is not
// left lying until the next start.
func TestLateOrphanIsAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, dir := &ledger{}, t.TempDir()
		old := open(t, Config{Dir: dir, Sink: &ledger{}})
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

// Guarantee: looking for orphans and making files at the same moment do not wait
// for each other for ever, which would stop all counting.
func TestAdoptingBesideGrowing(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Sink: &ledger{}})
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
		err := m.extend()
		m.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	both.Wait()
}

// Guarantee: a clean stop leaves no file behind; one without the store leaves
// all that is missing to the next process.
func TestClose(t *testing.T) {
	t.Parallel()
	sink, dir := &ledger{away: true}, t.TempDir()
	m := open(t, Config{Dir: dir, Sink: sink})
	count(t, m, call(noon()))
	if err := m.Close(); !errors.Is(err, errAway) {
		t.Fatalf("Close answered %v", err)
	}
	if err := m.Count(call(noon())); !errors.Is(err, ErrClosed) {
		t.Errorf("Count after Close answered %v", err)
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

// Guarantee: an owner sees when and from where a key was last admitted, by
// network and not by person; a refused call is no use.
func TestLastUse(t *testing.T) {
	t.Parallel()
	sink := &ledger{}
	m := open(t, Config{Sink: sink})
	first, last, refused := call(noon()), call(noon().Add(3*time.Second)), call(noon().Add(9*time.Second))
	first.Agent, first.Addr = "python-requests/2.31", netip.MustParseAddr("2001:db8:1:2::3")
	last.Agent, last.Addr, last.CostKey = "curl/8.5.0", netip.MustParseAddr("::ffff:203.0.113.77"), "other"
	refused.Reason = toksta.ReasonRateLimited
	count(t, m, last, first, refused)
	flush(t, m)
	want := store.LastUse{
		KeyID: testKey, AccountID: testAccount, At: noon().Add(3 * time.Second),
		Address: "203.0.113.0/24", Agent: "curl", Operation: "startCreatorEnrichment",
	}
	if diff := cmp.Diff(want, sink.uses[testKey]); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: nothing that a caller sends as User-Agent reaches a page as more
// than a short plain word, and a flood of them is bounded.
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

// Guarantee: what cannot be recorded is refused, never cut short into the slot
// of somebody else.
func TestTooLongIsRefused(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Sink: &ledger{}})
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

// Guarantee: totals reach disk and store every second without a call from
// outside, and an outage is logged when it begins and ends, not every second.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		sink := &ledger{}
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
		if gone, back := strings.Count(log.String(), "cannot flush"), strings.Count(log.String(), "can flush"); gone != 1 || back != 1 {
			t.Errorf("logged %d failures and %d recoveries, want 1 each:\n%s", gone, back, &log)
		}
	})
}

// Guarantee: counting a call in a known slot allocates nothing, also when the
// last use moves on and when called through an interface.
func TestCountAllocatesNothing(t *testing.T) {
	m := open(t, Config{Sink: &ledger{}})
	e := call(noon())
	e.Agent, e.Addr = "curl/8.5.0", netip.MustParseAddr("203.0.113.7")
	count(t, m, e)
	var counter interface{ Count(Event) error } = m
	if n := testing.AllocsPerRun(100, func() {
		e.Now = e.Now.Add(time.Second)
		if counter.Count(e) != nil {
			t.Error("not counted")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// Guarantee: the directory and its files are for this user alone.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "meter")
	open(t, Config{Dir: dir, Sink: &ledger{}})
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

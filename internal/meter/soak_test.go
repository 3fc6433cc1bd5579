package meter

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

const (
	leastKills   = 3  // of each kind
	processKills = 60 // in a soak
	killCalls    = 20 // minimum of acknowledged calls per kill; with fewer the test proves nothing
	drainEvery   = 3  // number of kills between two drains
	spans        = 12 // of a soak, one for each of the 8 kinds; the rest is for starts and the 60 kills
)

// killKind is a way to kill. The kinds with server set run only on a database server.
type killKind struct {
	name   string
	server bool
	kill   func(*killTest, *testing.T)
}

func killKinds() []killKind {
	return []killKind{
		{"process", false, (*killTest).process},
		{"commit", false, (*killTest).commit},
		{"database", true, (*killTest).database},
		{"connections", true, (*killTest).connections},
		{"both", true, (*killTest).both},
		{"neighbour", true, (*killTest).neighbour},
	}
}

// Guarantee: every acknowledged call is in the usage exactly once when the process, its database or
// both are killed at any instruction: acked ≤ counted ≤ tried for every key and hour, through
// flushes, changes of the hour and adoptions.
//
// TOKSTA_SOAK is the approximate duration of the kinds together. The test then also kills the
// process 60 times on each database, without a time limit. It is not parallel, because a child
// inherits the file locks of concurrent tests between fork and exec.
func TestSoakKills(t *testing.T) {
	var span time.Duration
	if long := os.Getenv("TOKSTA_SOAK"); long != "" {
		var err error
		if span, err = time.ParseDuration(long); err != nil {
			t.Fatal(err)
		}
	}
	onEach(t, func(t *testing.T, server *pgtest.Server) {
		for _, k := range killKinds() {
			if k.server && server == nil {
				continue
			}
			t.Run(k.name, func(t *testing.T) {
				least := leastKills
				if span > 0 && k.name == "process" {
					least = processKills
				}
				newKillTest(t, server, modeRight).soak(t, k, least, span/spans)
			})
		}
	})
}

// Guarantee: the test above fails for the two designs that look right until the process is killed.
// Otherwise that test proves nothing. A kill right after a commit always reveals differences. Few
// kills may all miss the moment between an acknowledgement and its count, so the test repeats them
// until one hits it.
func TestKillFindsWrongDesigns(t *testing.T) {
	const tries = 20
	onEach(t, func(t *testing.T, server *pgtest.Server) {
		s := newKillTest(t, server, modeDifferences)
		s.waitKilled(t, s.start(t, 8))
		if s.check(t, true) == nil {
			t.Error("differences passed the check")
		}
		s = newKillTest(t, server, modeAsync)
		for range tries {
			s.process(t)
			if s.check(t, true) != nil {
				return
			}
		}
		t.Errorf("counting after the acknowledgement passed the check %d times", tries)
	})
}

// onEach runs a test on SQLite (without a server) and on PostgreSQL.
func onEach(t *testing.T, test func(*testing.T, *pgtest.Server)) {
	t.Run("sqlite", func(t *testing.T) { test(t, nil) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Start(t)) })
}

// killTest starts and kills one child after another on the same directory and store, and
// accumulates their reports.
type killTest struct {
	childConfig
	server  *pgtest.Server // nil on SQLite
	seen    history
	deaths  int
	counted int64 // calls in the store at the last check
}

func newKillTest(t *testing.T, server *pgtest.Server, mode string) *killTest {
	t.Helper()
	dir := t.TempDir()
	s := &killTest{childConfig: childConfig{dir, filepath.Join(dir, "store.db"), mode}, server: server, seen: newHistory()}
	if server != nil {
		s.store = server.NewDatabase(t)
	}
	return s
}

// soak kills in the way of k, at least the given number of times and for the given time.
func (s *killTest) soak(t *testing.T, k killKind, least int, span time.Duration) {
	t.Helper()
	until := time.Now().Add(span)
	for n, last := 1, false; !last; n++ {
		k.kill(s, t)
		last = n >= least && !time.Now().Before(until)
		// Rarely enough that the next child adopts journals, often enough that unacknowledged calls do
		// not hide a loss.
		if err := s.check(t, last || n%drainEvery == 0); err != nil {
			t.Fatalf("after %d kills: %v", n, err)
		}
	}
	acked, tried := sum(s.seen.acked), sum(s.seen.tried)
	t.Logf("%d processes died: acked %d ≤ counted %d ≤ tried %d", s.deaths, acked, s.counted, tried)
	if acked < int64(s.deaths*killCalls) {
		t.Error("too few calls were acknowledged between the kills")
	}
}

func sum(counts map[keyHour]int64) (all int64) {
	for _, n := range counts {
		all += n
	}
	return all
}

// check compares the reports with the usage in the store. If drain is set, all journals are adopted
// and flushed before. Otherwise they are left to the next child.
func (s *killTest) check(t *testing.T, drain bool) error {
	t.Helper()
	if drain {
		s.drain(t)
	}
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: s.store})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.ListUsage(t.Context(), store.UsageQuery{
		Account: testAccount, From: noon().AddDate(0, 0, -1), To: noon().AddDate(0, 0, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.counted = 0
	for _, row := range rows {
		s.counted += row.Calls
	}
	return s.seen.check(rows, drain)
}

// drain brings the usage up to date by a start and a clean end.
func (s *killTest) drain(t *testing.T) {
	t.Helper()
	m, db, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left := journals(t, s.journal(), "*"); len(left) > 0 {
		t.Fatalf("files left after a clean end: %v", left)
	}
}

// waitKilled waits until a child was killed and adds its reports.
func (s *killTest) waitKilled(t *testing.T, c *child) {
	t.Helper()
	if err := <-c.ended; err != nil {
		t.Fatal(err)
	}
	s.seen.add(c.seen)
	s.deaths++
}

func (s *killTest) kill(t *testing.T, c *child) {
	t.Helper()
	_ = c.process.Kill()
	s.waitKilled(t, c)
}

// process kills the process, and on SQLite the database with it.
func (s *killTest) process(t *testing.T) {
	c := s.start(t, 0)
	c.letCount(t)
	s.kill(t, c)
}

// commit makes the process die right after the store has committed one of its first flushes. The
// flush may be a closing or an adopted one.
func (s *killTest) commit(t *testing.T) { s.waitKilled(t, s.start(t, 1+rand.N(8))) }

// database kills the server while the process continues to count. The process must flush to the
// restarted server before it is killed.
func (s *killTest) database(t *testing.T) {
	c := s.start(t, 0)
	c.letCount(t)
	s.server.Kill(t)
	c.letCount(t)
	s.server.Resume(t)
	c.await(t, c.recovered)
	c.letCount(t)
	s.kill(t, c)
}

// connections terminates all connections of the server until a flush fails. Some transactions are
// then committed without an acknowledgement.
func (s *killTest) connections(t *testing.T) {
	c := s.start(t, 0)
	for cut := false; !cut; {
		c.letCount(t)
		s.server.Exec(t, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
		select {
		case <-c.recovered:
			cut = true
		default:
		}
	}
	s.kill(t, c)
}

// both kills the process and the database at the same time.
func (s *killTest) both(t *testing.T) {
	c := s.start(t, 0)
	c.letCount(t)
	_ = c.process.Kill()
	s.server.Kill(t)
	s.waitKilled(t, c)
	s.server.Resume(t)
}

// neighbour kills one of two processes that share the directory. A third adopts its journals beside
// the second; then both are killed.
func (s *killTest) neighbour(t *testing.T) {
	first, second := s.start(t, 0), s.start(t, 0)
	second.letCount(t)
	first.letCount(t)
	s.kill(t, first)
	third := s.start(t, 0)
	third.letCount(t)
	s.kill(t, second)
	s.kill(t, third)
}

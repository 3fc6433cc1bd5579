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
	killCalls    = 20 // answered for each kill at least, or it struck nothing
	settleEvery  = 3  // kills
	spans        = 12 // of a soak, one for each of 8 kinds; starts and the 60 kills take the rest
)

// kind is a way to die. Those of a server are tried where the database is one.
type kind struct {
	name   string
	server bool
	strike func(*scene, *testing.T)
}

func kinds() []kind {
	return []kind{
		{"process", false, (*scene).process},
		{"commit", false, (*scene).commit},
		{"database", true, (*scene).database},
		{"connections", true, (*scene).connections},
		{"both", true, (*scene).both},
		{"neighbour", true, (*scene).neighbour},
	}
}

// Guarantee: whatever was answered is in the usage, and nothing twice, when the
// process, its database or both are killed at any instruction: answered ≤
// counted ≤ tried for every key and hour, through flushes, turns of the hour
// and adoptions.
//
// TOKSTA_SOAK, a duration, is about how long it goes on with every kind; it then
// kills the process 60 times on each database, however long that takes. It is
// not parallel: a child inherits the locks of a test beside it for the moment
// between fork and exec.
func TestSoakKills(t *testing.T) {
	var span time.Duration
	if long := os.Getenv("TOKSTA_SOAK"); long != "" {
		var err error
		if span, err = time.ParseDuration(long); err != nil {
			t.Fatal(err)
		}
	}
	onEach(t, func(t *testing.T, server *pgtest.Server) {
		for _, k := range kinds() {
			if k.server && server == nil {
				continue
			}
			t.Run(k.name, func(t *testing.T) {
				least := leastKills
				if span > 0 && k.name == "process" {
					least = processKills
				}
				newScene(t, server, modeRight).soak(t, k, least, span/spans)
			})
		}
	})
}

// Guarantee of the test above: it fails for the two designs that look right
// until the process is killed. If this fails, that test proves nothing. A death
// right after a commit always tells differences from totals; a few kills may
// all miss the moment between an answer and its count, so there are more until
// one does not.
func TestKillFindsWrongDesigns(t *testing.T) {
	const tries = 20
	onEach(t, func(t *testing.T, server *pgtest.Server) {
		s := newScene(t, server, modeDifferences)
		s.bury(t, s.start(t, 8))
		if s.check(t, true) == nil {
			t.Error("differences passed the check")
		}
		s = newScene(t, server, modeAfterwards)
		for range tries {
			s.process(t)
			if s.check(t, true) != nil {
				return
			}
		}
		t.Errorf("counting after the answer passed the check %d times", tries)
	})
}

// onEach runs a test on SQLite, without a server, and on PostgreSQL.
func onEach(t *testing.T, test func(*testing.T, *pgtest.Server)) {
	t.Run("sqlite", func(t *testing.T) { test(t, nil) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Start(t)) })
}

// scene is a site where one child after another dies, with all that was seen
// of them.
type scene struct {
	site
	server  *pgtest.Server // nil on SQLite
	seen    history
	deaths  int
	counted int64 // calls in the store at the last check
}

func newScene(t *testing.T, server *pgtest.Server, mode string) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{site: site{dir, filepath.Join(dir, "store.db"), mode}, server: server, seen: newHistory()}
	if server != nil {
		s.store = server.NewDatabase(t)
	}
	return s
}

// soak strikes at least so many times and for so long.
func (s *scene) soak(t *testing.T, k kind, least int, span time.Duration) {
	t.Helper()
	until := time.Now().Add(span)
	for n, last := 1, false; !last; n++ {
		k.strike(s, t)
		last = n >= least && !time.Now().Before(until)
		// Seldom enough that the next child adopts, often enough that no loss
		// hides behind calls that were never answered.
		if err := s.check(t, last || n%settleEvery == 0); err != nil {
			t.Fatalf("after %d kills: %v", n, err)
		}
	}
	answered, tried := sum(s.seen.answered), sum(s.seen.tried)
	t.Logf("%d processes died: answered %d ≤ counted %d ≤ tried %d", s.deaths, answered, s.counted, tried)
	if answered < int64(s.deaths*killCalls) {
		t.Error("too few calls were answered for the kills to strike anything")
	}
}

func sum(counts map[keyHour]int64) (all int64) {
	for _, n := range counts {
		all += n
	}
	return all
}

// check compares what was seen with what is in the store, and if it is to
// settle, once all journals are adopted and flushed. Otherwise they are left
// to the next child.
func (s *scene) check(t *testing.T, settle bool) error {
	t.Helper()
	if settle {
		s.settle(t)
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
	return s.seen.check(rows, settle)
}

// settle brings the usage up to date, as the next start and a clean end do.
func (s *scene) settle(t *testing.T) {
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

// bury waits for a child's death and keeps what was seen of it.
func (s *scene) bury(t *testing.T, c *child) {
	t.Helper()
	if err := <-c.ended; err != nil {
		t.Fatal(err)
	}
	s.seen.add(c.seen)
	s.deaths++
}

func (s *scene) kill(t *testing.T, c *child) {
	t.Helper()
	_ = c.process.Kill()
	s.bury(t, c)
}

// process kills the process, and on SQLite the database with it.
func (s *scene) process(t *testing.T) {
	c := s.start(t, 0)
	c.live(t)
	s.kill(t, c)
}

// commit has the process die when the store has committed one of its first
// flushes, a closing one or an adopted one too, and it does not know yet.
func (s *scene) commit(t *testing.T) { s.bury(t, s.start(t, 1+rand.N(8))) }

// database kills the server while the process counts on, which must find the
// next one before it dies.
func (s *scene) database(t *testing.T) {
	c := s.start(t, 0)
	c.live(t)
	s.server.Kill(t)
	c.live(t)
	s.server.Resume(t)
	c.await(t, c.back)
	c.live(t)
	s.kill(t, c)
}

// connections has the server cut them all until a flush failed of it: some are
// committed without an answer.
func (s *scene) connections(t *testing.T) {
	c := s.start(t, 0)
	for cut := false; !cut; {
		c.live(t)
		s.server.Exec(t, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
		select {
		case <-c.back:
			cut = true
		default:
		}
	}
	s.kill(t, c)
}

// both kills process and database at once.
func (s *scene) both(t *testing.T) {
	c := s.start(t, 0)
	c.live(t)
	_ = c.process.Kill()
	s.server.Kill(t)
	s.bury(t, c)
	s.server.Resume(t)
}

// neighbour kills one of two processes that share the directory; a third takes
// over its journals beside the second, and both die.
func (s *scene) neighbour(t *testing.T) {
	first, second := s.start(t, 0), s.start(t, 0)
	second.live(t)
	first.live(t)
	s.kill(t, first)
	third := s.start(t, 0)
	third.live(t)
	s.kill(t, second)
	s.kill(t, third)
}

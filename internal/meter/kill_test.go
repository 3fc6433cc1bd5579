package meter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
)

const (
	childDir  = "METER_TEST_DIR"
	childMode = "METER_TEST_MODE"

	killWorkers = 4
	killKeys    = 5
	killRounds  = 24
	killCredits = 2 // of each call
)

// The ways a child counts: the right one, and two that must be caught.
const (
	modeRight       = "right"
	modeDifferences = "differences" // flushes what was added since the last flush
	modeAfterwards  = "afterwards"  // answers first, counts by way of a channel
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := countUntilKilled(dir, os.Getenv(childMode)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// differences makes a store of the kind that adds up: each flush is a row of
// its own with what came since the last one.
type differences struct {
	Sink
	sent map[string]map[store.UsageSlot]int64
}

func (d *differences) Flush(ctx context.Context, b store.UsageBatch) error {
	for i := range b.Totals {
		t := &b.Totals[i]
		if d.sent[b.Epoch] == nil {
			d.sent[b.Epoch] = map[store.UsageSlot]int64{}
		}
		was := d.sent[b.Epoch][t.UsageSlot]
		d.sent[b.Epoch][t.UsageSlot] = t.Calls
		t.Calls -= was
		t.Charge.Credits = t.Calls * killCredits
	}
	b.Epoch = strconv.FormatUint(rand.Uint64(), 16)
	return d.Sink.Flush(ctx, b)
}

// openKilled opens store and meter as a child and as the one that comes after
// it. Hours pass every 15 ms, so that files come and go while it is killed.
func openKilled(dir, mode string) (*Meter, *sqlstore.Store, error) {
	db, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: filepath.Join(dir, "store.db")})
	if err != nil {
		return nil, nil, err
	}
	var sink Sink = db
	if mode == modeDifferences {
		sink = &differences{db, map[string]map[store.UsageSlot]int64{}}
	}
	m, err := Open(Config{Dir: filepath.Join(dir, "meter"), Sink: sink, FlushEvery: 3 * time.Millisecond, Now: quickHours})
	return m, db, err
}

func quickHours() time.Time {
	return noon().Add(time.Since(noon()) / (15 * time.Millisecond) % 6 * time.Hour)
}

// countUntilKilled is the child. It notes every call on standard output before
// it tries to count it and again as the answer.
func countUntilKilled(dir, mode string) error {
	m, _, err := openKilled(dir, mode)
	if err != nil {
		return err
	}
	counter := m.Count
	if mode == modeAfterwards {
		counter = later(m)
	}
	failed := make(chan error)
	go func() { failed <- m.Run(context.Background()) }()
	for w := range killWorkers {
		go func() {
			for i := w; ; i++ {
				if err := countOne(counter, i%killKeys); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func later(m *Meter) func(Event) error {
	events := make(chan Event, 1<<16)
	go func() {
		for e := range events {
			_ = m.Count(e)
		}
	}()
	return func(e Event) error { events <- e; return nil }
}

func countOne(count func(Event) error, key int) error {
	e := call(quickHours())
	e.KeyID = killKey(key)
	e.Charge.Credits = killCredits
	note := [8]byte{0, byte(key)}
	binary.BigEndian.PutUint32(note[4:], uint32(e.Now.Unix()/3600))
	if _, err := os.Stdout.Write(note[:]); err != nil {
		return err
	}
	if err := count(e); err != nil {
		return err
	}
	note[0] = 1
	_, err := os.Stdout.Write(note[:])
	return err
}

func killKey(i int) toksta.KeyID { return toksta.KeyID(testKey[:len(testKey)-1] + strconv.Itoa(i)) }

// keyHour is what the invariant is stated for.
type keyHour struct {
	key  toksta.KeyID
	hour int64
}

// history is what the outside saw.
type history struct{ tried, answered map[keyHour]int64 }

// check states the invariant for calls and credits of every key and hour.
func (h history) check(rows []store.UsageRow) error {
	counted := map[keyHour]store.UsageRow{}
	for _, row := range rows {
		counted[keyHour{row.KeyID, row.Hour}] = row
	}
	everywhere := maps.Clone(h.tried)
	for at := range counted {
		everywhere[at] += 0
	}
	var errs []error
	for at := range everywhere {
		c, answered, tried := counted[at], h.answered[at], h.tried[at]
		if c.Calls < answered || c.Calls > tried {
			errs = append(errs, fmt.Errorf("%v: answered %d, counted %d, tried %d", at, answered, c.Calls, tried))
		}
		if n := c.Charge.Credits; n < answered*killCredits || n > tried*killCredits {
			errs = append(errs, fmt.Errorf("%v: %d credits for %d to %d calls", at, n, answered, tried))
		}
	}
	return errors.Join(errs...)
}

// listen takes a child's notes until its end of the pipe closes.
func (h history) listen(r io.Reader, first func()) error {
	var started sync.Once
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		var note [8]byte
		if _, err := io.ReadFull(in, note[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		started.Do(first)
		at := keyHour{killKey(int(note[1])), int64(binary.BigEndian.Uint32(note[4:]))}
		if note[0] == 0 {
			h.tried[at]++
		} else {
			h.answered[at]++
		}
	}
}

// killOnce runs a child and kills it at a random moment after its first note.
func (h history) killOnce(t *testing.T, dir, mode string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childDir+"="+dir, childMode+"="+mode)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	err = h.listen(out, func() {
		time.AfterFunc(rand.N(80*time.Millisecond), func() { _ = child.Process.Kill() })
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

// killed runs the rounds and returns what the check says of what is in the
// store once the last child's files are adopted.
func killed(t *testing.T, mode string, rounds int) error {
	t.Helper()
	h, dir := history{map[keyHour]int64{}, map[keyHour]int64{}}, t.TempDir()
	for range rounds {
		h.killOnce(t, dir, mode)
	}
	m, db, err := openKilled(dir, mode)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left := journals(t, filepath.Join(dir, "meter"), "*"); len(left) > 0 {
		t.Errorf("files left after a clean end: %v", left)
	}
	rows, err := db.ListUsage(t.Context(), store.UsageQuery{
		Account: testAccount, From: noon().AddDate(0, 0, -1), To: noon().AddDate(0, 0, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	var tried, answered, counted int64
	for at, n := range h.tried {
		tried, answered = tried+n, answered+h.answered[at]
	}
	for _, row := range rows {
		counted += row.Calls
	}
	t.Logf("%d kills: answered %d, counted %d, tried %d", rounds, answered, counted, tried)
	return h.check(rows)
}

// Guarantee: whatever was answered is in the usage, and nothing twice, when the
// process is killed at any instruction: answered ≤ counted ≤ tried for every
// key and hour, through flushes, turns of the hour and adoptions.
//
// It is not parallel: a child inherits the locks of a test beside it for the
// moment between fork and exec.
func TestKilledAtAnyMoment(t *testing.T) {
	if err := killed(t, modeRight, killRounds); err != nil {
		t.Error(err)
	}
}

// Guarantee of the test above: it fails for the two designs that look right
// until the process is killed. If this fails, that test proves nothing. Four
// kills may all miss the wrong moment, so there are more until one does not.
func TestKillFindsWrongDesigns(t *testing.T) {
	const tries = 20
	for _, mode := range []string{modeDifferences, modeAfterwards} {
		found := false
		for try := 0; try < tries && !found; try++ {
			found = killed(t, mode, 4) != nil
		}
		if !found {
			t.Errorf("%s passed the check %d times", mode, tries)
		}
	}
}

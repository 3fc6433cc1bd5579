package meter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyHour is the granularity at which the invariant is checked.
type keyHour struct {
	key  toksta.KeyID
	hour int64
}

// history counts the calls that children tried and that were acknowledged: Count returned nil.
type history struct{ tried, acked map[keyHour]int64 }

func newHistory() history { return history{map[keyHour]int64{}, map[keyHour]int64{}} }

func (h history) add(o history) {
	for at, n := range o.tried {
		h.tried[at] += n
		h.acked[at] += o.acked[at]
	}
}

// check checks acked ≤ counted ≤ tried for the calls and credits of every key and hour. Unless
// drained, it ignores the lower bound, because some acknowledged calls are still in journals.
func (h history) check(rows []store.UsageRow, drained bool) error {
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
		c, acked, tried := counted[at], h.acked[at], h.tried[at]
		if !drained {
			acked = 0
		}
		if c.Calls < acked || c.Calls > tried {
			errs = append(errs, fmt.Errorf("%v: acked %d, counted %d, tried %d", at, acked, c.Calls, tried))
		}
		if n := c.Charge.Credits; n < acked*killCredits || n > tried*killCredits {
			errs = append(errs, fmt.Errorf("%v: %d credits for %d to %d calls", at, n, acked, tried))
		}
	}
	return errors.Join(errs...)
}

// child is a process that counts until it is killed, as seen by its parent.
type child struct {
	process   *os.Process
	counting  chan struct{} // closed at the first counted call
	recovered chan struct{} // closed when a flush succeeds after a failed one
	ended     chan error    // nil if the child was killed; seen is complete then
	seen      history
}

// start runs a child. If flushes is not 0, the child kills itself after that number of flushes.
func (s childConfig) start(t *testing.T, flushes int) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(self)
	run.Env = append(os.Environ(), childDir+"="+s.dir, childStore+"="+s.store, childMode+"="+s.mode,
		childFlushes+"="+strconv.Itoa(flushes))
	run.Stderr = os.Stderr
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{run.Process, make(chan struct{}), make(chan struct{}), make(chan error, 1), newHistory()}
	t.Cleanup(func() { _ = c.process.Kill() })
	go func() {
		err := c.listen(out)
		if ended := run.Wait(); run.ProcessState.ExitCode() != -1 {
			err = errors.Join(err, fmt.Errorf("the child was not killed but ended: %w", ended))
		}
		c.ended <- err
	}()
	return c
}

// listen reads the child's reports until its end of the pipe closes.
func (c *child) listen(r io.Reader) error {
	var counting, recovered sync.Once
	failed := false
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		var report [8]byte
		if _, err := io.ReadFull(in, report[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		at := keyHour{killKey(int(report[1])), int64(binary.BigEndian.Uint32(report[4:]))}
		switch report[0] {
		case reportTried:
			c.seen.tried[at]++
		case reportAcked:
			c.seen.acked[at]++
			counting.Do(func() { close(c.counting) })
		case reportFailed:
			failed = true
		case reportFlushed:
			if failed {
				recovered.Do(func() { close(c.recovered) })
			}
		}
	}
}

// await waits for an event and fails if the child ends before.
func (c *child) await(t *testing.T, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case err := <-c.ended:
		t.Fatalf("the child ended too early: %v", err)
	}
}

// letCount lets the child count for a random time.
func (c *child) letCount(t *testing.T) {
	t.Helper()
	c.await(t, c.counting)
	<-time.After(rand.N(120 * time.Millisecond))
}

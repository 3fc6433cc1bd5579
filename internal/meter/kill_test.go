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

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// keyHour is what the invariant is stated for.
type keyHour struct {
	key  toksta.KeyID
	hour int64
}

// history is what the outside saw.
type history struct{ tried, answered map[keyHour]int64 }

func newHistory() history { return history{map[keyHour]int64{}, map[keyHour]int64{}} }

func (h history) add(o history) {
	for at, n := range o.tried {
		h.tried[at] += n
		h.answered[at] += o.answered[at]
	}
}

// check states the invariant for calls and credits of every key and hour. What
// was answered need not be in the usage before it has settled: some is still in
// journals.
func (h history) check(rows []store.UsageRow, settled bool) error {
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
		if !settled {
			answered = 0
		}
		if c.Calls < answered || c.Calls > tried {
			errs = append(errs, fmt.Errorf("%v: answered %d, counted %d, tried %d", at, answered, c.Calls, tried))
		}
		if n := c.Charge.Credits; n < answered*killCredits || n > tried*killCredits {
			errs = append(errs, fmt.Errorf("%v: %d credits for %d to %d calls", at, n, answered, tried))
		}
	}
	return errors.Join(errs...)
}

// child is a process that counts until it is killed, seen from outside.
type child struct {
	process  *os.Process
	counting chan struct{} // closed at its first answer
	back     chan struct{} // closed when a flush goes through after one failed
	ended    chan error    // nil: it was killed; seen is whole then
	seen     history
}

// start runs a child. It kills itself after so many flushes, unless they are 0.
func (s site) start(t *testing.T, flushes int) *child {
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
			err = errors.Join(err, fmt.Errorf("the child ended by itself: %w", ended))
		}
		c.ended <- err
	}()
	return c
}

// listen takes the child's notes until its end of the pipe closes.
func (c *child) listen(r io.Reader) error {
	var counting, back sync.Once
	failed := false
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		var note [8]byte
		if _, err := io.ReadFull(in, note[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		at := keyHour{killKey(int(note[1])), int64(binary.BigEndian.Uint32(note[4:]))}
		switch note[0] {
		case noteTried:
			c.seen.tried[at]++
		case noteAnswered:
			c.seen.answered[at]++
			counting.Do(func() { close(c.counting) })
		case noteFailed:
			failed = true
		case noteFlushed:
			if failed {
				back.Do(func() { close(c.back) })
			}
		}
	}
}

// await returns when it has happened. The child must live to see it.
func (c *child) await(t *testing.T, it <-chan struct{}) {
	t.Helper()
	select {
	case <-it:
	case err := <-c.ended:
		t.Fatalf("the child did not live: %v", err)
	}
}

// live returns at a random moment of the child's counting.
func (c *child) live(t *testing.T) {
	t.Helper()
	c.await(t, c.counting)
	<-time.After(rand.N(120 * time.Millisecond))
}

package changefeed

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pace is how long after a commit this node first looks whether the others are
// through: so early that in about four waits of ten all of them are, as far as
// earlier waits tell. A look that comes too early is one more, and takes database
// and processor from those who are waited for; a late one is time that the caller
// waits for nothing. At first, and soon when nobody else is there, it is at once.
type pace struct{ nanoseconds atomic.Int64 }

// slowest bounds what the others' slowness costs a caller when they are quick
// again.
const slowest = 5 * time.Millisecond

// await returns when it is time to look at what was committed at start, or ctx
// ends.
func (p *pace) await(ctx context.Context, start time.Time) {
	const late = time.Millisecond // as timers may be
	left := func() time.Duration { return time.Duration(p.nanoseconds.Load()) - time.Since(start) }
	if rest := left(); rest > late {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest - late):
		}
	}
	doze(left())
}

// learn takes what the first look of a wait has seen. What two waits at once
// teach may count once.
func (p *pace) learn(through bool) {
	now := time.Duration(p.nanoseconds.Load())
	if through {
		now -= now / 12
	} else {
		now = min(now+now/24+10*time.Microsecond, slowest)
	}
	p.nanoseconds.Store(int64(now))
}

// doze sleeps more exactly than a timer can, though a signal may cut it short. It
// holds its thread, and for a while the processor.
func doze(d time.Duration) {
	if d <= 0 {
		return
	}
	short := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&short, nil)
}

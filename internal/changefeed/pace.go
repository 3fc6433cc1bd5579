package changefeed

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pace is how long after a commit this node first looks whether the others are
// through: soon enough that not quite half of them would be, as far as earlier
// waits tell. A look that comes too early is one more, and takes database and
// processor from those who are waited for; a late one is time that the caller
// waits for nothing. Alone, and at first, a node looks at once.
type pace struct{ nanoseconds atomic.Int64 }

// slowest bounds what the others' slowness costs a caller when they are quick
// again.
const slowest = 5 * time.Millisecond

// await returns when it is time to look at what was committed at start.
func (p *pace) await(start time.Time) {
	if left := time.Duration(p.nanoseconds.Load()) - time.Since(start); left > 0 {
		doze(left)
	}
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

// doze sleeps for less time than timers are made for, or a signal cuts it short.
// It keeps a thread.
func doze(d time.Duration) {
	short := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&short, nil)
}

package changefeed

import "time"

// Moment is one instant on the two clocks that measure a lease.
type Moment struct {
	Steady time.Duration // on a monotonic clock, from any fixed start
	Wall   int64         // Unix nanoseconds on the wall clock
}

// Clock converts a reading of time.Now into a Moment. Valid calls At for every
// request, so it must be cheap.
type Clock interface {
	At(now time.Time) Moment
}

// systemClock takes both clocks from the one value that time.Now returned, which
// costs two subtractions and no system call.
type systemClock struct{ base time.Time }

func (c systemClock) At(now time.Time) Moment {
	return Moment{Steady: now.Sub(c.base), Wall: now.UnixNano()}
}

// maxJump limits the difference between wall clock and monotonic clock during one
// lease. Go's monotonic clock stops while the machine is suspended, but the kernel
// adds the suspended time to the wall clock. A suspend therefore shows as a jump
// between the two clocks, without a read of CLOCK_BOOTTIME (half a microsecond) for
// every request. A step of the wall clock, or a hypervisor pause that is corrected
// later, looks the same and costs the same: the node has no lease until its next
// renewal.
const maxJump = 250 * time.Millisecond

// lease permits the node to admit requests. It starts before its renewal was sent.
type lease struct {
	from  Moment
	lasts time.Duration
}

// newLease returns a lease that is maxJump shorter than the promised time, because a
// suspend of up to maxJump is not detected.
func newLease(from Moment, promised time.Duration) *lease {
	return &lease{from: from, lasts: promised - maxJump}
}

// covers reports whether the lease is valid at m. A moment before the start is
// covered, because a request can have read the clock just before the renewal did.
func (l *lease) covers(m Moment) bool {
	age := m.Steady - l.from.Steady
	jump := time.Duration(m.Wall-l.from.Wall) - age
	return age < l.lasts && -maxJump <= jump && jump <= maxJump
}

// The additions to the time of another node's lease after which the lease has surely
// ended on that node's own clock.
const (
	driftPercent = 1                     // maximum rate error of a monotonic clock
	slack        = 50 * time.Millisecond // for the time between reading a clock and acting on the value
)

// fenceAfter returns the time to wait after a commit until a lease that was renewed
// before the commit has certainly ended on the other machine's clock.
func fenceAfter(promised time.Duration) time.Duration {
	return promised*(100+driftPercent)/(100-driftPercent) + slack
}

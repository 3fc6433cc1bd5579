package changefeed

import "time"

// Moment is one instant on the two clocks that a lease is measured by.
type Moment struct {
	Steady time.Duration // on a clock that nobody sets, from any fixed start
	Wall   int64         // Unix nanoseconds on the wall clock
}

// Clock turns a reading of time.Now into a Moment. It must be cheap: Valid
// calls it for every request.
type Clock interface {
	At(now time.Time) Moment
}

// systemClock reads both clocks out of the one value that time.Now returned,
// so that it costs two subtractions and no system call.
type systemClock struct{ base time.Time }

func (c systemClock) At(now time.Time) Moment {
	return Moment{Steady: now.Sub(c.base), Wall: now.UnixNano()}
}

// maxJump is how far wall clock and steady clock may part during one lease.
// Go's steady clock stands still while the machine is suspended, yet the
// kernel adds the time asleep to the wall clock: a suspend is seen as a jump
// between the two, without asking CLOCK_BOOTTIME (half a microsecond) on
// every request. Setting the wall clock, or a hypervisor's pause that is made
// good later, looks the same and costs the same: no lease until the next
// renewal.
const maxJump = 250 * time.Millisecond

// lease is the right to admit, from a moment before its renewal was sent.
type lease struct {
	from  Moment
	lasts time.Duration
}

// newLease gives back maxJump of what the store was promised, since a suspend
// as short as that is not noticed.
func newLease(from Moment, promised time.Duration) *lease {
	return &lease{from: from, lasts: promised - maxJump}
}

// covers reports whether the lease holds at m. A moment before its start is
// covered: a request may have met the clock just before a renewal did.
func (l *lease) covers(m Moment) bool {
	age := m.Steady - l.from.Steady
	jump := time.Duration(m.Wall-l.from.Wall) - age
	return age < l.lasts && -maxJump <= jump && jump <= maxJump
}

// The bounds of a wait for somebody else's lease.
const (
	driftPercent = 1                     // by which two steady clocks may differ in rate
	slack        = 50 * time.Millisecond // for what lies between reading a clock and acting on it
)

// sitOut returns how long to wait, from after a commit, until a lease that
// was renewed before it is surely over on another machine's clock.
func sitOut(promised time.Duration) time.Duration {
	return promised*(100+driftPercent)/(100-driftPercent) + slack
}

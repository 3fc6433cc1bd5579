package ratelimit

import (
	"cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// Window identifies the windows of a call and their limits. Calls of every key are counted by the
// minute, so a limit that is set during a minute includes the earlier calls of that minute. Hours
// and days are counted only for an account with such a limit.
type Window struct {
	Account      toksta.AccountID
	AccountLimit int // calls per minute; below 1 rejects every call
	HourLimit    int // calls of the account per hour; below 1: no limit
	DayLimit     int // calls of the account per day; below 1: no limit
	Key          toksta.KeyID
	KeyLimit     int // calls per minute; below 1: the key has no limit
	Weight       int // number of calls as which the call counts; below 1: 1
}

// The indexes of the windows in Counts and in toksta.RateStates.
const (
	accountMinute = iota
	keyMinute
	accountHour
	accountDay
	windows
)

// Count is the number of calls in one window.
type Count struct {
	Number int64 // of the window: Unix time divided by the window's length
	Calls  int
}

// Counts has the number of calls in each window of a call, in the order of toksta.RateStates. A
// window that is not counted has the zero value.
type Counts [windows]Count

// Result is the state of the windows after a call.
type Result struct {
	toksta.RateState // the tightest window, see toksta.Decision.Rate
	States           toksta.RateStates
}

// Length returns the length of the window with index i.
func (w *Window) Length(i int) toksta.RateWindow {
	switch i {
	case accountHour:
		return toksta.WindowHour
	case accountDay:
		return toksta.WindowDay
	default:
		return toksta.WindowMinute
	}
}

// Limit returns the limit of the window with index i, and whether the window has one. The account's
// minute always has one.
func (w *Window) Limit(i int) (int, bool) {
	switch i {
	case accountMinute:
		return max(w.AccountLimit, 0), true
	case keyMinute:
		return w.KeyLimit, w.KeyLimit > 0
	case accountHour:
		return w.HourLimit, w.HourLimit > 0
	default:
		return w.DayLimit, w.DayLimit > 0
	}
}

// IsKey reports whether the window with index i is of the key, not of the account.
func (w *Window) IsKey(i int) bool { return i == keyMinute }

// IsCounted reports whether calls are counted in the window with index i.
func (w *Window) IsCounted(i int) bool {
	_, limited := w.Limit(i)
	return limited || i == keyMinute
}

// Calls returns the number of calls as which the call counts.
func (w *Window) Calls() int { return max(w.Weight, 1) }

// Fits reports whether the call fits into every window with the counts c.
func (w *Window) Fits(c *Counts) bool {
	for i := range c {
		if limit, limited := w.Limit(i); limited && limit-c[i].Calls < w.Calls() {
			return false
		}
	}
	return true
}

// Result returns the states of the windows with the counts c after an admitted or a rejected call.
// The counts include an admitted call.
func (w *Window) Result(c *Counts, admitted bool) Result {
	var r Result
	tightest := -1
	for i := range c {
		limit, limited := w.Limit(i)
		if !limited {
			continue
		}
		length := w.Length(i)
		s := &r.States[i]
		*s = toksta.RateState{
			Limit: limit, Remaining: max(limit-c[i].Calls, 0), Reset: (c[i].Number + 1) * length.Seconds(),
			Key: w.IsKey(i), Window: length,
		}
		if !admitted && s.Remaining >= w.Calls() {
			continue // another window rejected the call
		}
		if tightest < 0 || isTighter(s, &r.States[tightest], admitted) {
			tightest = i
		}
	}
	r.RateState = r.States[max(tightest, 0)]
	return r
}

// isTighter reports whether a describes the limits of a caller better than b. Of two windows that
// rejected a call, it is the one that ends later, because the caller must wait for both. Otherwise
// it is the one with fewer calls left, then the one that ends later, then the one with the lower
// limit.
func isTighter(a, b *toksta.RateState, admitted bool) bool {
	if !admitted && a.Reset != b.Reset {
		return a.Reset > b.Reset
	}
	return cmp.Or(cmp.Compare(a.Remaining, b.Remaining), cmp.Compare(b.Reset, a.Reset), cmp.Compare(a.Limit, b.Limit)) < 0
}

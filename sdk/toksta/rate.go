package toksta

// RateWindow is the length of a rate window. Windows are fixed: a minute, an
// hour and a day of Unix time, so a day starts at midnight UTC.
type RateWindow uint8

// The rate windows.
const (
	WindowMinute RateWindow = iota
	WindowHour
	WindowDay
)

// Seconds returns the length of the window.
func (w RateWindow) Seconds() int64 { return [...]int64{60, 3600, 86400}[w] }

// Reason returns the reason of a call that this window rejects.
func (w RateWindow) Reason() Reason {
	return [...]Reason{ReasonRateLimited, ReasonRateLimitedHourly, ReasonRateLimitedDaily}[w]
}

// RateState is the state of one rate window.
type RateState struct {
	Limit     int   // calls in a window; 0: no window was checked
	Remaining int   // calls left in this window
	Reset     int64 // end of the window, in Unix seconds
	Key       bool  // the window is of the key, not of the account
	Window    RateWindow
}

// RateStates has the states of all rate windows of a call: the account's minute,
// the key's minute, the account's hour and the account's day. A window without a
// limit has the zero value.
type RateStates [4]RateState

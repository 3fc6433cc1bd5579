package httpauth

import (
	"sync/atomic"
	"time"
)

// errorLog logs at most one error in each second, so that an outage of the server does
// not fill the log of a busy program. It is safe for concurrent use.
type errorLog struct {
	write   func(message string, args ...any)
	last    atomic.Int64 // time of the last line, in Unix nanoseconds
	skipped atomic.Int64 // errors since that line
}

// add logs err, or counts it for the next line.
func (l *errorLog) add(err error, now time.Time) {
	last := l.last.Load()
	if now.UnixNano()-last < int64(time.Second) || !l.last.CompareAndSwap(last, now.UnixNano()) {
		l.skipped.Add(1)
		return
	}
	l.write("toksta: a request was rejected with 503, because there is no decision", "error", err, "skipped_since", l.skipped.Swap(0))
}

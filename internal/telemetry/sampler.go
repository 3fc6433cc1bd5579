package telemetry

import (
	"sync"
	"time"
)

// sampler limits the records of rejected requests in each second, and counts the
// others.
type sampler struct {
	perSecond int

	mu      sync.Mutex
	second  int64 // the current second, as Unix time
	taken   int   // records in this second
	skipped int64 // since the last report
	total   int64 // skipped since the start
}

// take reports whether to write the record of a request that ended at now. total
// is the number of records skipped since the start. skipped is the number since
// the last report if now is in a new second, otherwise 0.
func (s *sampler) take(now time.Time) (write bool, skipped, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := now.Unix(); second != s.second {
		skipped = s.skipped
		s.second, s.taken, s.skipped = second, 0, 0
	}
	if s.taken < s.perSecond {
		s.taken++
		return true, skipped, s.total
	}
	s.skipped++
	s.total++
	return false, skipped, s.total
}

// end returns the number of records skipped since the last report, and since the
// start.
func (s *sampler) end() (skipped, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	skipped, s.skipped = s.skipped, 0
	return skipped, s.total
}

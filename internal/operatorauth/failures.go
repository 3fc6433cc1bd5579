package operatorauth

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// maxFailures is the number of failures of a network in a window that are rejected
	// with 401. Further ones get 429.
	maxFailures = 10
	// window is the length of a window. It begins with the first failure in it.
	window = time.Minute
	// maxNetworks bounds the networks in each of the two maps of failures, and so the
	// memory to some megabytes.
	maxNetworks = 1 << 14
)

// failures counts failed attempts by network, in memory only. It is safe for concurrent
// use.
type failures struct {
	mu sync.Mutex
	// New records go into recent. If recent is full, it becomes old, and the records of
	// old are deleted: an attacker needs that many networks to delete one record.
	recent, old map[netip.Prefix]record
}

// record counts the failures of a network in the window that ends at end.
type record struct {
	end      time.Time
	failures int
}

func newFailures() *failures { return &failures{recent: map[netip.Prefix]record{}} }

// count counts a failure of a network. It returns the end of the window if the network has
// more failures in it than permitted, and otherwise the zero time.
func (f *failures) count(network netip.Prefix, now time.Time) (until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, known := f.recent[network]
	if !known {
		r = f.old[network]
	}
	if !now.Before(r.end) {
		r = record{end: now.Add(window)}
	}
	r.failures = min(r.failures+1, maxFailures+1)
	if !known && len(f.recent) >= maxNetworks {
		f.recent, f.old = map[netip.Prefix]record{}, f.recent
	}
	f.recent[network] = r
	if r.failures > maxFailures {
		return r.end
	}
	return time.Time{}
}

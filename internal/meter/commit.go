package meter

import "sync"

// commit is a group commit: whoever finds no run under way makes the next one,
// for all who came while the last one ran. It needs no goroutine of its own,
// and a lone caller waits for one run only.
type commit struct {
	mu      sync.Mutex
	done    sync.Cond // a run has ended; on mu
	running bool
	started uint64 // runs so far
	ended   uint64 // number of the last run that ended
	err     error  // of that run
}

// wait returns once a run of sync that began after the call has ended, with
// that run's error or a later one's, and whether it was this caller's. A run
// under way does not count: it may have passed what the caller counted.
func (c *commit) wait(sync func() error) (mine bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for due := c.started + 1; c.ended < due; {
		if c.running {
			c.done.Wait()
			continue
		}
		c.running, mine = true, true
		c.started++
		c.mu.Unlock()
		err := sync()
		c.mu.Lock()
		c.running, c.ended, c.err = false, c.started, err
		c.done.Broadcast()
	}
	return mine, c.err
}

package meter

import "sync"

// groupCommit merges concurrent calls into few runs. A caller that finds no active run starts the
// next one, for all callers that arrived during the last run. It needs no goroutine, and a single
// caller waits for one run only.
type groupCommit struct {
	mu      sync.Mutex
	done    sync.Cond // signals the end of a run; uses mu
	running bool
	started uint64 // number of runs started
	ended   uint64 // number of the last run that ended
	err     error  // result of that run
}

// wait returns once a run of sync that began after the call has ended. The active run does not
// count, because it may have missed the caller's data. wait reports whether the caller made the run
// itself, and returns the error of that run or of a later one.
func (c *groupCommit) wait(sync func() error) (own bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for due := c.started + 1; c.ended < due; {
		if c.running {
			c.done.Wait()
			continue
		}
		c.running, own = true, true
		c.started++
		c.mu.Unlock()
		err := sync()
		c.mu.Lock()
		c.running, c.ended, c.err = false, c.started, err
		c.done.Broadcast()
	}
	return own, c.err
}

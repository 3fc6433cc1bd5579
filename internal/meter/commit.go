package meter

import "sync"

// commit is a group commit: whoever finds no write to the disk under way makes
// the next one, for all who came while the last one ran.
type commit struct {
	mu      sync.Mutex
	done    sync.Cond
	running bool
	started uint64
	ended   uint64
	err     error // of the last one
}

// wait returns once a run of sync that began after the call has ended, with
// that run's error or a later one's.
func (c *commit) wait(sync func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for mine := c.started + 1; c.ended < mine; {
		if c.running {
			c.done.Wait()
			continue
		}
		c.running = true
		c.started++
		c.mu.Unlock()
		err := sync()
		c.mu.Lock()
		c.running, c.ended, c.err = false, c.started, err
		c.done.Broadcast()
	}
	return c.err
}

package simulate

import (
	"slices"
	"time"
)

// Intervals between reads of the node table while a caller waits, equal to those
// of package changefeed.
const (
	quickPolls = 10
	firstPause = time.Millisecond // doubles with every read
	maxPause   = 50 * time.Millisecond
)

// pause returns the time before the next read of the node table, which depends on the
// number of reads so far.
func pause(polls int) time.Duration {
	if polls < quickPolls {
		return 0
	}
	return min(firstPause<<min(polls-quickPolls, 10), maxPause)
}

// call is one mutation that waits until every node has applied it.
type call struct {
	*change
	by      *node
	faults  int           // of by, when the call began
	begun   time.Duration // in true time
	written time.Duration
	listed  time.Duration // 0: not yet
	self    *nodeRow      // nil: by is not registered
	pending []rowCopy     // of processes that may admit requests on the state before
}

// change begins a call on a random node. It does nothing if the node has a fault
// or no lease.
func (r *run) change(rows int, revoke bool) {
	n := r.nodes[r.rng.IntN(r.Nodes)]
	if n.killed || n.stall() > 0 || n.ends == 0 {
		return
	}
	c := &call{change: &change{rows: rows, revoke: revoke}, by: n, faults: n.faults, begun: r.now}
	write := func() {
		n.committing.acquireWithin(r, r.Lease/2, func() { r.write(c) }, func() { r.failed(c) })
	}
	if r.Rules.ListBeforeCommit {
		r.list(c, write)
		return
	}
	write()
}

// write commits the change in two round trips: the first locks the clock row and
// reads the state to decide on, the second sends the rows and the commit.
func (r *run) write(c *call) {
	if r.Rules.UnorderedNumbers {
		r.db.numbers++
		c.seq = r.db.numbers
	}
	r.db.begin(&tx{
		by: c.by, clock: !r.Rules.UnorderedNumbers, trips: 1, work: time.Duration(c.rows) * r.Machine.Row,
		reads: func() {
			if c.seq == 0 {
				c.seq = r.db.highest() + 1
			}
		},
		commit: func() {
			r.db.append(c.change)
			r.notifyOthers(c)
		},
		done: func(ok bool) {
			c.by.committing.release()
			if c.written = r.now; ok {
				r.catchUp(c)
			} else {
				r.failed(c)
			}
		},
	})
}

// notifyOthers delivers the notification of a commit to every other node that is
// connected at that moment.
func (r *run) notifyOthers(c *call) {
	for _, n := range r.nodes {
		if !n.killed && n != c.by {
			n.reply(func() { n.notify(c.seq) })
		}
	}
}

// list reads the nodes that the call has to wait for, and then runs then.
func (r *run) list(c *call, then func()) {
	r.poll(c, func(rows []rowCopy) {
		c.pending, c.listed = rows, r.now
		then()
	})
}

// poll reads the node table and passes the rows to then.
func (r *run) poll(c *call, then func([]rowCopy)) {
	r.schedule(c.by.stall()+r.sample(r.Machine.Trip)/2, func() {
		rows := r.db.listNodes()
		c.by.reply(func() { then(rows) })
	})
}

// catchUp applies the change on the calling node and then lists the other nodes.
func (r *run) catchUp(c *call) {
	proceed := func(bool) {
		c.self = c.by.row
		c.by.following.release()
		if c.listed > 0 {
			r.wait(c)
			return
		}
		r.list(c, func() { r.wait(c) })
	}
	c.by.following.acquire(func() {
		if c.by.row == nil || c.by.applied >= c.seq {
			proceed(false)
			return
		}
		c.by.follow(proceed)
	})
}

// wait starts the wait for all listed nodes and for the calling node itself.
func (r *run) wait(c *call) {
	rows := c.pending
	c.pending = slices.DeleteFunc(slices.Clone(rows), func(w rowCopy) bool { return w.row == c.self })
	if c.self != nil {
		c.pending = append(c.pending, rowCopy{row: c.self})
	}
	r.checkPending(c, rows, 1)
}

// checkPending removes every process that has applied the change or whose lease
// has ended. It polls again until no process is left.
func (r *run) checkPending(c *call, rows []rowCopy, polls int) {
	applied := map[*nodeRow]int64{}
	for _, w := range rows {
		applied[w.row] = w.applied
	}
	over := time.Duration(float64(r.now-c.listed)/c.by.rate) >= fenceAfter(r.Lease)
	var silent []rowCopy
	c.pending = slices.DeleteFunc(c.pending, func(w rowCopy) bool {
		switch {
		case r.Rules.NotifyOnly, applied[w.row] >= c.seq:
			return true
		case w.row == c.self:
			return over || c.by.applied >= c.seq || c.by.ends == 0
		case over:
			silent = append(silent, w)
		}
		return over
	})
	r.fence(c, silent, func() {
		if len(c.pending) == 0 {
			c.by.notify(c.seq)
			r.returned(c)
			return
		}
		if polls == quickPolls {
			c.by.notify(c.seq)
		}
		r.schedule(pause(polls), func() {
			r.poll(c, func(rows []rowCopy) { r.checkPending(c, rows, polls+1) })
		})
	})
}

// fence removes the rows of silent processes, one after the other, so that the
// next call does not wait for them.
func (r *run) fence(c *call, silent []rowCopy, then func()) {
	if len(silent) == 0 {
		then()
		return
	}
	r.db.begin(&tx{
		by: c.by, trips: 1,
		commit: func() { r.db.remove(silent[0]) },
		done:   func(bool) { r.fence(c, silent[1:], then) },
	})
}

// failed ends a call whose transaction did not commit in time.
func (r *run) failed(c *call) {
	if c.revoke && c.faults == c.by.faults && r.now >= r.warm {
		r.Failed++
	}
}

// returned ends the call. From this moment no node may admit a request on the
// state before the change. Latency is recorded only if the caller had no fault.
func (r *run) returned(c *call) {
	if c.revoke {
		for _, n := range r.nodes {
			n.checkAdmission(c.change)
		}
	}
	if c.faults != c.by.faults || r.now < r.warm {
		return
	}
	if c.revoke {
		r.Latency = append(r.Latency, r.now-c.begun)
		r.LongestWait = max(r.LongestWait, r.now-c.written)
	}
	r.count(func(u *Use) { u.Changes += c.rows })
}

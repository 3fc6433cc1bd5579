package simulate

import "time"

// How often the others' progress is read while somebody waits for it.
const (
	firstLook = 2 * time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// call is one mutation on its way to every node.
type call struct {
	*change
	by       *node
	troubles int           // of by, when the call began
	begun    time.Duration // in true time
	written  time.Duration
	listed   bool
	open     []row // processes that may still admit on the state before
}

// change begins a call on some node, if it is well and has joined.
func (r *run) change(rows int, revoke bool) {
	n := r.nodes[r.rng.IntN(r.Nodes)]
	if n.dead || n.stall() > 0 || n.ends == 0 {
		return
	}
	c := &call{change: &change{rows: rows, revoke: revoke}, by: n, troubles: n.troubles, begun: r.now}
	if r.Rules.ListFirst {
		r.list(c, func() { r.write(c) })
		return
	}
	r.write(c)
}

// write commits, then waits for the others.
func (r *run) write(c *call) {
	if r.Rules.SerialNumbers {
		r.db.numbers++
		c.seq = r.db.numbers
	}
	r.db.begin(&tx{
		by: c.by, trips: 6, work: time.Duration(c.rows) * r.Machine.Row,
		locked: func() {
			if c.seq == 0 {
				c.seq = r.db.highest() + 1
			}
		},
		commit: func() { r.db.append(c.change) },
		done: func(ok bool) {
			if c.written = r.now; ok && !c.listed {
				r.list(c, func() { r.wake(c) })
			} else if ok {
				r.wake(c)
			}
		},
	})
}

// list reads who may admit.
func (r *run) list(c *call, then func()) {
	r.ask(c, func(rows []row) {
		c.open, c.listed = rows, true
		then()
	})
}

// ask reads the table of nodes.
func (r *run) ask(c *call, then func([]row)) {
	r.after(c.by.stall()+r.draw(r.Machine.Trip)/2, func() {
		rows := r.db.live()
		c.by.reply(func() { then(rows) })
	})
}

// wake brings the calling node up to the change, then rings for the others.
func (r *run) wake(c *call) {
	c.by.alone(func() {
		rest := func() {
			c.by.leave()
			if len(c.open) > 1 {
				c.by.nudge()
				r.ring(c.by)
			}
			r.look(c, firstLook)
		}
		if c.by.applied >= c.seq {
			rest()
			return
		}
		c.by.follow(func(bool) { rest() })
	})
}

// ring is NOTIFY: it reaches every node that is connected at that moment.
func (r *run) ring(by *node) {
	r.after(r.draw(r.Machine.Trip)/2, func() {
		for _, n := range r.nodes {
			if n != by && !n.dead {
				n.reply(n.nudge)
			}
		}
	})
}

// look closes every process that has applied the change or whose lease is
// over, and looks again while any is left.
func (r *run) look(c *call, pause time.Duration) {
	r.ask(c, func(rows []row) {
		if r.settled(c, rows) {
			r.returned(c)
			return
		}
		r.after(pause, func() { r.look(c, min(2*pause, lastLook)) })
	})
}

func (r *run) settled(c *call, rows []row) bool {
	told := map[*node]int64{c.by: c.by.applied}
	for _, w := range rows {
		if w.node != c.by {
			told[w.node] = w.applied
		}
	}
	waited := time.Duration(float64(r.now-c.written) / c.by.rate)
	for _, w := range c.open {
		if told[w.node] < c.seq && waited < sitOut(r.Lease) && !r.Rules.WakeOnly {
			return false
		}
	}
	return true
}

// returned ends the call: from now on, no node may admit on the state before.
func (r *run) returned(c *call) {
	if c.revoke {
		for _, n := range r.nodes {
			n.mustKnow(c.change)
		}
	}
	if c.troubles != c.by.troubles || r.now < r.warm {
		return // the caller stood still itself
	}
	if c.revoke {
		r.Latency = append(r.Latency, r.now-c.begun)
		r.Waited = max(r.Waited, r.now-c.written)
	}
	r.count(func(u *Use) { u.Changes += c.rows })
}

// highest is the number that the clock row shows: of the newest change.
func (d *database) highest() (seq int64) {
	for i := len(d.log) - 1; i >= max(0, len(d.log)-overtaking); i-- {
		seq = max(seq, d.log[i].seq)
	}
	return seq
}

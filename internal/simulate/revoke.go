package simulate

import (
	"slices"
	"time"
)

// How often the others' progress is read while somebody waits for it.
const (
	naps       = 16
	nap        = 150 * time.Microsecond
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// call is one mutation on its way to every node.
type call struct {
	*change
	by       *node
	troubles int           // of by, when the call began
	begun    time.Duration // in true time
	written  time.Duration
	listed   time.Duration // 0: not yet
	self     *row          // nil: by does not admit
	open     []sight       // of processes that may still admit on the state before
}

// change begins a call on some node, if it is well and has joined.
func (r *run) change(rows int, revoke bool) {
	n := r.nodes[r.rng.IntN(r.Nodes)]
	if n.dead || n.stall() > 0 || n.ends == 0 {
		return
	}
	c := &call{change: &change{rows: rows, revoke: revoke}, by: n, troubles: n.troubles, begun: r.now}
	write := func() { n.committing.acquire(func() { r.write(c) }) }
	if r.Rules.ListFirst {
		r.list(c, write)
		return
	}
	write()
}

// write commits: the clock row and what is decided on, then the rows together
// with the commit.
func (r *run) write(c *call) {
	if r.Rules.SerialNumbers {
		r.db.numbers++
		c.seq = r.db.numbers
	}
	r.db.begin(&tx{
		by: c.by, clock: !r.Rules.SerialNumbers, trips: 1, work: time.Duration(c.rows) * r.Machine.Row,
		reads: func() {
			if c.seq == 0 {
				c.seq = r.db.highest() + 1
			}
		},
		commit: func() {
			r.db.append(c.change)
			r.ring(c)
		},
		done: func(ok bool) {
			c.by.committing.release()
			if c.written = r.now; ok {
				r.catchUp(c)
			}
		},
	})
}

// list reads who may admit.
func (r *run) list(c *call, then func()) {
	r.ask(c, func(rows []sight) {
		c.open, c.listed = rows, r.now
		then()
	})
}

// ask reads the table of nodes.
func (r *run) ask(c *call, then func([]sight)) {
	r.after(c.by.stall()+r.draw(r.Machine.Trip)/2, func() {
		rows := r.db.read()
		c.by.reply(func() { then(rows) })
	})
}

// catchUp brings the calling node up to the change, then turns to the others.
func (r *run) catchUp(c *call) {
	rest := func(bool) {
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
			rest(false)
			return
		}
		c.by.follow(rest)
	})
}

// wait waits for everybody.
func (r *run) wait(c *call) {
	rows := c.open
	c.open = slices.DeleteFunc(slices.Clone(rows), func(w sight) bool { return w.of == c.self })
	if c.self != nil {
		c.open = append(c.open, sight{of: c.self})
	}
	r.settle(c, rows, 0)
}

// ring is the notification that comes with a commit: it reaches every other
// node that is connected at that moment.
func (r *run) ring(c *call) {
	for _, n := range r.nodes {
		if !n.dead && n != c.by {
			n.reply(func() { n.hear(c.seq) })
		}
	}
}

// settle closes every process that has applied the change or whose lease is
// over, and looks again while any is left.
func (r *run) settle(c *call, rows []sight, looks int) {
	told := map[*row]int64{}
	for _, w := range rows {
		told[w.of] = w.applied
	}
	over := time.Duration(float64(r.now-c.listed)/c.by.rate) >= sitOut(r.Lease)
	var silent []sight
	c.open = slices.DeleteFunc(c.open, func(w sight) bool {
		switch {
		case r.Rules.WakeOnly, told[w.of] >= c.seq:
			return true
		case w.of == c.self:
			return over || c.by.applied >= c.seq || c.by.ends == 0
		case over:
			silent = append(silent, w)
		}
		return over
	})
	r.fence(c, silent, func() {
		if len(c.open) == 0 {
			c.by.hear(c.seq)
			r.returned(c)
			return
		}
		pause := nap
		if looks >= naps {
			c.by.hear(c.seq)
			pause = min(max((r.now-c.listed)/2, firstPause), lastPause)
		}
		r.after(pause, func() {
			r.ask(c, func(rows []sight) { r.settle(c, rows, looks+1) })
		})
	})
}

// fence removes those who were waited out, one after the other, so that the
// next call does not wait for them.
func (r *run) fence(c *call, silent []sight, then func()) {
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

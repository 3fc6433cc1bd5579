package simulate

import (
	"slices"
	"time"
)

// database models the committed state, the lock of the clock row and the disk.
type database struct {
	run      *run
	log      []*change  // in commit order
	numbers  int64      // issued by Rules.UnorderedNumbers
	rows     []*nodeRow // the node table
	clock    lock
	flushing bool
	unsynced []func() // commits that wait for the next flush
}

// change is one committed mutation.
type change struct {
	seq      int64
	position int // in the log
	rows     int
	revoke   bool
}

// nodeRow is the row of one process in the node table.
type nodeRow struct {
	applied  int64
	renewals int
	removed  bool
}

// rowCopy is a node row as a reader of the table received it.
type rowCopy struct {
	row      *nodeRow
	applied  int64
	renewals int
}

// tx is one write transaction. Its process sends one round trip after another.
type tx struct {
	by     *node
	clock  bool          // takes the lock of the clock row
	trips  int           // round trips after the first, including the commit
	work   time.Duration // of the database
	reads  func()        // runs with the first statement; nil: nothing
	commit func()        // writes; runs at the commit
	done   func(ok bool) // receives the outcome
}

// begin sends the first statement of t.
func (d *database) begin(t *tx) {
	r := d.run
	r.schedule(t.by.stall()+r.sample(r.Machine.Trip)/2, func() {
		first := func() {
			if t.reads != nil {
				t.reads()
			}
			d.step(t, t.trips)
		}
		if t.clock {
			d.clock.acquireWithin(r, r.Lease, first, func() { t.by.reply(func() { t.done(false) }) })
		} else {
			first()
		}
	})
}

// step responds to a statement and waits for the next one; left is the number of
// statements that follow. If the process is killed, its transaction ends; if it is
// silent for longer than Machine.Idle, the database ends the transaction.
func (d *database) step(t *tx, left int) {
	r, stall := d.run, t.by.stall()
	switch {
	case t.by.killed:
		d.end(t)
	case left == 0:
		r.schedule(t.work, func() { d.flush(func() { d.committed(t) }) })
	case r.Machine.Idle > 0 && stall > r.Machine.Idle:
		r.schedule(r.Machine.Idle, func() {
			d.end(t)
			t.by.reply(func() { t.done(false) })
		})
	default:
		r.schedule(stall+r.sample(r.Machine.Trip), func() { d.step(t, left-1) })
	}
}

func (d *database) committed(t *tx) {
	d.run.count(func(u *Use) { u.Writes++ })
	t.commit()
	d.end(t)
	t.by.reply(func() { t.done(true) })
}

func (d *database) end(t *tx) {
	if t.clock {
		d.clock.release()
	}
}

// flush makes a commit durable, together with all other commits that wait when the
// flush starts.
func (d *database) flush(done func()) {
	d.unsynced = append(d.unsynced, done)
	if d.flushing {
		return
	}
	d.flushing = true
	batch := d.unsynced
	d.unsynced = nil
	d.run.count(func(u *Use) { u.Flushes++ })
	d.run.schedule(d.run.sample(d.run.Machine.Flush), func() {
		d.flushing = false
		for _, done := range batch {
			done()
		}
		if next := d.unsynced; len(next) > 0 {
			d.unsynced = next[1:]
			d.flush(next[0])
		}
	})
}

// append adds a committed change to the log.
func (d *database) append(c *change) {
	c.position = len(d.log)
	d.log = append(d.log, c)
}

// maxReorder limits by how many positions a number can be out of commit order.
const maxReorder = 64

// since returns the committed changes with numbers above seq.
func (d *database) since(seq int64) (changes []*change) {
	for i := len(d.log) - 1; i >= 0 && d.log[i].seq > seq-maxReorder; i-- {
		if d.log[i].seq > seq {
			changes = append(changes, d.log[i])
		}
	}
	return changes
}

// highest returns the number in the clock row.
func (d *database) highest() (seq int64) {
	for i := len(d.log) - 1; i >= max(0, len(d.log)-maxReorder); i-- {
		seq = max(seq, d.log[i].seq)
	}
	return seq
}

// listNodes copies the node table. It contains the rows of killed processes until
// they are fenced.
func (d *database) listNodes() (rows []rowCopy) {
	for _, w := range d.rows {
		rows = append(rows, rowCopy{w, w.applied, w.renewals})
	}
	d.run.count(func(u *Use) { u.Reads, u.Bytes = u.Reads+1, u.Bytes+nodeBytes*len(rows) })
	return rows
}

// remove deletes a row, unless its node has renewed since the row was read.
func (d *database) remove(w rowCopy) {
	if !w.row.removed && (w.row.renewals == w.renewals || d.run.Rules.FenceUnchecked) {
		w.row.removed = true
		d.rows = slices.DeleteFunc(d.rows, func(r *nodeRow) bool { return r == w.row })
		d.run.Fenced++
	}
}

// lock is a mutex that is granted in the order of requests. It models the lock of
// the clock row and the work that a process does one piece at a time.
type lock struct {
	held  bool
	queue []func()
}

// acquire runs granted once it has acquired the lock.
func (l *lock) acquire(granted func()) {
	if l.held {
		l.queue = append(l.queue, granted)
		return
	}
	l.held = true
	granted()
}

// acquireWithin runs granted once it has acquired the lock. If that takes longer than
// limit, it runs expired instead.
func (l *lock) acquireWithin(r *run, limit time.Duration, granted, expired func()) {
	waiting := true
	l.acquire(func() {
		if !waiting {
			l.release()
			return
		}
		waiting = false
		granted()
	})
	r.schedule(limit, func() {
		if waiting {
			waiting = false
			expired()
		}
	})
}

func (l *lock) release() {
	if len(l.queue) == 0 {
		l.held = false
		return
	}
	next := l.queue[0]
	l.queue = l.queue[1:]
	next()
}

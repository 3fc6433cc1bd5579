package simulate

import (
	"slices"
	"time"
)

// database holds what is committed, the clock row's lock and the disk.
type database struct {
	run      *run
	log      []*change // in the order of their commits
	numbers  int64     // handed out
	rows     []*row    // the table of nodes
	clock    rowLock
	flushing bool
	unsynced []func() // commits that wait for the next flush
}

// change is one committed mutation.
type change struct {
	seq    int64
	place  int // in the log
	rows   int
	revoke bool
}

// row is one process in the table of nodes.
type row struct {
	node    *node
	applied int64
	lease   time.Duration
	seen    time.Duration
}

// tx is one write transaction, driven by its process one round trip at a time.
type tx struct {
	by     *node
	share  bool          // of the clock row's lock
	trips  int           // round trips under the lock, COMMIT's among them
	work   time.Duration // of the database under the lock
	locked func()        // reads; runs with the lock held
	commit func()        // writes; runs at the commit
	done   func(ok bool) // the answer has come
}

// begin sends t: BEGIN, then the statement that takes the clock row's lock.
func (d *database) begin(t *tx) {
	r := d.run
	r.after(t.by.stall()+r.draw(r.Machine.Trip)+r.draw(r.Machine.Trip)/2, func() {
		if r.Rules.SerialNumbers {
			t.locked()
			d.step(t, t.trips)
			return
		}
		d.clock.acquire(t.share, func() {
			t.locked()
			d.step(t, t.trips)
		})
	})
}

// step answers a statement and waits for the next. A process that died takes
// its transaction with it; one that is silent for too long loses it.
func (d *database) step(t *tx, left int) {
	r, stall := d.run, t.by.stall()
	switch {
	case t.by.dead:
		d.end(t)
	case left == 0:
		r.after(t.work, func() { d.flush(func() { d.committed(t) }) })
	case r.Machine.Idle > 0 && stall > r.Machine.Idle:
		r.after(r.Machine.Idle, func() {
			d.end(t)
			t.by.reply(func() { t.done(false) })
		})
	default:
		r.after(stall+r.draw(r.Machine.Trip), func() { d.step(t, left-1) })
	}
}

func (d *database) committed(t *tx) {
	d.run.count(func(u *Use) { u.Writes++ })
	t.commit()
	d.end(t)
	t.by.reply(func() { t.done(true) })
}

func (d *database) end(t *tx) {
	if !d.run.Rules.SerialNumbers {
		d.clock.release(t.share)
	}
}

// flush makes a commit durable together with all that wait at that moment.
func (d *database) flush(done func()) {
	d.unsynced = append(d.unsynced, done)
	if d.flushing {
		return
	}
	d.flushing = true
	batch := d.unsynced
	d.unsynced = nil
	d.run.count(func(u *Use) { u.Flushes++ })
	d.run.after(d.run.draw(d.run.Machine.Flush), func() {
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

// append commits c.
func (d *database) append(c *change) {
	c.place = len(d.log)
	d.log = append(d.log, c)
}

// overtaking is by how many places numbers from a sequence may come late.
const overtaking = 64

// since returns the committed changes numbered above seq.
func (d *database) since(seq int64) (news []*change) {
	for i := len(d.log) - 1; i >= 0 && d.log[i].seq > seq-overtaking; i-- {
		if d.log[i].seq > seq {
			news = append(news, d.log[i])
		}
	}
	return news
}

// live copies the rows whose lease is live.
func (d *database) live() (out []row) {
	d.rows = slices.DeleteFunc(d.rows, func(w *row) bool { return w.node.dead && w.seen+w.lease < d.run.now })
	for _, w := range d.rows {
		if w.seen+w.lease > d.run.now {
			out = append(out, *w)
		}
	}
	d.run.count(func(u *Use) { u.Reads, u.Bytes = u.Reads+1, u.Bytes+nodeBytes*len(out) })
	return out
}

// rowLock is taken by sharers together or by one alone, as PostgreSQL's row
// locks are: unless it is fair, sharers join sharers though somebody waits to
// be alone.
type rowLock struct {
	fair    bool
	holders int // -1: one, alone
	queue   []waiter
}

type waiter struct {
	share bool
	got   func()
}

func (l *rowLock) acquire(share bool, got func()) {
	free := len(l.queue) == 0 || share && !l.fair
	if free && (l.holders == 0 || share && l.holders > 0) {
		l.grant(waiter{share, got})
		return
	}
	l.queue = append(l.queue, waiter{share, got})
}

func (l *rowLock) grant(w waiter) {
	if w.share {
		l.holders++
	} else {
		l.holders = -1
	}
	w.got()
}

func (l *rowLock) release(share bool) {
	l.holders--
	if !share {
		l.holders = 0
	}
	for len(l.queue) > 0 && (l.holders == 0 || l.holders > 0 && l.queue[0].share) {
		next := l.queue[0]
		l.queue = l.queue[1:]
		l.grant(next)
	}
}

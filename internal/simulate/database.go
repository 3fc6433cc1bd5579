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
	clock    lock
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
	applied int64
	beats   int  // renewals
	gone    bool // from the table
}

// sight is a row as somebody read it.
type sight struct {
	of      *row
	applied int64
	beats   int
}

// tx is one write transaction, driven by its process one round trip at a time.
type tx struct {
	by     *node
	clock  bool          // takes the clock row's lock
	trips  int           // round trips after the first, the commit's among them
	work   time.Duration // of the database
	reads  func()        // as of the first statement; nil: nothing
	commit func()        // writes; runs at the commit
	done   func(ok bool) // the answer has come
}

// begin sends t with its first statement.
func (d *database) begin(t *tx) {
	r := d.run
	r.after(t.by.stall()+r.draw(r.Machine.Trip)/2, func() {
		first := func() {
			if t.reads != nil {
				t.reads()
			}
			d.step(t, t.trips)
		}
		if t.clock {
			d.clock.acquire(first)
		} else {
			first()
		}
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
	if t.clock {
		d.clock.release()
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

// read copies the table of nodes. Rows of the dead are in it until they are
// fenced.
func (d *database) read() (out []sight) {
	for _, w := range d.rows {
		out = append(out, sight{w, w.applied, w.beats})
	}
	d.run.count(func(u *Use) { u.Reads, u.Bytes = u.Reads+1, u.Bytes+nodeBytes*len(out) })
	return out
}

// remove deletes a row, unless its node has renewed since it was read.
func (d *database) remove(w sight) {
	if !w.of.gone && (w.of.beats == w.beats || d.run.Rules.FenceBlindly) {
		w.of.gone = true
		d.rows = slices.DeleteFunc(d.rows, func(r *row) bool { return r == w.of })
		d.run.Fenced++
	}
}

// lock is held by one at a time, in the order of asking. It guards the clock
// row against changes, and what a process does one at a time.
type lock struct {
	held  bool
	queue []func()
}

func (l *lock) acquire(got func()) {
	if l.held {
		l.queue = append(l.queue, got)
		return
	}
	l.held = true
	got()
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

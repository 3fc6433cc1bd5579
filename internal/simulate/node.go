package simulate

import "time"

// What the protocol fixes. These follow package changefeed.
const (
	beats   = 4                      // renewals in a lease
	maxJump = 250 * time.Millisecond // that a node gives back of its lease
	drift   = 0.01                   // by which a clock may be fast or slow
	slack   = 50 * time.Millisecond
)

// sitOut is how long a lease is waited for, on the clock of who waits.
func sitOut(lease time.Duration) time.Duration {
	return time.Duration(float64(lease)*(1+drift)/(1-drift)) + slack
}

// node is one process. A restart makes another.
type node struct {
	run      *run
	place    int
	row      *row // nil until registered
	rate     float64
	dead     bool
	cutUntil time.Duration
	stopped  time.Duration // paused until then
	troubles int

	applied int64
	loaded  int // changes that the snapshot held
	got     map[*change]bool
	ends    time.Duration // of the lease, in true time
	lacks   []*change     // returned revocations that this node does not know

	told  int64 // number that its row shows
	heard int64 // number of the newest change that it was told of

	due, woken bool // to renew, to look for news
	looping    bool
	following  lock
	committing lock // one change of this process is in flight at a time
}

// start makes a new process at a place in the cluster.
func (r *run) start(place int) {
	n := &node{run: r, place: place, rate: 1 + drift*(2*r.rng.Float64()-1), got: map[*change]bool{}}
	r.nodes[place] = n
	r.after(time.Duration(r.rng.Float64()*float64(r.Lease/beats)), n.beat)
}

func (n *node) beat() {
	if n.dead {
		return
	}
	n.due = true
	n.nudge()
	n.run.after(time.Duration(float64(n.run.Lease/beats)*n.rate), n.beat)
}

// hear makes the loop apply a change, and tell of it, now instead of at the
// next beat.
func (n *node) hear(seq int64) {
	n.heard = max(n.heard, seq)
	n.nudge()
}

// nudge makes the loop look.
func (n *node) nudge() {
	if n.woken = true; n.looping || n.dead {
		return
	}
	n.looping = true
	step := n.followHeard
	if n.due {
		step = n.renew
	}
	n.due, n.woken = false, false
	n.following.acquire(func() {
		n.keepUp(step, func() {
			n.looping = false
			n.following.release()
			if n.woken {
				n.nudge()
			}
		})
	})
}

// keepUp takes the step, or registers when necessary, and tells those who wait
// what this node knows then.
func (n *node) keepUp(step func(func(ok bool)), then func()) {
	if n.row == nil {
		n.register(then)
		return
	}
	step(func(ok bool) {
		if !ok || n.told >= n.applied {
			then()
			return
		}
		n.tell(then)
	})
}

// register loads a snapshot, joins, and takes the first lease.
func (n *node) register(then func()) {
	r, joined := n.run, &row{}
	join := func() {
		r.db.begin(&tx{
			by: n, trips: 2,
			commit: func() { r.db.rows = append(r.db.rows, joined) },
			done: func(ok bool) {
				if !ok {
					then()
					return
				}
				n.row, n.told = joined, joined.applied
				n.keepUp(n.renew, then)
			},
		})
	}
	r.after(n.stall()+r.draw(r.Machine.Trip)*3/2, func() {
		n.applied, n.loaded, joined.applied = r.db.highest(), len(r.db.log), r.db.highest()
		r.after(r.joinTime(), func() { n.reply(join) })
	})
}

// renew renews the row, applies what came before that, then publishes the lease
// that began before the request was sent.
func (n *node) renew(then func(ok bool)) {
	r := n.run
	if pause := n.stopped - r.now; pause > 0 {
		r.after(pause, func() { n.renew(then) })
		return
	}
	sent, told, own := r.now, n.applied, n.row
	var seq int64
	var counts bool
	t := &tx{by: n}
	t.reads = func() { seq = r.db.highest() }
	t.commit = func() { own.applied, own.beats, counts = told, own.beats+1, !own.gone }
	t.done = func(ok bool) {
		publish := func(ok bool) {
			if ok {
				n.publish(sent)
			}
			then(ok)
		}
		switch {
		case !ok:
			then(false)
		case !counts:
			n.fenced()
			then(false)
		case n.applied < seq:
			n.told = told
			n.follow(publish)
		default:
			n.told = told
			publish(true)
		}
	}
	r.db.begin(t)
}

// followHeard follows unless all that the node was told of is applied.
func (n *node) followHeard(then func(ok bool)) {
	if n.applied >= n.heard {
		then(true)
		return
	}
	n.follow(then)
}

// usualRows is how many keys come with the number, in one round trip.
const usualRows = 16

// follow applies what is new and leaves the lease as it is. It writes nothing.
func (n *node) follow(then func(ok bool)) {
	r, own := n.run, n.row
	r.after(n.stall()+r.draw(r.Machine.Trip)/2, func() {
		if own.gone {
			n.reply(func() {
				n.fenced()
				then(false)
			})
			return
		}
		news := r.db.since(n.applied)
		work := time.Duration(rowsOf(news)) * r.Machine.Row
		if rowsOf(news) >= usualRows {
			work += r.draw(r.Machine.Trip)
		}
		r.after(work, func() { n.reply(func() { n.apply(news, func() { then(true) }) }) })
	})
}

// tell says what this node knows, by a write that nobody waits to see on disk.
func (n *node) tell(then func()) {
	r, own, applied := n.run, n.row, n.applied
	r.after(n.stall()+r.draw(r.Machine.Trip)/2, func() {
		r.count(func(u *Use) { u.Writes++ })
		own.applied = applied
		n.reply(func() {
			n.told = applied
			then()
		})
	})
}

// fenced makes the node come back at once, as somebody new.
func (n *node) fenced() {
	n.row, n.ends = nil, 0
	n.nudge()
}

// apply takes in what was read.
func (n *node) apply(news []*change, then func()) {
	r, rows := n.run, rowsOf(news)
	r.count(func(u *Use) { u.Bytes += rows * keyBytes })
	r.after(time.Duration(rows)*r.Machine.Row, func() {
		for _, c := range news {
			n.applied = max(n.applied, c.seq)
			if c.revoke {
				n.got[c] = true
			}
		}
		then()
	})
}

func rowsOf(news []*change) (rows int) {
	for _, c := range news {
		rows += c.rows
	}
	return rows
}

// publish makes the node admit on what it now knows.
func (n *node) publish(sent time.Duration) {
	r, began := n.run, sent
	if r.Rules.LeaseFromAnswer {
		sent = r.now
	}
	n.ends = sent + time.Duration(float64(r.Lease-maxJump)*n.rate)
	r.Longest = max(r.Longest, n.ends-began)
	lacks := n.lacks
	n.lacks = nil
	for _, c := range lacks {
		n.mustKnow(c)
	}
}

func (n *node) knows(c *change) bool { return c.place < n.loaded || n.got[c] }

// mustKnow is called when the revocation c has returned, and when a node that
// did not know it then has renewed: a node that still does not know it, and
// may still admit, admits late.
func (n *node) mustKnow(c *change) {
	if n.dead || n.knows(c) {
		return
	}
	if n.ends > max(n.run.now, n.stopped) {
		n.run.Late++
		return
	}
	n.lacks = append(n.lacks, c)
}

// stall is how long this process can neither send nor hear.
func (n *node) stall() time.Duration {
	return max(0, max(n.cutUntil, n.stopped)-n.run.now)
}

// reply brings an answer to the process, if it lives to hear it.
func (n *node) reply(do func()) {
	n.run.after(n.stall()+n.run.draw(n.run.Machine.Trip)/2, func() {
		switch {
		case n.dead:
		case n.stall() > 0:
			n.reply(do)
		default:
			do()
		}
	})
}

// breakThings plans the faults of every node.
func (r *run) breakThings() {
	plan := func(mean time.Duration, do func(n *node, lasts time.Duration)) {
		if mean == 0 {
			return
		}
		rate := float64(r.Nodes) / mean.Seconds()
		r.every(rate, func() {
			n := r.nodes[r.rng.IntN(r.Nodes)]
			if n.dead {
				return
			}
			n.troubles++
			r.Broken++
			do(n, r.about(r.Faults.Lasts))
		})
	}
	plan(r.Faults.Cut, func(n *node, lasts time.Duration) { n.cutUntil = max(n.cutUntil, r.now+lasts) })
	plan(r.Faults.Pause, func(n *node, lasts time.Duration) {
		n.stopped = max(n.stopped, r.now+lasts)
		if r.Rules.StoppingClock && n.ends > r.now {
			n.ends += lasts
		}
	})
	plan(r.Faults.Kill, func(n *node, lasts time.Duration) {
		n.dead = true
		r.after(lasts, func() { r.start(n.place) })
	})
}

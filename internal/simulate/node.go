package simulate

import "time"

// Constants of the protocol, equal to those of package changefeed.
const (
	heartbeats = 4                      // renewals in a lease
	maxJump    = 250 * time.Millisecond // by which a lease is shorter than promised
	drift      = 0.01                   // maximum rate error of a clock
	slack      = 50 * time.Millisecond
)

// fenceAfter returns how long a caller waits for a lease, on the caller's clock.
func fenceAfter(lease time.Duration) time.Duration {
	return time.Duration(float64(lease)*(1+drift)/(1-drift)) + slack
}

// node is one process. A restart creates another node at the same place.
type node struct {
	run         *run
	place       int // in the cluster
	row         *nodeRow
	rate        float64 // of its clock
	killed      bool
	cutUntil    time.Duration
	pausedUntil time.Duration
	faults      int

	applied int64
	loaded  int // changes that the snapshot contained
	has     map[*change]bool
	ends    time.Duration // end of the lease, in true time; 0: no lease
	missing []*change     // returned revocations that this node has not applied

	acked    int64 // number that its row shows
	notified int64 // highest number in a notification

	due, woken bool // a heartbeat is due; the loop must run again
	looping    bool
	following  lock
	committing lock // one change of this process is in flight at a time
}

// start creates a process at a place in the cluster.
func (r *run) start(place int) {
	n := &node{run: r, place: place, rate: 1 + drift*(2*r.rng.Float64()-1), has: map[*change]bool{}}
	r.nodes[place] = n
	r.schedule(time.Duration(r.rng.Float64()*float64(r.Lease/heartbeats)), n.heartbeat)
}

func (n *node) heartbeat() {
	if n.killed {
		return
	}
	n.due = true
	n.wake()
	n.run.schedule(time.Duration(float64(n.run.Lease/heartbeats)*n.rate), n.heartbeat)
}

// notify makes the node apply and acknowledge a change now instead of at the next
// heartbeat.
func (n *node) notify(seq int64) {
	n.notified = max(n.notified, seq)
	n.wake()
}

// wake makes the node do one step: a renewal if one is due, otherwise following. If a
// step is running or waits for the lock of following, one more step comes after it.
func (n *node) wake() {
	if n.woken = true; n.looping || n.killed {
		return
	}
	n.looping = true
	step := n.followNotified
	if n.due {
		step = n.renew
	}
	n.due, n.woken = false, false
	n.following.acquire(func() {
		n.advance(step, func() {
			n.looping = false
			n.following.release()
			if n.woken {
				n.wake()
			}
		})
	})
}

// advance runs a step and then acknowledges the changes applied so far. A node
// that is not registered registers instead.
func (n *node) advance(step func(func(ok bool)), then func()) {
	if n.row == nil {
		n.register(then)
		return
	}
	step(func(ok bool) {
		if !ok || n.acked >= n.applied {
			then()
			return
		}
		n.ack(then)
	})
}

// register loads a snapshot, registers the process and takes the first lease.
func (n *node) register(then func()) {
	r, row := n.run, &nodeRow{}
	insert := func() {
		r.db.begin(&tx{
			by: n, trips: 2,
			commit: func() { r.db.rows = append(r.db.rows, row) },
			done: func(ok bool) {
				if !ok {
					then()
					return
				}
				n.row, n.acked = row, row.applied
				n.advance(n.renew, then)
			},
		})
	}
	r.schedule(n.stall()+r.sample(r.Machine.Trip)*3/2, func() {
		load := r.loadTime()
		if n.applied == 0 && len(r.db.rows) > 0 {
			load += load / 3 // leaves processor time to the nodes that serve
		}
		n.applied, n.loaded, row.applied = r.db.highest(), len(r.db.log), r.db.highest()
		r.schedule(load, func() { n.reply(insert) })
	})
}

// renew renews the row, applies the changes up to the renewal's number, and then
// publishes the lease, which starts before the renewal was sent.
func (n *node) renew(then func(ok bool)) {
	r := n.run
	if pause := n.pausedUntil - r.now; pause > 0 {
		r.schedule(pause, func() { n.renew(then) })
		return
	}
	sent, applied, row := r.now, n.applied, n.row
	var seq int64
	var registered bool
	t := &tx{by: n}
	t.reads = func() { seq = r.db.highest() }
	t.commit = func() { row.applied, row.renewals, registered = applied, row.renewals+1, !row.removed }
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
		case !registered:
			n.fenced()
			then(false)
		case n.applied < seq:
			n.acked = applied
			n.follow(publish)
		default:
			n.acked = applied
			publish(true)
		}
	}
	r.db.begin(t)
}

// followNotified follows unless the node has applied the change of every
// notification.
func (n *node) followNotified(then func(ok bool)) {
	if n.applied >= n.notified {
		then(true)
		return
	}
	n.follow(then)
}

// usualRows is the number of keys that arrive with the number in one round trip.
const usualRows = 16

// follow reads and applies new changes. It writes nothing and does not extend the
// lease.
func (n *node) follow(then func(ok bool)) {
	r, row := n.run, n.row
	r.schedule(n.stall()+r.sample(r.Machine.Trip)/2, func() {
		if row.removed {
			n.reply(func() {
				n.fenced()
				then(false)
			})
			return
		}
		changes := r.db.since(n.applied)
		work := time.Duration(countRows(changes)) * r.Machine.Row
		if countRows(changes) >= usualRows {
			work += r.sample(r.Machine.Trip)
		}
		r.schedule(work, func() { n.reply(func() { n.apply(changes, func() { then(true) }) }) })
	})
}

// ack writes the number of the last applied change to the node's row. The write is
// not flushed to disk before the response.
func (n *node) ack(then func()) {
	r, row, applied := n.run, n.row, n.applied
	r.schedule(n.stall()+r.sample(r.Machine.Trip)/2, func() {
		r.count(func(u *Use) { u.Writes++ })
		row.applied = applied
		n.reply(func() {
			n.acked = applied
			then()
		})
	})
}

// fenced drops the registration and the lease. A node that held a lease registers
// again at once, any other node at its next heartbeat.
func (n *node) fenced() {
	held := n.ends > 0
	n.row, n.ends = nil, 0
	if held {
		n.wake()
	}
}

// apply adds changes to the node's index.
func (n *node) apply(changes []*change, then func()) {
	r, rows := n.run, countRows(changes)
	r.count(func(u *Use) { u.Bytes += rows * keyBytes })
	r.schedule(time.Duration(rows)*r.Machine.Row, func() {
		for _, c := range changes {
			n.applied = max(n.applied, c.seq)
			if c.revoke {
				n.has[c] = true
			}
		}
		then()
	})
}

func countRows(changes []*change) (rows int) {
	for _, c := range changes {
		rows += c.rows
	}
	return rows
}

// publish takes the lease of a renewal that was sent at the given time.
func (n *node) publish(sent time.Duration) {
	r, start := n.run, sent
	if r.Rules.LeaseFromResponse {
		start = r.now
	}
	n.ends = start + time.Duration(float64(r.Lease-maxJump)*n.rate)
	r.LongestLease = max(r.LongestLease, n.ends-sent)
	missing := n.missing
	n.missing = nil
	for _, c := range missing {
		n.checkAdmission(c)
	}
}

func (n *node) hasApplied(c *change) bool { return c.position < n.loaded || n.has[c] }

// checkAdmission counts a late admission if the node has a valid lease without
// having applied the returned revocation c. It is called when c returns, and after
// each later renewal until the node has applied c.
func (n *node) checkAdmission(c *change) {
	if n.killed || n.hasApplied(c) {
		return
	}
	if n.ends > max(n.run.now, n.pausedUntil) {
		n.run.Late++
		return
	}
	n.missing = append(n.missing, c)
}

// stall returns how long this process can neither send nor receive.
func (n *node) stall() time.Duration {
	return max(0, max(n.cutUntil, n.pausedUntil)-n.run.now)
}

// reply delivers a response to the process: it runs do, unless the process is killed
// before.
func (n *node) reply(do func()) {
	n.run.schedule(n.stall()+n.run.sample(n.run.Machine.Trip)/2, func() {
		switch {
		case n.killed:
		case n.stall() > 0:
			n.reply(do)
		default:
			do()
		}
	})
}

// scheduleFaults starts the random faults of every node.
func (r *run) scheduleFaults() {
	plan := func(mean time.Duration, inject func(n *node, lasts time.Duration)) {
		if mean == 0 {
			return
		}
		rate := float64(r.Nodes) / mean.Seconds()
		r.repeat(rate, func() {
			n := r.nodes[r.rng.IntN(r.Nodes)]
			if n.killed {
				return
			}
			n.faults++
			r.FaultCount++
			inject(n, r.exponential(r.Faults.Lasts))
		})
	}
	plan(r.Faults.Cut, func(n *node, lasts time.Duration) { n.cutUntil = max(n.cutUntil, r.now+lasts) })
	plan(r.Faults.Pause, func(n *node, lasts time.Duration) {
		n.pausedUntil = max(n.pausedUntil, r.now+lasts)
		if r.Rules.StoppingClock && n.ends > r.now {
			n.ends += lasts
		}
	})
	plan(r.Faults.Kill, func(n *node, lasts time.Duration) {
		n.killed = true
		r.schedule(lasts, func() { r.start(n.place) })
	})
}

package rig

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// nemesis injects one fault after another. Several faults can be active at the same
// time, but at least one node has no fault.
type nemesis struct {
	cluster *cluster
	history *history
	targets *targets
	random  *rand.Rand
	config  Config

	database sync.Mutex    // held by the active fault of the database
	active   chan struct{} // limits the number of faulty nodes
}

// faultKind is one kind of fault. A fault of the database, for which all is set, has
// no node.
type faultKind struct {
	kind    string
	all     bool
	network bool // needs a network of the node's own
	inject  func(*nemesis, context.Context, injection)
}

// injection is the node of a fault and a random number from 0 to 1 for its length.
type injection struct {
	node int
	luck float64
}

// faultKinds lists every kind of fault. Lengths are in leases.
var faultKinds = []faultKind{
	{kind: "pause L/2", inject: pauseFor(0.5)},
	{kind: "pause L", inject: pauseFor(1)},
	{kind: "pause 3L", inject: pauseFor(3)},
	{kind: "kill", inject: (*nemesis).kill},
	{kind: "rejoin", inject: (*nemesis).rejoin},
	{kind: "twin", inject: (*nemesis).twin},
	{kind: "cut both ways", inject: cutWays(true, true)},
	{kind: "cut to the database", inject: cutWays(true, false)},
	{kind: "cut from the database", inject: cutWays(false, true)},
	dropping("packets lost both ways", true, toDatabase, fromDatabase),
	dropping("packets lost to the database", true, toDatabase),
	dropping("packets lost from the database", true, fromDatabase),
	dropping("customers lost both ways", false, toNode, fromNode),
	dropping("customers lost to the node", false, toNode),
	dropping("customers lost from the node", false, fromNode),
	{kind: "late answer", inject: (*nemesis).lateResponse},
	{kind: "slow link", inject: (*nemesis).slow},
	{kind: "reset connections", inject: (*nemesis).reset},
	{kind: "terminate backends", all: true, inject: (*nemesis).terminate},
	{kind: "database restart", all: true, inject: restartBy(syscall.SIGINT)},
	{kind: databaseCrash, all: true, inject: restartBy(syscall.SIGQUIT)},
	{kind: failOver, all: true, inject: (*nemesis).failOver},
}

// Faults returns the names of all kinds of faults, in the order of the report.
func Faults() []string {
	var names []string
	for _, c := range faultKinds {
		names = append(names, c.kind)
	}
	return names
}

// kinds returns the kinds that the configuration selects, or all, without those that
// this machine does not support.
func (k *cluster) kinds() []faultKind {
	chosen := k.config.Faults
	return slices.DeleteFunc(slices.Clone(faultKinds), func(c faultKind) bool {
		return c.network && k.networkError != nil || len(chosen) > 0 && !slices.Contains(chosen, c.kind)
	})
}

// maxSpans limits a run that has not tested enough, in multiples of Config.Span.
const maxSpans = 20

// run injects faults until the span has passed, each kind was injected, and enough
// uses tested the guarantee. It returns when all faults have ended.
func (n *nemesis) run(ctx context.Context) {
	n.active = make(chan struct{}, max(1, len(n.cluster.nodes)-1))
	var on sync.WaitGroup
	defer on.Wait()
	order := n.cluster.kinds()
	for count := 0; ctx.Err() == nil && (n.history.now() < n.config.Span || count < len(order) || n.untested()); count++ {
		if count%len(order) == 0 {
			order = slices.Clone(order)
			n.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		n.injectOne(ctx, order[count%len(order)], &on)
		sleep(ctx, n.config.Every/6+time.Duration(n.random.Int64N(int64(n.config.Every)*5/6)))
	}
}

// untested reports whether the run needs more tests of the guarantee and has not reached
// its limit, maxSpans.
func (n *nemesis) untested() bool {
	return n.targets.tested() < n.config.MinTests*3/2 && n.history.now() < maxSpans*n.config.Span
}

// injectOne waits until another fault is permitted, chooses a node without a fault, and
// starts a fault of the given kind.
func (n *nemesis) injectOne(ctx context.Context, c faultKind, on *sync.WaitGroup) {
	luck := n.random.Float64()
	if c.all {
		n.database.Lock()
		on.Go(func() {
			defer n.database.Unlock()
			c.inject(n, ctx, injection{allNodes, luck})
		})
		return
	}
	n.active <- struct{}{}
	for {
		at := n.random.IntN(len(n.cluster.nodes))
		target := n.cluster.nodes[at]
		if !target.faulty.TryLock() {
			continue // active ensures that one node has no fault
		}
		on.Go(func() {
			defer func() {
				target.faulty.Unlock()
				<-n.active
			}()
			c.inject(n, ctx, injection{at, luck})
		})
		return
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// leases returns the time of x leases.
func (n *nemesis) leases(x float64) time.Duration {
	return time.Duration(x * float64(n.config.Lease))
}

// record runs do and records f with the span of that run: while do runs, the fault is in
// effect.
func (n *nemesis) record(f fault, do func()) {
	f.call = n.history.now()
	do()
	f.done = n.history.now()
	n.history.addFault(f)
}

// pauseFor returns a fault that stops the process for x leases without its
// knowledge, as a busy host or a hypervisor does.
func pauseFor(x float64) func(*nemesis, context.Context, injection) {
	return func(n *nemesis, ctx context.Context, at injection) {
		kind := map[float64]string{0.5: "pause L/2", 1: "pause L", 3: "pause 3L"}[x]
		n.cluster.nodes[at.node].signal(syscall.SIGSTOP)
		n.record(fault{kind: kind, node: at.node}, func() { sleep(ctx, n.leases(x)) })
		n.cluster.nodes[at.node].signal(syscall.SIGCONT)
	}
}

// cutWays returns a fault that holds the bytes to the database, those from the
// database, or both, for longer than a lease.
func cutWays(up, down bool) func(*nemesis, context.Context, injection) {
	return func(n *nemesis, ctx context.Context, at injection) {
		l, kind := n.cluster.nodes[at.node].link, "cut both ways"
		switch {
		case !down:
			kind = "cut to the database"
		case !up:
			kind = "cut from the database"
		}
		if up {
			l.up.close()
		}
		if down {
			l.down.close()
		}
		n.record(fault{kind: kind, node: at.node, cut: true}, func() { sleep(ctx, n.leases(1.2+at.luck)) })
		l.heal()
	}
}

// lateResponse holds the response to a renewal for nearly a lease, releases it and
// cuts the node off. A lease that started with the response would outlast the wait
// of other nodes. Owners do not use the node during this fault, because its open change would block
// the changes of other nodes.
func (n *nemesis) lateResponse(ctx context.Context, at injection) {
	l := n.cluster.nodes[at.node].link
	defer l.heal()
	n.cluster.nodes[at.node].avoided.Store(true)
	defer n.cluster.nodes[at.node].avoided.Store(false)
	sleep(ctx, n.leases(0.1))
	l.holdNextRenewal()
	for until := n.history.now() + n.leases(1); l.down.shut.Load() == nil; sleep(ctx, 5*time.Millisecond) {
		if n.history.now() > until {
			return // there was no renewal, so there is no fault to record
		}
	}
	n.record(fault{kind: "late answer", node: at.node}, func() {
		sleep(ctx, n.leases(0.85))
		l.releaseHeld()
		sleep(ctx, n.leases(1.5))
	})
}

// slow delays the bytes of both directions.
func (n *nemesis) slow(ctx context.Context, at injection) {
	l := n.cluster.nodes[at.node].link
	defer l.heal()
	n.record(fault{kind: "slow link", node: at.node}, func() {
		delay := int64(time.Duration(1+int(30*at.luck)) * time.Millisecond)
		l.up.delay.Store(delay)
		l.down.delay.Store(delay)
		sleep(ctx, n.leases(1.5))
	})
}

// reset closes the node's connections. The node can reconnect at once.
func (n *nemesis) reset(ctx context.Context, at injection) {
	n.record(fault{kind: "reset connections", node: at.node}, n.cluster.nodes[at.node].link.reset)
}

// kill ends the process at once. It is started again under the same name.
func (n *nemesis) kill(ctx context.Context, at injection) {
	n.record(fault{kind: "kill", node: at.node}, func() {
		n.cluster.nodes[at.node].signal(syscall.SIGKILL)
		n.cluster.nodes[at.node].await(ctx)
	})
}

// rejoin keeps the node down until its row has been removed, and cuts it off as soon
// as it is ready again. A caller that lists the nodes before its commit does not see
// the node.
func (n *nemesis) rejoin(ctx context.Context, at injection) {
	rejoining := n.cluster.nodes[at.node]
	n.record(fault{kind: "rejoin", node: at.node}, func() {
		rejoining.down.Lock()
		rejoining.signal(syscall.SIGKILL)
		sleep(ctx, n.leases(1.5))
		rejoining.down.Unlock()
		rejoining.await(ctx)
		rejoining.link.cut(&rejoining.link.up, &rejoining.link.down)
		n.record(fault{kind: "rejoin, cut off", node: at.node, cut: true}, func() { sleep(ctx, n.leases(1.2)) })
		rejoining.link.heal()
	})
}

// twin starts a second process with the node's name and then cuts the first one off.
// An acknowledgement of the twin must not count for the first process.
func (n *nemesis) twin(ctx context.Context, at injection) {
	first := n.cluster.nodes[at.node]
	n.record(fault{kind: "twin", node: at.node}, func() {
		stop, err := n.cluster.startTwin(ctx, first)
		if err != nil {
			return
		}
		first.link.cut(&first.link.up, &first.link.down)
		n.record(fault{kind: "twin, first cut off", node: at.node, cut: true}, func() { sleep(ctx, n.leases(1.5)) })
		first.link.heal()
		stop()
	})
}

// terminate makes the database end the sessions of all nodes.
func (n *nemesis) terminate(ctx context.Context, at injection) {
	n.record(fault{kind: "terminate backends", node: allNodes}, func() {
		_, _ = n.cluster.database.primary.Load().exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	})
}

// restartBy returns a fault that stops the server by a signal, for a shutdown or a
// crash, and starts it again within a lease.
func restartBy(sig syscall.Signal) func(*nemesis, context.Context, injection) {
	return func(n *nemesis, ctx context.Context, at injection) {
		kind := map[syscall.Signal]string{syscall.SIGINT: "database restart", syscall.SIGQUIT: databaseCrash}[sig]
		n.record(fault{kind: kind, node: allNodes}, func() {
			server := n.cluster.database.primary.Load()
			server.stop(sig)
			sleep(ctx, n.leases(at.luck))
			if err := server.start(); err != nil {
				n.cluster.fail(errors.Join(errors.New("the database did not start again"), err))
			}
		})
	}
}

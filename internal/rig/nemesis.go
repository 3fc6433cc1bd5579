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

// nemesis breaks things, one card of its deck after another, several at once
// but at least one node left whole.
type nemesis struct {
	cluster *cluster
	history *history
	targets *targets
	random  *rand.Rand
	config  Config

	database sync.Mutex // held by the one fault of it that is on
	broken   chan struct{}
}

// card is one kind of fault. A card of the database gets no node.
type card struct {
	kind    string
	all     bool
	network bool // the node needs one of its own
	play    func(*nemesis, context.Context, hit)
}

// hit is what a card falls on, and a number between 0 and 1 for its length.
type hit struct {
	node int
	luck float64
}

// deck is every kind of fault. Lengths are in leases.
var deck = []card{
	{kind: "pause L/2", play: pauseFor(0.5)},
	{kind: "pause L", play: pauseFor(1)},
	{kind: "pause 3L", play: pauseFor(3)},
	{kind: "kill", play: (*nemesis).kill},
	{kind: "rejoin", play: (*nemesis).rejoin},
	{kind: "twin", play: (*nemesis).twin},
	{kind: "cut both ways", play: cutWays(true, true)},
	{kind: "cut to the database", play: cutWays(true, false)},
	{kind: "cut from the database", play: cutWays(false, true)},
	dropping("packets lost both ways", true, toDatabase, fromDatabase),
	dropping("packets lost to the database", true, toDatabase),
	dropping("packets lost from the database", true, fromDatabase),
	dropping("customers lost both ways", false, toNode, fromNode),
	dropping("customers lost to the node", false, toNode),
	dropping("customers lost from the node", false, fromNode),
	{kind: "late answer", play: (*nemesis).lateAnswer},
	{kind: "slow link", play: (*nemesis).slow},
	{kind: "reset connections", play: (*nemesis).reset},
	{kind: "terminate backends", all: true, play: (*nemesis).terminate},
	{kind: "database restart", all: true, play: restartBy(syscall.SIGINT)},
	{kind: databaseCrash, all: true, play: restartBy(syscall.SIGQUIT)},
	{kind: failOver, all: true, play: (*nemesis).failOver},
}

// Faults names every kind of fault, in the order of the report.
func Faults() []string {
	var names []string
	for _, c := range deck {
		names = append(names, c.kind)
	}
	return names
}

// cards returns the kinds that the run asks for, or all, but for those that
// this machine cannot make.
func (k *cluster) cards() []card {
	chosen := k.config.Faults
	return slices.DeleteFunc(slices.Clone(deck), func(c card) bool {
		return c.network && k.noNetworks != nil || len(chosen) > 0 && !slices.Contains(chosen, c.kind)
	})
}

// patient is how many times the span a run may take to prove something.
const patient = 20

// run plays cards until the span is over, each was played and enough was put
// to the test, and returns when everything is whole again.
func (n *nemesis) run(ctx context.Context) {
	n.broken = make(chan struct{}, max(1, len(n.cluster.nodes)-1))
	var on sync.WaitGroup
	defer on.Wait()
	hand := n.cluster.cards()
	for dealt := 0; ctx.Err() == nil && (n.history.now() < n.config.Span || dealt < len(hand) || n.untested()); dealt++ {
		if dealt%len(hand) == 0 {
			hand = slices.Clone(hand)
			n.random.Shuffle(len(hand), func(i, j int) { hand[i], hand[j] = hand[j], hand[i] })
		}
		n.deal(ctx, hand[dealt%len(hand)], &on)
		rest(ctx, n.config.Every/6+time.Duration(n.random.Int64N(int64(n.config.Every)*5/6)))
	}
}

// untested reports whether the run would prove nothing yet.
func (n *nemesis) untested() bool {
	return n.targets.tested() < n.config.MinTests*3/2 && n.history.now() < patient*n.config.Span
}

// deal finds a target that is whole, waiting for one if need be, and breaks it.
func (n *nemesis) deal(ctx context.Context, c card, on *sync.WaitGroup) {
	luck := n.random.Float64()
	if c.all {
		n.database.Lock()
		on.Go(func() {
			defer n.database.Unlock()
			c.play(n, ctx, hit{allNodes, luck})
		})
		return
	}
	n.broken <- struct{}{}
	for {
		at := n.random.IntN(len(n.cluster.nodes))
		target := n.cluster.nodes[at]
		if !target.faulty.TryLock() {
			continue // one is free: there are more nodes than places
		}
		on.Go(func() {
			defer func() {
				target.faulty.Unlock()
				<-n.broken
			}()
			c.play(n, ctx, hit{at, luck})
		})
		return
	}
}

// rest waits, less when ctx ends.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// leases is a time in leases.
func (n *nemesis) leases(x float64) time.Duration {
	return time.Duration(x * float64(n.config.Lease))
}

// lasting records a fault around what lasts.
func (n *nemesis) lasting(f fault, last func()) {
	f.call = n.history.now()
	last()
	f.done = n.history.now()
	n.history.addFault(f)
}

// pauseFor stops the process without its knowledge, as a busy host or a
// hypervisor does, for a time in leases.
func pauseFor(x float64) func(*nemesis, context.Context, hit) {
	return func(n *nemesis, ctx context.Context, at hit) {
		kind := map[float64]string{0.5: "pause L/2", 1: "pause L", 3: "pause 3L"}[x]
		n.cluster.nodes[at.node].signal(syscall.SIGSTOP)
		n.lasting(fault{kind: kind, node: at.node}, func() { rest(ctx, n.leases(x)) })
		n.cluster.nodes[at.node].signal(syscall.SIGCONT)
	}
}

// cutWays holds back what goes to the database, what comes from it, or both,
// for longer than a lease.
func cutWays(up, down bool) func(*nemesis, context.Context, hit) {
	return func(n *nemesis, ctx context.Context, at hit) {
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
		n.lasting(fault{kind: kind, node: at.node, cut: true}, func() { rest(ctx, n.leases(1.2+at.luck)) })
		l.heal()
	}
}

// lateAnswer holds the answer to a renewal back for nearly a lease, lets it
// through and cuts the node off: a lease that counts from an answer would outlive
// what others waited for. Owners leave the node alone, or one of its changes
// would keep the others' from being made.
func (n *nemesis) lateAnswer(ctx context.Context, at hit) {
	l := n.cluster.nodes[at.node].link
	defer l.heal()
	n.cluster.nodes[at.node].spared.Store(true)
	defer n.cluster.nodes[at.node].spared.Store(false)
	rest(ctx, n.leases(0.1))
	l.lurk()
	for until := n.history.now() + n.leases(1); l.down.shut.Load() == nil; rest(ctx, 5*time.Millisecond) {
		if n.history.now() > until {
			return // no renewal came, so nothing was broken
		}
	}
	n.lasting(fault{kind: "late answer", node: at.node}, func() {
		rest(ctx, n.leases(0.85))
		l.finish()
		rest(ctx, n.leases(1.5))
	})
}

// slow delays every packet, both ways.
func (n *nemesis) slow(ctx context.Context, at hit) {
	l := n.cluster.nodes[at.node].link
	defer l.heal()
	n.lasting(fault{kind: "slow link", node: at.node}, func() {
		delay := int64(time.Duration(1+int(30*at.luck)) * time.Millisecond)
		l.up.delay.Store(delay)
		l.down.delay.Store(delay)
		rest(ctx, n.leases(1.5))
	})
}

// reset breaks the node's connections, which it may make again at once.
func (n *nemesis) reset(ctx context.Context, at hit) {
	n.lasting(fault{kind: "reset connections", node: at.node}, n.cluster.nodes[at.node].link.reset)
}

// kill ends the process at once; it is started again and comes back under its
// old name.
func (n *nemesis) kill(ctx context.Context, at hit) {
	n.lasting(fault{kind: "kill", node: at.node}, func() {
		n.cluster.nodes[at.node].signal(syscall.SIGKILL)
		n.cluster.nodes[at.node].await(ctx)
	})
}

// rejoin keeps the node down until nobody waits for it any more, and cuts it
// off as soon as it is back: whoever listed the nodes too early misses it.
func (n *nemesis) rejoin(ctx context.Context, at hit) {
	back := n.cluster.nodes[at.node]
	n.lasting(fault{kind: "rejoin", node: at.node}, func() {
		back.down.Lock()
		back.signal(syscall.SIGKILL)
		rest(ctx, n.leases(1.5))
		back.down.Unlock()
		back.await(ctx)
		back.link.cut(&back.link.up, &back.link.down)
		n.lasting(fault{kind: "rejoin, cut off", node: at.node, cut: true}, func() { rest(ctx, n.leases(1.2)) })
		back.link.heal()
	})
}

// twin starts a second process with the node's name, then cuts the first one
// off: what the twin has applied says nothing of it.
func (n *nemesis) twin(ctx context.Context, at hit) {
	first := n.cluster.nodes[at.node]
	n.lasting(fault{kind: "twin", node: at.node}, func() {
		stop, err := n.cluster.startTwin(ctx, first)
		if err != nil {
			return
		}
		first.link.cut(&first.link.up, &first.link.down)
		n.lasting(fault{kind: "twin, first cut off", node: at.node, cut: true}, func() { rest(ctx, n.leases(1.5)) })
		first.link.heal()
		stop()
	})
}

// terminate makes the database end every node's session.
func (n *nemesis) terminate(ctx context.Context, at hit) {
	n.lasting(fault{kind: "terminate backends", node: allNodes}, func() {
		_, _ = n.cluster.database.primary.Load().exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	})
}

// restartBy stops the server, by a signal that lets it end in order or one
// that does not, and starts it again within a lease.
func restartBy(sig syscall.Signal) func(*nemesis, context.Context, hit) {
	return func(n *nemesis, ctx context.Context, at hit) {
		kind := map[syscall.Signal]string{syscall.SIGINT: "database restart", syscall.SIGQUIT: databaseCrash}[sig]
		n.lasting(fault{kind: kind, node: allNodes}, func() {
			server := n.cluster.database.primary.Load()
			server.stop(sig)
			rest(ctx, n.leases(at.luck))
			if err := server.start(); err != nil {
				n.cluster.fail(errors.Join(errors.New("the database did not come back"), err))
			}
		})
	}
}

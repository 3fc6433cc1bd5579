package rig

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/client"
)

// Config is one run. Either Members names a cluster that runs already, or
// Binary the program that Nodes processes of are started, with a database of
// their own.
type Config struct {
	Members []Member
	Binary  string // absolute
	Nodes   int

	Seed   uint64
	Span   time.Duration // at least; until each kind of fault has happened
	Lease  time.Duration // as the nodes have it
	Slack  time.Duration // allowed to a narrowing call beyond a lease, for commits queued behind stopped nodes
	Uses   int           // aimed at, a second
	Owners int           // who change rights, each one call after another
	Pause  time.Duration // of an owner between changes, on average
	Calm   time.Duration // before the first fault
	Every  time.Duration // longest time between faults
	Faults []string      // kinds; empty: all
	Path   string        // of a cheap GET route in family data

	MinTests int // uses within 100 ms of a narrowing call's return
}

// Member is one node of a cluster that runs already.
type Member struct {
	URL      string // of its public listener
	Operator string // its operator API, as client.New takes it
}

// Defaults is a run of a minute against three nodes.
func Defaults() Config {
	return Config{
		Nodes: 3, Seed: rand.Uint64(), Span: time.Minute, Lease: time.Second, Slack: 2 * time.Second,
		Uses: 2300, Owners: 24, Pause: 200 * time.Millisecond, Calm: 10 * time.Second, Every: 3 * time.Second,
		Path: "/v1/creators/7", MinTests: 100,
	}
}

// Run drives a cluster, breaks it, and reports what was seen. The error says
// that the run could not be made; what the cluster did wrong is in the report.
func Run(ctx context.Context, c Config) (Report, error) {
	nodes, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	k, err := assemble(nodes, c)
	if err != nil {
		return Report{}, err
	}
	defer k.close()
	defer leave()

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	k.fail = fail
	h := &history{began: time.Now()}
	if err := drive(ctx, k, h); err != nil {
		return Report{}, fmt.Errorf("the run with seed %d: %w", c.Seed, err)
	}
	if err := context.Cause(ctx); err != nil {
		return Report{}, fmt.Errorf("the run with seed %d: %w", c.Seed, err)
	}
	found, err := h.aftermath(ctx, k)
	if err != nil {
		return Report{}, fmt.Errorf("the run with seed %d: %w", c.Seed, err)
	}
	return h.report(k, found), nil
}

// aftermath is what shows when all is whole again: nodes that stay away, gaps
// in the audit trail, counts that are wrong.
func (h *history) aftermath(ctx context.Context, k *cluster) (found []Violation, err error) {
	for _, n := range k.nodes {
		if !n.await(ctx) {
			found = append(found, Violation{StayedAway, h.now(), n.name})
		}
	}
	gaps, err := sequenceGaps(ctx, k.nodes)
	if err != nil {
		return nil, err
	}
	miscounts, err := h.miscounts(ctx, k)
	return slices.Concat(found, gaps, miscounts), err
}

// assemble is the cluster that the configuration asks for.
func assemble(ctx context.Context, c Config) (*cluster, error) {
	if len(c.Members) > 0 {
		return theirs(c), nil
	}
	return ours(ctx, c)
}

// drive runs customers, owners and faults until the faults are through, then
// ends them while the nodes are still up: what is left is whole.
func drive(ctx context.Context, k *cluster, h *history) error {
	c := k.config
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	random := func(role, i int) *rand.Rand { return rand.New(rand.NewPCG(c.Seed, uint64(role<<32|i))) }
	targets := &targets{place: map[*secret]int{}}
	permits := make(chan struct{}, 64)
	k.load = func(ctx context.Context, at int, url string) {
		var users sync.WaitGroup
		defer users.Wait()
		for i := range usersPerNode {
			u := &customer{history: h, targets: targets, permits: permits, node: at, url: url + c.Path, random: random(1, at<<8|i), http: newHTTP()}
			users.Go(func() { u.run(ctx) })
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range k.nodes {
		group.Go(func() error { k.load(ctx, i, n.url); return nil })
	}
	group.Go(func() error { pace(ctx, c.Uses, permits); return nil })
	group.Go(func() error { h.watch(ctx, k.nodes); return nil })
	for i := range c.Owners {
		o := &owner{history: h, targets: targets, nodes: k.nodes, random: random(2, i), config: c}
		group.Go(func() error { return o.run(ctx) })
	}
	group.Go(func() error {
		defer stop()
		if len(c.Members) > 0 {
			rest(ctx, c.Span)
			return nil
		}
		rest(ctx, c.Calm)
		(&nemesis{cluster: k, history: h, targets: targets, random: random(3, 0), config: c}).run(ctx)
		return nil
	})
	return group.Wait()
}

// sequenceGaps reads the audit trail, which must count up without a hole.
func sequenceGaps(ctx context.Context, nodes []*node) (gaps []Violation, err error) {
	next := int64(0)
	for page := (client.AuditRequest{Limit: 1000}); ; {
		answer, err := nodes[0].api.Audit(ctx, page)
		for again := 0; err != nil && again < 20; again++ { // connections that died in the last fault
			rest(ctx, 100*time.Millisecond)
			answer, err = nodes[0].api.Audit(ctx, page)
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit trail: %w", err)
		}
		for _, change := range answer.Changes {
			if next != 0 && change.Sequence != next {
				gaps = append(gaps, Violation{SequenceMissing, 0, fmt.Sprintf("%d before %d", change.Sequence, next+1)})
			}
			next = change.Sequence - 1
		}
		if answer.Next == 0 {
			return gaps, nil
		}
		page.Before = answer.Next
	}
}

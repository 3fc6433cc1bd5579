package rig

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/sdk/client"
)

// Config configures one run. Either Members lists the nodes of an existing cluster,
// or the rig starts Nodes processes of Binary with a database of their own.
type Config struct {
	Members []Member
	Binary  string // absolute path
	Nodes   int

	Seed   uint64
	Span   time.Duration // minimum; a run goes on until each kind of fault was injected
	Lease  time.Duration // of the nodes
	Slack  time.Duration // added to the bound of a narrowing call, for commits queued behind stopped nodes
	Uses   int           // target per second
	Owners int           // number of concurrent callers that change rights
	Pause  time.Duration // average between two changes of an owner
	Calm   time.Duration // before the first fault
	Every  time.Duration // longest time between faults
	Faults []string      // kinds of faults; empty: all
	Path   string        // of a cheap GET route in family data

	MinTests int // required uses within 100 ms after a narrowing call returned
}

// Member is one node of an existing cluster.
type Member struct {
	URL      string // of its public listener
	Operator string // its operator API, as client.New takes it
}

// Defaults returns a run of one minute with three nodes.
func Defaults() Config {
	return Config{
		Nodes: 3, Seed: rand.Uint64(), Span: time.Minute, Lease: time.Second, Slack: 2 * time.Second,
		Uses: 2300, Owners: 24, Pause: 200 * time.Millisecond, Calm: 10 * time.Second, Every: 3 * time.Second,
		Path: "/v1/creators/7", MinTests: 100,
	}
}

// Run drives a cluster, injects faults, and reports the observations. An error means
// that the run could not be carried out; violations of the cluster are in the
// report.
func Run(ctx context.Context, c Config) (Report, error) {
	nodes, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	k, err := newCluster(nodes, c)
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
	found, err := h.checkEndState(ctx, k)
	if err != nil {
		return Report{}, fmt.Errorf("the run with seed %d: %w", c.Seed, err)
	}
	return h.report(k, found), nil
}

// checkEndState returns the violations that show after all faults have ended: nodes
// that are not ready, gaps in the audit trail, and wrong counts.
func (h *history) checkEndState(ctx context.Context, k *cluster) (found []Violation, err error) {
	for _, n := range k.nodes {
		if !n.await(ctx) {
			found = append(found, Violation{NodeMissing, h.now(), n.name})
		}
	}
	gaps, err := sequenceGaps(ctx, k.nodes)
	if err != nil {
		return nil, err
	}
	miscounts, err := h.miscounts(ctx, k)
	return slices.Concat(found, gaps, miscounts), err
}

// newCluster returns the external or local cluster of the configuration.
func newCluster(ctx context.Context, c Config) (*cluster, error) {
	if len(c.Members) > 0 {
		return external(c), nil
	}
	return local(ctx, c)
}

// drive runs customers, owners and faults until all faults have ended. It stops
// customers and owners while the nodes are still running.
func drive(ctx context.Context, k *cluster, h *history) error {
	c := k.config
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	random := func(role, i int) *rand.Rand { return rand.New(rand.NewPCG(c.Seed, uint64(role<<32|i))) }
	targets, people := newTargets(), newTargets()
	permits := make(chan struct{}, 64)
	k.load = func(ctx context.Context, at int, to access) {
		var users sync.WaitGroup
		defer users.Wait()
		for i := range usersPerNode {
			u := &customer{
				history: h, targets: targets, permits: permits, node: at, random: random(1, at<<8|i),
				way: k.ways()[i%len(k.ways())], access: to, path: c.Path, operatorKey: k.key,
			}
			u.http = u.newHTTP()
			users.Go(func() { u.run(ctx) })
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range k.nodes {
		group.Go(func() error { k.load(ctx, i, n.access); return nil })
	}
	group.Go(func() error { pace(ctx, c.Uses, permits); return nil })
	group.Go(func() error { h.watch(ctx, k.nodes); return nil })
	for i := range c.Owners {
		o := &owner{history: h, targets: targets, nodes: k.nodes, random: random(2, i), config: c}
		group.Go(func() error { return o.run(ctx) })
	}
	for i := range operatorOwners {
		if k.key == "" {
			break // the sockets of an external cluster require no operator key
		}
		own := &owner{history: h, targets: targets, nodes: k.nodes, random: random(4, i), config: c}
		o := &operatorOwner{owner: own, name: fmt.Sprint("rig ", i)}
		group.Go(func() error { return o.run(ctx) })
	}
	for i := range k.nodes {
		group.Go(func() error { k.loadPeople(ctx, h, people, i); return nil })
	}
	for i := range peopleOwners {
		own := &owner{history: h, targets: people, nodes: k.nodes, random: random(6, i), config: c}
		o := &peopleOwner{owner: own, name: fmt.Sprintf("m%d-%x", i, c.Seed)}
		group.Go(func() error { return o.run(ctx) })
	}
	group.Go(func() error {
		defer stop()
		if len(c.Members) > 0 {
			sleep(ctx, c.Span)
			return nil
		}
		sleep(ctx, c.Calm)
		(&nemesis{cluster: k, history: h, targets: targets, random: random(3, 0), config: c}).run(ctx)
		return nil
	})
	return group.Wait()
}

// sequenceGaps reads the audit trail and returns the gaps in its sequence numbers.
func sequenceGaps(ctx context.Context, nodes []*node) (gaps []Violation, err error) {
	next := int64(0)
	for page := (client.AuditRequest{Limit: 1000}); ; {
		response, err := nodes[0].api.Audit(ctx, page)
		for again := 0; err != nil && again < 20; again++ { // connections may still fail after the last fault
			sleep(ctx, 100*time.Millisecond)
			response, err = nodes[0].api.Audit(ctx, page)
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit trail: %w", err)
		}
		for _, change := range response.Changes {
			if next != 0 && change.Sequence != next {
				gaps = append(gaps, Violation{SequenceMissing, 0, fmt.Sprintf("%d before %d", change.Sequence, next+1)})
			}
			next = change.Sequence - 1
		}
		if response.Next == 0 {
			return gaps, nil
		}
		page.Before = response.Next
	}
}

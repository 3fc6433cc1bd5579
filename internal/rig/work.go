package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// narrowing contains every kind of call that narrows a right.
var narrowing = map[string]bool{
	"revoke": true, "revoke many": true, "rotate": true,
	"narrow scopes": true, "narrow networks": true,
	"revoke operator key": true, "rotate operator key": true,
	"demote member": true, "disable member": true, "remove member": true,
	"lose plan": true, "lose status": true, "lose switch": true,
}

// keysPerOwner is the number of live keys of an owner.
const keysPerOwner = 4

// run changes rights until ctx ends. It returns an error if the product rejects a
// valid call.
func (o *owner) run(ctx context.Context) error {
	return o.repeat(ctx, func(ctx context.Context) error {
		if o.account == "" {
			return o.setUp(ctx)
		}
		return o.step(ctx)
	})
}

// repeat calls step, with pauses of random length, until ctx ends or step fails with a
// known outcome.
func (o *owner) repeat(ctx context.Context, step func(context.Context) error) error {
	for ctx.Err() == nil {
		err := step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, errUnknownOutcome) {
			return err
		}
		sleep(ctx, time.Duration(o.random.Int64N(int64(2*o.config.Pause))))
	}
	return nil
}

// step makes one change: it restores the account if a term is closed, creates a key
// if there are few, or narrows a right.
func (o *owner) step(ctx context.Context) error {
	for _, term := range []string{"plan", "status", "switch"} {
		if !o.terms[term].isOpen() {
			return o.setTerm(ctx, term, true)
		}
	}
	if len(o.keys) < keysPerOwner {
		return o.create(ctx)
	}
	k := o.keys[o.random.IntN(len(o.keys))]
	what := o.random.IntN(8)
	if what == 0 {
		return o.setTerm(ctx, []string{"plan", "status", "switch"}[o.random.IntN(3)], false)
	}
	err := o.stepKey(ctx, k, what)
	if errors.Is(err, errUnknownOutcome) {
		o.drop(k)
	}
	return err
}

// stepKey changes one key, or revokes it together with another one.
func (o *owner) stepKey(ctx context.Context, k *key, what int) error {
	if !k.limits.isOpen() && o.random.IntN(4) > 0 {
		return o.limit(ctx, k, true)
	}
	switch what {
	case 1, 2:
		o.drop(k)
		return o.revoke(ctx, k)
	case 3:
		o.drop(k)
		other := o.keys[0]
		o.drop(other)
		return o.revoke(ctx, k, other)
	case 4, 5:
		return o.rotate(ctx, k)
	default:
		return o.limit(ctx, k, false)
	}
}

// drop removes a key from the keys that the owner changes.
func (o *owner) drop(k *key) {
	o.keys = slices.DeleteFunc(o.keys, func(other *key) bool { return other == k })
}

// isOpen reports whether the last write opened the gate.
func (g *gate) isOpen() bool {
	return len(g.writes) > 0 && g.writes[len(g.writes)-1].open
}

// watch records every node's row until ctx ends.
func (h *history) watch(ctx context.Context, nodes []*node) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, time.Second)
		list, err := nodes[i%len(nodes)].api.Nodes(limited)
		cancel()
		if err != nil {
			continue
		}
		for _, n := range list.Nodes {
			h.addNodeState(nodeState{h.now(), fmt.Sprint(n.Name, " ", n.Epoch), n.Applied})
		}
	}
}

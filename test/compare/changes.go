package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// changedKeys is the number of keys that are changed in turn, and changesAtOnce the
// largest number of changes that wait for their enforcement.
const (
	changedKeys   = 1000
	changesAtOnce = 64
)

// measureChanges restarts Toksta on both cores and adds the samples of changeCases.
func (b *bench) measureChanges(ctx context.Context, out results) error {
	t := b.targets[targetToksta]
	if err := b.restart(t, fmt.Sprintf("%d,%d", b.serverCore, b.loadCore)); err != nil {
		return err
	}
	for round := range b.rounds {
		fmt.Fprintf(os.Stderr, "Changes of keys, round %d of %d.\n", round+1, b.rounds)
		for _, c := range inRound(changeCases(), round) {
			s, err := b.measure(ctx, c, targetToksta, round)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", targetToksta, c.name, err)
			}
			id := cell{c.name, c.connections, targetToksta}
			out[id] = append(out[id], s)
		}
	}
	return nil
}

// changer changes keys at a fixed rate until it is stopped. A changer without keys
// changes nothing.
type changer struct {
	api     *client.Client
	keys    []client.Key // as they were before the first change
	done    atomic.Int64 // changes that have returned
	stopped chan struct{}
	result  chan error
}

// newChanger lists keys and changes perSecond of them a second. The caller must call
// stop.
func (b *bench) newChanger(ctx context.Context, perSecond int) (*changer, error) {
	c := &changer{api: client.New(b.file(operatorSocket)), stopped: make(chan struct{}), result: make(chan error, 1)}
	if perSecond == 0 {
		c.result <- nil
		return c, nil
	}
	page, err := c.api.ListKeys(ctx, client.ListKeysRequest{Limit: changedKeys})
	if err != nil {
		return nil, fmt.Errorf("list the keys to change: %w", err)
	}
	if len(page.Keys) == 0 {
		return nil, errors.New("no key to change")
	}
	c.keys = page.Keys
	go func() { c.result <- c.run(ctx, time.Second/time.Duration(perSecond)) }()
	return c, nil
}

// stop waits for the outstanding changes and returns the first error.
func (c *changer) stop() error {
	close(c.stopped)
	return <-c.result
}

// run starts a change at each interval. If changesAtOnce changes are outstanding, the
// rate falls, and the report shows it.
func (c *changer) run(ctx context.Context, interval time.Duration) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(changesAtOnce)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-c.stopped:
			return group.Wait()
		case <-ctx.Done():
			return errors.Join(group.Wait(), context.Cause(ctx))
		case <-ticker.C:
			group.Go(func() error { return c.change(ctx, i) })
		}
	}
}

// change narrows or widens the scopes of a key, in turn. The calls of the load are
// always in the scopes.
func (c *changer) change(ctx context.Context, i int) error {
	key, turn := c.keys[i%len(c.keys)], i/len(c.keys)
	scopes := nextScopes(key.Scopes, turn)
	_, err := c.api.SetKeyLimits(ctx, client.SetLimitsRequest{KeyRef: client.KeyRef{Key: key.ID}, Scopes: &scopes})
	if err != nil {
		return fmt.Errorf("change the scopes of a key: %w", err)
	}
	c.done.Add(1)
	return nil
}

// nextScopes returns the scopes that a key gets in a turn. They differ from those of the
// turn before, and in turn 0 from the initial ones.
func nextScopes(initial []toksta.Family, turn int) []toksta.Family {
	if narrow := len(initial) == 1; narrow != (turn%2 == 0) {
		return []toksta.Family{"data"}
	}
	return []toksta.Family{"data", "account"}
}

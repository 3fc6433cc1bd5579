package events

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
)

const (
	batch      = 8                // attempts of one channel under way at once, on one node
	carryTime  = 45 * time.Second // for one attempt
	claimTime  = time.Minute      // above carryTime: a claim that ends belongs to a node that died
	settleTime = 5 * time.Second  // for the store to take a claim or an outcome, even while stopping
	keep       = 90 * 24 * time.Hour
)

// pauses are those between attempts, as Standard Webhooks suggests: ten
// attempts within three days. After the last the delivery is dead.
var pauses = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// longest bounds what a receiver may ask for.
const longest = 24 * time.Hour

// serve looks after one channel until ctx ends. Channels do not wait for one
// another: a receiver that hangs holds up its own deliveries only.
func (s *Service) serve(ctx context.Context, c Channel) {
	tick := time.NewTicker(s.poll)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		n, err := s.round(ctx, c)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			s.config.Log.Error("cannot deliver events; they are kept", "channel", c.Name, "error", err)
		case err == nil && failing:
			s.config.Log.Info("can deliver events again", "channel", c.Name)
		}
		if failing = err != nil; n > 0 && !failing {
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.wake[c.Name]:
		case <-tick.C:
		}
	}
}

// round makes one attempt of each delivery that it can claim, all at once, and
// returns their number. A claim goes on for a while after ctx ends: made and not
// known, it would hold its deliveries for as long as that of a node that died.
func (s *Service) round(ctx context.Context, c Channel) (int, error) {
	now := s.config.Now()
	claiming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(settleTime, cancel) })()
	claimed, err := s.config.Store.ClaimDeliveries(claiming, store.DeliveryClaim{
		Channel: c.Name, Now: now, Until: now.Add(claimTime), Limit: batch,
	})
	if err != nil {
		return 0, err
	}
	errs := make([]error, len(claimed))
	var all sync.WaitGroup
	for i, d := range claimed {
		all.Go(func() { errs[i] = s.attempt(ctx, c, d) })
	}
	all.Wait()
	return len(claimed), errors.Join(errs...)
}

// attempt carries a claimed event and settles its delivery, even when it was
// interrupted: the event may have arrived.
func (s *Service) attempt(ctx context.Context, c Channel, claimed store.Claimed) error {
	within, cancel := context.WithTimeout(ctx, carryTime)
	outcome, err := c.Carrier.Carry(within, claimed.Event)
	cancel()
	after := claimed.Delivery
	if err != nil && ctx.Err() != nil {
		after.NextAt, after.Outcome = s.config.Now(), "interrupted: the node stopped"
	} else {
		after = s.judge(after, outcome, err)
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := s.config.Store.SettleDelivery(settling, claimed.Delivery, after); err != nil {
		return err
	}
	if after.State == store.DeliveryDead {
		s.config.Log.Warn("an event was not delivered", "event", claimed.Event.ID, "kind", claimed.Event.Kind,
			"account_id", claimed.Event.AccountID, "channel", c.Name, "attempts", after.Attempts, "outcome", after.Outcome)
	}
	return nil
}

// judge decides what becomes of a delivery after an attempt.
func (s *Service) judge(d store.Delivery, outcome string, err error) store.Delivery {
	if err == nil {
		d.State, d.Outcome = store.DeliveryDelivered, outcome
		return d
	}
	d.Outcome = text.Keepable(err.Error())
	if errors.Is(err, ErrGone) || d.Attempts > len(pauses) {
		d.State = store.DeliveryDead
		return d
	}
	pause := pauses[d.Attempts-1]
	if later, ok := errors.AsType[*LaterError](err); ok {
		pause = max(pause, min(later.After, longest))
	}
	// Up to a fifth more, so that what failed together does not come together.
	d.NextAt = s.config.Now().Add(pause + rand.N(pause/5))
	return d
}

// prune forgets old events, on every node alike, until ctx ends.
func (s *Service) prune(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.config.Store.PruneEvents(ctx, s.config.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			s.config.Log.Error("cannot forget old events", "error", err)
		}
	}
}

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
	maxConcurrent  = 8                // attempts at once, to one channel by one node
	attemptTimeout = 45 * time.Second // of one attempt
	claimDuration  = time.Minute      // longer than attemptTimeout: only the claim of a node that died expires
	storeTimeout   = 5 * time.Second  // to store a claim or an outcome, even while stopping
	retention      = 90 * 24 * time.Hour
)

// pauses are the delays between attempts, as Standard Webhooks suggests: ten attempts within about
// three days. If the last attempt fails, the delivery has failed finally.
var pauses = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// maxRetryAfter limits the delay that a receiver can ask for.
const maxRetryAfter = 24 * time.Hour

// runChannel delivers the events of one channel until ctx ends. Each channel has its own loop, so a
// receiver that does not respond delays only its own deliveries.
func (s *Service) runChannel(ctx context.Context, c Channel) {
	tick := time.NewTicker(s.poll)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		n, err := s.deliverDue(ctx, c)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			s.config.Log.Error("cannot deliver events; they stay in the database and are tried again", "channel", c.Name, "error", err)
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

// deliverDue claims due deliveries, makes one attempt of each concurrently, and returns their
// number. When ctx ends, a claim still has storeTimeout to finish: if its outcome were unknown, it
// would block its deliveries until it expires.
func (s *Service) deliverDue(ctx context.Context, c Channel) (int, error) {
	now := s.config.Now()
	claimCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(storeTimeout, cancel) })()
	claimed, err := s.config.Store.ClaimDeliveries(claimCtx, store.DeliveryClaim{
		Channel: c.Name, Now: now, Until: now.Add(claimDuration), Limit: maxConcurrent,
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

// attempt sends a claimed event and stores the outcome, even if ctx ends during the attempt,
// because the event could have arrived.
func (s *Service) attempt(ctx context.Context, c Channel, claimed store.Claimed) error {
	sendCtx, cancel := context.WithTimeout(ctx, attemptTimeout)
	outcome, err := c.Sender.Send(sendCtx, claimed.Event)
	cancel()
	after := claimed.Delivery
	if err != nil && ctx.Err() != nil {
		after.NextAt, after.Outcome = s.config.Now(), "interrupted: the node stopped"
	} else {
		after = s.nextState(after, outcome, err)
	}
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := s.config.Store.FinishDelivery(storeCtx, claimed.Delivery, after); err != nil {
		return err
	}
	if after.State == store.DeliveryDead {
		s.config.Log.Warn("an event was not delivered and is now a dead letter", "event", claimed.Event.ID, "kind", claimed.Event.Kind,
			"account_id", claimed.Event.AccountID, "channel", c.Name, "attempts", after.Attempts, "outcome", after.Outcome)
	}
	return nil
}

// nextState returns the delivery after an attempt with the given outcome or error: delivered,
// failed finally, or due again after a pause.
func (s *Service) nextState(d store.Delivery, outcome string, err error) store.Delivery {
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
	if retry, ok := errors.AsType[*RetryAfterError](err); ok {
		pause = max(pause, min(retry.After, maxRetryAfter))
	}
	// Jitter of up to a fifth separates deliveries that failed at the same time.
	d.NextAt = s.config.Now().Add(pause + rand.N(pause/5))
	return d
}

// prune deletes old events until ctx ends. Every node does it.
func (s *Service) prune(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.config.Store.PruneEvents(ctx, s.config.Now().Add(-retention)); err != nil && ctx.Err() == nil {
			s.config.Log.Error("cannot delete old events", "error", err)
		}
	}
}

package notices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// eventKinds maps the kinds of events to the kinds of notices about them.
var eventKinds = map[toksta.EventKind]Kind{
	toksta.EventCreditsLow: CreditsLow, toksta.EventCreditsExhausted: CreditsExhausted, toksta.EventRateLimitHit: RateLimitHit,
}

// Send writes the notices of an event, and so implements a channel of events. It returns a
// description of the outcome for operators. A repeat writes nothing.
func (s *Service) Send(ctx context.Context, e store.Event) (string, error) {
	kind, ok := eventKinds[e.Kind]
	if !ok {
		return "", errors.New("this event has no notice: run toksta mail test ADDRESS to test mails")
	}
	drafts, err := s.toMembers(ctx, occasion{kind: kind, account: e.AccountID, at: e.At, data: data{Event: e.Data}, token: e.ID})
	if err != nil {
		return "", err
	}
	if _, err := s.config.Store.WriteNotices(ctx, store.NoticeBatch{Notices: drafts}); err != nil {
		return "", err
	}
	s.notify()
	return fmt.Sprintf("noticed to %d of the account's members", len(drafts)), nil
}

// maxRefused bounds the accounts whose refused calls wait for a check.
const maxRefused = 10_000

// ObserveFlush takes the accounts with calls that billing refused from a batch that is in the
// store. It costs a request nothing, and Run does the rest.
func (s *Service) ObserveFlush(b store.UsageBatch) {
	recent := s.config.Now().Add(-24*time.Hour).Unix() / 3600
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range b.Totals {
		if (t.Reason == toksta.ReasonBillingPastDue || t.Reason == toksta.ReasonSubscriptionInactive) && t.Hour >= recent && len(s.refused) < maxRefused {
			s.refused[t.AccountID] = t.Reason
		}
	}
}

// noteRefused writes the notices of accounts with refused calls, once for each billing state: the
// token contains the time at which the state began.
func (s *Service) noteRefused(ctx context.Context) error {
	s.mu.Lock()
	pending := s.refused
	s.refused = map[toksta.AccountID]toksta.Reason{}
	s.mu.Unlock()
	var errs []error
	for id, reason := range pending {
		if err := s.noteRefusal(ctx, id, reason); err != nil {
			errs = append(errs, err)
			s.mu.Lock()
			s.refused[id] = reason
			s.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

func (s *Service) noteRefusal(ctx context.Context, id toksta.AccountID, reason toksta.Reason) error {
	a, err := s.config.Store.Account(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || s.noted[id].Equal(a.StatusSince) {
		return err
	}
	drafts, err := s.toMembers(ctx, occasion{
		kind: CallsRefused, account: id, at: s.config.Now(), data: data{Reason: reason},
		token: fmt.Sprintf("%s %s %d", CallsRefused, id, a.StatusSince.UnixMilli()),
	})
	if err != nil {
		return err
	}
	if _, err = s.config.Store.WriteNotices(ctx, store.NoticeBatch{Notices: drafts}); err != nil {
		return err
	}
	if len(s.noted) == maxRefused {
		clear(s.noted)
	}
	s.noted[id] = a.StatusSince
	s.notify()
	return nil
}

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/events"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// buildEvents builds the delivery of events and the watch that detects them.
func (a *App) buildEvents(balances *credits.Balances) {
	a.events = events.New(events.Config{Store: a.store, Channels: a.channels(), Now: time.Now, Log: a.log})
	marks := a.config.Events
	a.watch = events.NewWatch(events.WatchConfig{
		Events: a.events, Usage: a.store, Standing: a.index.Standing, Balance: balances.Balance,
		ExternalID: func(ctx context.Context, id toksta.AccountID) (string, error) {
			account, err := a.store.Account(ctx, id)
			return account.ExternalID, err
		},
		Marks: events.Marks{LowIncluded: int64(marks.LowBalance), LowPurchased: marks.LowPurchased, LimitHits: marks.LimitHits},
		Now:   time.Now, Log: a.log,
	})
}

// channels returns the configured webhooks, and mail if a mail server is configured.
func (a *App) channels() []events.Channel {
	var out []events.Channel
	for _, name := range slices.Sorted(maps.Keys(a.config.Webhooks)) {
		w := a.config.Webhooks[name]
		out = append(out, events.Channel{Name: name, Kinds: w.Events, Sender: events.NewWebhook(events.WebhookConfig{
			URL: w.URL, Secrets: w.Secrets(), Now: time.Now,
		})})
	}
	if a.sender != nil {
		out = append(out, events.Channel{Name: config.MailChannel, Sender: mailSender{
			sender: a.sender, letters: a.letters, store: a.store, pages: a.config.PagesURL,
		}})
	}
	return out
}

// watchedSink is the sink of the meter. It reports each flushed batch to the watch.
type watchedSink struct {
	meter.Sink
	watch *events.Watch
}

// Flush writes b to the store and then reports it to the watch.
func (w watchedSink) Flush(ctx context.Context, b store.UsageBatch) error {
	err := w.Sink.Flush(ctx, b)
	if err == nil {
		w.watch.ObserveFlush(b)
	}
	return err
}

// mailSender mails events to the members of the account.
type mailSender struct {
	sender  mailer
	letters *mail.Letters
	store   store.Store
	pages   string
}

// Send sends a mail to every member who can sign in. It succeeds if one mail was
// sent, because a repeat would send that mail again. It also succeeds if there is no
// such member.
func (s mailSender) Send(ctx context.Context, e store.Event) (string, error) {
	message, err := s.message(ctx, e)
	if err != nil {
		return "", err
	}
	members, err := s.store.ListAccountMembers(ctx, e.AccountID)
	if err != nil {
		return "", err
	}
	sent, failed := 0, error(nil)
	for _, m := range members {
		if !m.CanAct() {
			continue
		}
		message.To = m.Email
		if err := s.sender.Send(ctx, message); err != nil {
			failed = err
			continue
		}
		sent++
	}
	switch {
	case sent == 0 && errors.Is(failed, mail.ErrRejected):
		return "", fmt.Errorf("%w: %w", events.ErrGone, failed)
	case sent == 0 && failed != nil:
		return "", failed
	default:
		return fmt.Sprintf("sent to %d of the account's members", sent), nil
	}
}

// message turns an event into a mail.
func (s mailSender) message(ctx context.Context, e store.Event) (mail.Message, error) {
	if e.Kind == toksta.EventTest {
		return mail.Message{}, errors.New("a test event has no mail: run toksta mail test ADDRESS")
	}
	account, err := s.store.Account(ctx, e.AccountID)
	if err != nil {
		return mail.Message{}, err
	}
	to := mail.Account{Name: account.Name, URL: s.pages + "/account"}
	if e.Kind == toksta.EventRateLimitHit {
		var l client.RateLimitData
		err := json.Unmarshal(e.Data, &l)
		return s.letters.LimitHit(to, mail.Limit{
			PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay, Concurrent: l.Concurrent, Refused: l.Refused, Since: l.Since,
		}), err
	}
	var c client.CreditsData
	err = json.Unmarshal(e.Data, &c)
	balance := mail.Credits{Remaining: c.Remaining, Included: c.Included, ResetsAt: c.ResetsAt, Overage: c.Beyond == events.BeyondOverage}
	if e.Kind == toksta.EventCreditsExhausted {
		return s.letters.CreditsExhausted(to, balance), err
	}
	return s.letters.LowBalance(to, balance), err
}

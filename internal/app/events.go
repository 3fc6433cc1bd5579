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

// buildEvents makes what tells of accounts, and what notices.
func (a *App) buildEvents(balances *credits.Balances) {
	a.events = events.New(events.Config{Store: a.store, Channels: a.channels(), Now: time.Now, Log: a.log})
	marks := a.config.Events
	a.watch = events.NewWatch(events.WatchConfig{
		Events: a.events, Usage: a.store, Standing: a.index.Standing, Balance: balances.Balance,
		Marks: events.Marks{LowIncluded: int64(marks.LowBalance), LowPurchased: marks.LowPurchased, LimitHits: marks.LimitHits},
		Now:   time.Now, Log: a.log,
	})
}

// channels are the configured webhooks, and mail where there is a server.
func (a *App) channels() []events.Channel {
	var out []events.Channel
	for _, name := range slices.Sorted(maps.Keys(a.config.Webhooks)) {
		w := a.config.Webhooks[name]
		out = append(out, events.Channel{Name: name, Kinds: w.Events, Sender: events.NewWebhook(events.WebhookConfig{
			URL: w.URL, Secrets: w.Secrets(), Now: time.Now,
		})})
	}
	if a.mail != nil {
		out = append(out, events.Channel{Name: config.MailChannel, Sender: notices{
			sender: a.mail, store: a.store, product: a.config.Branding.Product, pages: a.config.PagesURL,
		}})
	}
	return out
}

// watched is the meter's way into the store, past the watch.
type watched struct {
	meter.Sink
	watch *events.Watch
}

// Flush shows the watch what the store has taken.
func (w watched) Flush(ctx context.Context, b store.UsageBatch) error {
	err := w.Sink.Flush(ctx, b)
	if err == nil {
		w.watch.ObserveFlush(b)
	}
	return err
}

// notices carries events to the people of the account that they happened to.
type notices struct {
	sender         *mail.Sender
	store          store.Store
	product, pages string
}

// Carry writes to every member who can sign in. The account has been told when
// one of them was: trying the others again would tell that one once more.
func (n notices) Send(ctx context.Context, e store.Event) (string, error) {
	letter, err := n.letter(ctx, e)
	if err != nil {
		return "", err
	}
	members, err := n.store.ListMembers(ctx, e.AccountID)
	if err != nil {
		return "", err
	}
	told, failed := 0, error(nil)
	for _, m := range members {
		if !m.DisabledAt.IsZero() {
			continue
		}
		letter.To = m.Email
		if err := n.sender.Send(ctx, letter); err != nil {
			failed = err
			continue
		}
		told++
	}
	switch {
	case told == 0 && errors.Is(failed, mail.ErrRejected):
		return "", fmt.Errorf("%w: %w", events.ErrGone, failed)
	case told == 0 && failed != nil:
		return "", failed
	default:
		return fmt.Sprintf("sent to %d of the account's members", told), nil
	}
}

// letter says in words what an event says in fields.
func (n notices) letter(ctx context.Context, e store.Event) (mail.Message, error) {
	if e.Kind == toksta.EventTest {
		return mail.Message{}, errors.New("mail is tried with toksta mail test ADDRESS")
	}
	account, err := n.store.Account(ctx, e.AccountID)
	if err != nil {
		return mail.Message{}, err
	}
	to := mail.Account{Product: n.product, Name: account.Name, URL: n.pages + "/account"}
	if e.Kind == toksta.EventRateLimitHit {
		var l client.RateLimitData
		err := json.Unmarshal(e.Data, &l)
		return mail.LimitHit(to, mail.Limit{PerMinute: l.PerMinute, Refused: l.Refused, Since: l.Since}), err
	}
	var c client.CreditsData
	err = json.Unmarshal(e.Data, &c)
	balance := mail.Credits{Remaining: c.Remaining, Included: c.Included, ResetsAt: c.ResetsAt, Overage: c.Beyond == events.BeyondOverage}
	if e.Kind == toksta.EventCreditsExhausted {
		return mail.CreditsExhausted(to, balance), err
	}
	return mail.LowBalance(to, balance), err
}

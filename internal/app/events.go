package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/events"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// buildNotices builds the notices to members. They are mailed if mails are sent.
func (a *App) buildNotices() {
	n := a.config.Notices
	c := notices.Config{
		Store: a.store, Letters: a.letters, PagesURL: a.config.PagesURL,
		Dates: notices.Dates{Expiring: n.ExpiringDays, Unused: n.UnusedDays}, Now: time.Now, Log: a.log,
	}
	if a.sender != nil && n.Mail {
		c.Sender = a.sender
	}
	a.notices = notices.New(c)
}

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

// channels returns the configured webhooks, and the notices to members.
func (a *App) channels() []events.Channel {
	var out []events.Channel
	for _, name := range slices.Sorted(maps.Keys(a.config.Webhooks)) {
		w := a.config.Webhooks[name]
		out = append(out, events.Channel{Name: name, Kinds: w.Events, Sender: events.NewWebhook(events.WebhookConfig{
			URL: w.URL, Secrets: w.Secrets(), Now: time.Now,
		})})
	}
	return append(out, events.Channel{Name: config.MailChannel, Sender: a.notices})
}

// watchedSink is the sink of the meter. It reports each flushed batch to the watch and the
// notices.
type watchedSink struct {
	meter.Sink
	watch   *events.Watch
	notices *notices.Service
}

// Flush writes b to the store and then reports it.
func (w watchedSink) Flush(ctx context.Context, b store.UsageBatch) error {
	err := w.Sink.Flush(ctx, b)
	if err == nil {
		w.watch.ObserveFlush(b)
		w.notices.ObserveFlush(b)
	}
	return err
}

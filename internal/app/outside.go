package app

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/export"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/store"
)

// outside makes what tells things to others, as far as it is configured.
func (a *App) outside(ctx context.Context) (err error) {
	if m := a.config.Mail; m.Server != "" {
		a.mail, err = mail.New(mail.Config{Server: m.Server, TLS: mail.TLS(m.TLS), User: m.User, Password: m.Password, From: m.From})
		if err != nil {
			return err
		}
	}
	e := a.config.Export
	if e.URL == "" {
		return a.store.SetExport(ctx, nil)
	}
	a.export = export.New(export.Config{
		Store: a.store, URL: e.URL, Authorization: e.Authorization, Type: e.Type, Source: e.Source,
		Interval: e.Interval, Settle: e.Settle, Batch: e.Batch, From: e.Since(), Log: a.log,
	})
	return nil
}

// mailProbe holds a conversation without a message. Without a server there is
// nothing to try, and what would be told by mail is not.
func (a *App) mailProbe() operator.Probe {
	p := operator.Probe{Name: "mail", Fix: "correct the section mail of the configuration"}
	p.Run = func(context.Context) (string, error) {
		return "off: mail.server is empty, so customers get no notices", nil
	}
	if a.mail != nil {
		p.Run = timed("the server takes mail, asked in", a.mail.Check)
	}
	return p
}

// exportProbe fails while the receiver takes nothing, whichever node exports.
func (a *App) exportProbe() operator.Probe {
	p := operator.Probe{Name: "export", Fix: "look at the receiver, and at the section export of the configuration; nothing is lost meanwhile"}
	p.Run = func(ctx context.Context) (string, error) {
		if a.export == nil {
			return "off: export.url is empty", nil
		}
		s, err := a.export.Status(ctx)
		if err == nil && s.Failure != "" {
			err = fmt.Errorf("%s, at %s; waiting: %d", s.Failure, s.FailedAt.Format(time.RFC3339), s.Waiting)
		}
		return fmt.Sprintf("delivered through %s, waiting: %d", s.Through.Format(time.RFC3339), s.Waiting), err
	}
	p.Run = ofStore(p.Run)
	return p
}

// eventsProbe fails for a week when an event could not be told.
func (a *App) eventsProbe() operator.Probe {
	const most = 100
	p := operator.Probe{Name: "events", Fix: "toksta events list --state dead; once the receiver takes them, toksta events replay --dead"}
	p.Run = func(ctx context.Context) (string, error) {
		dead, err := a.events.List(ctx, store.EventQuery{State: store.DeliveryDead, Limit: most})
		if err != nil {
			return "", err
		}
		var given []string
		for _, e := range dead {
			for _, d := range e.Deliveries {
				if d.State == store.DeliveryDead && time.Since(d.TriedAt) < 7*24*time.Hour {
					given = append(given, d.Channel+" "+d.Outcome)
				}
			}
		}
		text := fmt.Sprintf("webhooks: %d, no event was given up in a week", len(a.config.Webhooks))
		if len(given) > 0 {
			text, err = "", fmt.Errorf("%d given up in a week, the newest: %s", len(given), given[0])
		}
		return text, err
	}
	p.Run = ofStore(p.Run)
	return p
}

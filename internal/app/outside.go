package app

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/export"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
)

// mailer sends one mail and returns when the server has accepted it.
type mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// buildMail builds the letters, and the sender of mails and its queue if a mail server is
// configured. In the demo, the sender is the outbox.
func (a *App) buildMail() (err error) {
	if a.letters, err = Letters(a.config); err != nil {
		return err
	}
	m := a.config.Mail
	switch {
	case a.outbox != nil:
		a.sender = a.outbox
	case m.Server == "":
		return nil
	default:
		a.mail, err = mail.New(mail.Config{Server: m.Server, TLS: mail.TLS(m.TLS), User: m.User, Password: m.Password, From: m.From, Name: a.config.Branding.Product})
		if err != nil {
			return err
		}
		a.sender = &mail.Watched{Sender: a.mail, Log: a.log}
	}
	a.mails = mail.NewQueue(mail.QueueConfig{Sender: a.sender, Log: a.log})
	return nil
}

// signInMail returns the queue of mails, nil without a sender of mails.
func (a *App) signInMail() signin.Mail {
	if a.mails == nil {
		return nil
	}
	return a.mails
}

// invitationMail returns the sender of the mails to invited people, nil without a sender of mails.
func (a *App) invitationMail() members.Mailer {
	if a.mails == nil {
		return nil
	}
	return inviter{mails: a.mails, letters: a.letters, pages: a.config.PagesURL}
}

// inviter puts the mails to invited people into the queue.
type inviter struct {
	mails   *mail.Queue
	letters *mail.Letters
	pages   string
}

// Invite implements [members.Mailer].
func (i inviter) Invite(_ context.Context, l members.Letter) error {
	i.mails.Post(i.letters.Invitation(mail.InvitationLetter{
		To: l.To, Inviter: l.Inviter, Account: l.Account, Role: string(l.Role), ExpiresAt: l.ExpiresAt,
		Link: i.pages + "/invitation?code=" + url.QueryEscape(l.Code.Reveal()),
	}))
	return nil
}

// buildOutgoing builds mail and export, if they are configured.
func (a *App) buildOutgoing(ctx context.Context) (err error) {
	if err := a.buildMail(); err != nil {
		return err
	}
	e := a.config.Export
	if e.URL == "" {
		return a.store.SetExport(ctx, nil)
	}
	a.export = export.New(export.Config{
		Store: a.store, URL: e.URL, Authorization: e.Authorization, Type: e.Type, Source: e.Source, Currency: a.catalog.Currency,
		Interval: e.Interval, Settle: e.Settle, Batch: e.Batch, From: e.Since(), Log: a.log,
	})
	return nil
}

// Letters returns the mails to people in the vendor's look and with the vendor's templates.
func Letters(c config.Config) (*mail.Letters, error) {
	look, err := c.Branding.Look()
	if err != nil {
		return nil, err
	}
	out := mail.LettersConfig{Look: look, PagesURL: c.PagesURL, SupportURL: c.Branding.SupportURL, LogoURL: c.Mail.Logo}
	if c.Mail.Templates != "" {
		out.Templates = os.DirFS(c.Mail.Templates)
	}
	letters, err := mail.NewLetters(out)
	if err != nil {
		return nil, fmt.Errorf("read mail.templates %s: %w", c.Mail.Templates, err)
	}
	return letters, nil
}

// exportProbe fails while the receiver accepts no events from any node.
func (a *App) exportProbe() operator.Probe {
	p := operator.Probe{Name: "export", Fix: "check the receiver and the section export of the configuration; nothing is lost meanwhile"}
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
	p.Run = skipUnavailable(p.Run)
	return p
}

// eventsProbe fails if the delivery of an event failed finally within the last week.
func (a *App) eventsProbe() operator.Probe {
	const most = 100
	p := operator.Probe{Name: "events", Fix: "toksta events list --state dead; once the receiver accepts them, toksta events replay --dead"}
	p.Run = func(ctx context.Context) (string, error) {
		dead, err := a.events.List(ctx, store.EventQuery{State: store.DeliveryDead, Limit: most})
		if err != nil {
			return "", err
		}
		var failed []string
		for _, e := range dead {
			for _, d := range e.Deliveries {
				if d.State == store.DeliveryDead && time.Since(d.TriedAt) < 7*24*time.Hour {
					failed = append(failed, d.Channel+" "+d.Outcome)
				}
			}
		}
		text := fmt.Sprintf("webhooks: %d, no delivery was given up within a week", len(a.config.Webhooks))
		if len(failed) > 0 {
			text, err = "", fmt.Errorf("%d deliveries given up within a week, the newest: %s", len(failed), failed[0])
		}
		return text, err
	}
	p.Run = skipUnavailable(p.Run)
	return p
}

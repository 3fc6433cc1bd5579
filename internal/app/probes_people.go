package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/signin"
)

// peopleProbes returns the checks of the parts that people need: the account pages, frames of them,
// mails, notices and sign-in providers.
func (a *App) peopleProbes() []operator.Probe {
	probes := []operator.Probe{a.pagesProbe(), a.framesProbe(), a.mailProbe(), a.noticesProbe()}
	for _, p := range a.SignIn.Providers {
		probes = append(probes, providerProbe(p))
	}
	return probes
}

// pagesProbe warns of addresses at which others can read passwords, cookies or keys, and of passkeys
// that browsers do not make.
func (a *App) pagesProbe() operator.Probe {
	return operator.Probe{Name: "account pages", Run: func(context.Context) (string, error) {
		c := a.config
		for _, open := range []struct{ setting, address string }{{"pages_url", c.PagesURL}, {"public_url", c.PublicURL}} {
			if !config.IsPrivateURL(open.address) {
				return "", operator.Warning{
					Detail: open.address + " is plain HTTP: others in the network can read passwords, cookies and keys",
					Fix:    "serve it over TLS, by listen.tls or a proxy, and set " + open.setting + " to its https address",
				}
			}
		}
		domain := c.PasskeyDomain()
		switch {
		case !c.SignIn.Passkeys:
			return c.PagesURL + ", without passkeys: signin.passkeys is false", nil
		case domain == "" && !c.SecureCookies():
			return c.PagesURL + ", without passkeys: browsers make none for an IP address", nil
		case domain == "":
			return "", operator.Warning{
				Detail: c.PagesURL + ": browsers make no passkeys for an IP address",
				Fix:    "give the pages a host name and set pages_url, or set signin.passkeys: false",
			}
		}
		return c.PagesURL + ", passkeys of " + domain, nil
	}}
}

// framesProbe warns of pages that may embed the keys and are not https. Only pages of this machine
// can be configured so, for a trial.
func (a *App) framesProbe() operator.Probe {
	return operator.Probe{Name: "frames", Run: func(context.Context) (string, error) {
		origins := a.config.Embed.Origins
		if len(origins) == 0 {
			return "off: embed.origins is empty", nil
		}
		text := "allowed in pages of " + strings.Join(origins, ", ")
		for _, o := range origins {
			if !strings.HasPrefix(o, "https:") {
				return "", operator.Warning{Detail: text + ", of which " + o + " is plain HTTP", Fix: "remove it from embed.origins, unless this is a trial"}
			}
		}
		if a.config.Sessions.VendorURL == "" {
			return "", operator.Warning{Detail: text + "; a session that has ended leads nowhere", Fix: "set sessions.vendor_url to your page with the keys"}
		}
		return text, nil
	}}
}

const (
	// providerTimeout bounds the check of a provider, which makes up to three requests.
	providerTimeout = 10 * time.Second
	// mailTimeout bounds the check of the mail server. Some servers delay their greeting by several seconds.
	mailTimeout = 15 * time.Second
)

// providerProbe checks a provider from this node's place in the network.
func providerProbe(p signin.Provider) operator.Probe {
	return operator.Probe{
		Name: "sign-in " + p.Name,
		Fix:  "correct signin.providers." + p.Name + "; docs/sign-in-providers.md explains the error; the redirect URI is " + p.Protocol.RedirectURL(),
		Run: func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, providerTimeout)
			defer cancel()
			text, err := timed("accepts the client, checked in", p.Protocol.Check)(ctx)
			return text + "; the redirect URI to register is " + p.Protocol.RedirectURL(), err
		},
	}
}

// mailProbe opens a session with the mail server and sends no message. Without a mail
// server it passes.
func (a *App) mailProbe() operator.Probe {
	p := operator.Probe{Name: "mail", Fix: "correct the section mail of the configuration; toksta mail test ADDRESS sends a mail"}
	p.Run = func(context.Context) (string, error) {
		return "off: mail.server is empty, so people get no notices, and no links to prove an address or to replace a password", nil
	}
	switch {
	case a.outbox != nil:
		p.Run = func(context.Context) (string, error) { return "the demo keeps mails and shows them at /demo/mail", nil }
	case a.mail != nil:
		p.Run = func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, mailTimeout)
			defer cancel()
			text, err := timed("the server accepts mail, checked in", a.mail.Check)(ctx)
			s := a.mails.Status()
			text += fmt.Sprintf("; links and invitations since the start: %d sent, %d waiting, %d given up", s.Sent, s.Waiting, s.Failed)
			if err == nil && time.Since(s.FailedAt) < recentFailure {
				err = operator.Warning{
					Detail: text + ", the last one at " + s.FailedAt.UTC().Format(time.RFC3339),
					Fix:    `search the log for "a mail was not"; the person can ask for another mail`,
				}
			}
			return text, err
		}
	}
	return p
}

// recentFailure is the time for which the check of mails warns of a mail that was given up.
const recentFailure = time.Hour

// Notices are written within seconds, and a due mail is sent at once. A delay of noticeDelay is a
// failure.
const noticeDelay = 5 * time.Minute

// noticesProbe fails while notices are late, or their mails are not sent.
func (a *App) noticesProbe() operator.Probe {
	p := operator.Probe{Name: "notices", Fix: `search the logs of all nodes for "notices"`}
	p.Run = func(ctx context.Context) (string, error) {
		s, err := a.notices.Status(ctx)
		if err != nil {
			return "", err
		}
		text := "every change is noticed"
		if s.Behind > 0 {
			text = fmt.Sprintf("the oldest change without its notices is of %v ago", s.Behind.Round(time.Second))
		}
		text += fmt.Sprintf("; mails that wait: %d, of these after a failed attempt: %d", s.Waiting, s.Retrying)
		switch {
		case s.Behind > noticeDelay, s.Overdue > noticeDelay:
			return "", fmt.Errorf("%s; overdue for %v", text, max(s.Behind, s.Overdue).Round(time.Second))
		case s.Retrying > 0:
			return "", operator.Warning{Detail: text, Fix: `see the check "mail"; mails are tried again for two days`}
		}
		return text, nil
	}
	p.Run = skipUnavailable(p.Run)
	return p
}

package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/mail/mailtest"
	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/signin/oidc/oidctest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the doctor warns of account pages over plain HTTP in the network, of an API over plain HTTP, of
// passkeys that browsers do not make, and of frames that cannot work safely. A trial on one machine has
// no warnings.
func TestPagesProbes(t *testing.T) {
	t.Parallel()
	const secure = "https://keys.example.com"
	for name, c := range map[string]struct {
		pages, public, origin, vendor string
		noPasskeys                    bool
		text                          string // of the two probes
		warns                         bool
	}{
		"https":            {pages: secure, public: "https://api.example.com", text: "passkeys of keys.example.com off: embed.origins is empty"},
		"without passkeys": {pages: secure, public: secure, noPasskeys: true, text: "signin.passkeys is false"},
		"a trial":          {pages: "http://localhost:8080", public: "http://localhost:8080", text: "passkeys of localhost"},
		"an address":       {pages: "http://127.0.0.1:8080", public: "http://[::1]:8080", text: "none for an IP address"},
		"plain pages":      {pages: "http://keys.example.com", public: "https://api.example.com", text: "http://keys.example.com is plain HTTP", warns: true},
		"plain API":        {pages: secure, public: "http://api.example.com", text: "http://api.example.com is plain HTTP", warns: true},
		"no host name":     {pages: "https://192.0.2.1", public: secure, text: "no passkeys for an IP address", warns: true},
		"frames":           {pages: secure, public: secure, origin: "https://app.example.com", vendor: "https://app.example.com/keys", text: "allowed in pages of https://app.example.com"},
		"plain frames":     {pages: secure, public: secure, origin: "http://127.0.0.1:3000", vendor: "x", text: "of which http://127.0.0.1:3000 is plain HTTP", warns: true},
		"no way back":      {pages: secure, public: secure, origin: "https://app.example.com", text: "leads nowhere", warns: true},
	} {
		a := &App{config: config.Config{PagesURL: c.pages, PublicURL: c.public}}
		a.config.SignIn.Passkeys, a.config.Sessions.VendorURL = !c.noPasskeys, c.vendor
		if c.origin != "" {
			a.config.Embed.Origins = []string{c.origin}
		}
		text, warns := "", false
		for _, p := range []operator.Probe{a.pagesProbe(), a.framesProbe()} {
			detail, err := p.Run(t.Context())
			if w, ok := errors.AsType[operator.Warning](err); ok {
				detail, warns = w.Detail, true
				if w.Fix == "" {
					t.Errorf("%s: a warning without a fix", name)
				}
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text += detail + " "
		}
		if !strings.Contains(text, c.text) || warns != c.warns {
			t.Errorf("%s: %s, warns: %v", name, text, warns)
		}
	}
}

// Guarantee: the doctor states the redirect URI of each provider, whether it works or not, fails for a provider
// that does not accept the client or stays silent, and never prints the client secret.
func TestProviderProbe(t *testing.T) {
	t.Parallel()
	provider := oidctest.Start(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, c := range map[string]struct{ issuer, secret, text string }{
		"works":        {provider.URL, oidctest.ClientSecret, "accepts the client"},
		"wrong secret": {provider.URL, "tk-another-secret", "invalid_client"},
		"other issuer": {provider.URL + "/", oidctest.ClientSecret, "names the issuer"},
		"silent":       {"http://" + silent.Addr().String(), oidctest.ClientSecret, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const redirect = "https://keys.example.com/signin/with/acme/callback"
			p := providerProbe(signin.Provider{Name: "acme", Protocol: oidc.New(oidc.Config{
				Kind: oidc.OpenID, Issuer: c.issuer, ClientID: oidctest.ClientID, ClientSecret: toksta.Hide(c.secret), RedirectURL: redirect,
			})})
			ctx := t.Context()
			if name == "silent" {
				short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
				ctx = short
			}
			text, err := p.Run(ctx)
			shown := text
			if err != nil {
				shown = err.Error() + " " + p.Fix
			}
			if (err == nil) != (name == "works") || !strings.Contains(shown, c.text) || !strings.Contains(shown, redirect) || strings.Contains(shown, c.secret) {
				t.Errorf("%s", shown)
			}
		})
	}
}

// Guarantee: the doctor counts the mails of the node, and warns for an hour after one was given up, although the
// mail server works.
func TestMailProbe(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{Reject: func(to string) int {
		if to == "gone@example.com" {
			return 550
		}
		return 0
	}})
	a := &App{log: slog.New(slog.DiscardHandler)}
	a.config.Mail = config.Mail{Server: server.Addr, TLS: "none", From: "keys@example.com"}
	if err := a.buildMail(); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		to, text string
		warns    bool
	}{{"ada@example.com", "1 sent, 0 waiting, 0 given up", false}, {"gone@example.com", "1 sent, 0 waiting, 1 given up, the last one at ", true}} {
		a.mails.Post(mail.Message{To: c.to, Subject: "Link", Text: "a link"})
		if err := a.mails.Run(stopped); err != nil { // sends the waiting mails
			t.Fatal(err)
		}
		text, err := a.mailProbe().Run(t.Context())
		w, warns := errors.AsType[operator.Warning](err)
		if warns != c.warns || !warns && err != nil || !strings.Contains(text+w.Detail, c.text) {
			t.Errorf("after a mail to %s: %s, %v", c.to, text, err)
		}
	}
}

// Guarantee: the doctor fails while notices or their mails are late, and warns of mails that are tried again.
func TestNoticesProbe(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	now := time.Now()
	a := &App{notices: notices.New(notices.Config{Store: db, Sender: new(mail.Outbox), Now: func() time.Time { return now }})}
	check := func(when, level, want string) {
		t.Helper()
		text, err := a.noticesProbe().Run(t.Context())
		got := client.LevelOK
		if err != nil {
			got, text = client.LevelFail, err.Error()
		}
		if _, warns := errors.AsType[operator.Warning](err); warns {
			got = client.LevelWarn
		}
		if got != level || !strings.Contains(text, want) {
			t.Errorf("%s: %s, %s", when, got, text)
		}
	}
	check("an empty database", client.LevelOK, "every change is noticed; mails that wait: 0")
	c, err := db.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorOperator, Name: "root"}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeKeysRevoked, Members: []toksta.Member{{ID: "mem_a", Name: "Mara", Email: "mara@fjordlight.example"}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	now = c.At.Add(time.Minute)
	check("a new change", client.LevelOK, "is of 1m0s ago")
	now = c.At.Add(time.Hour)
	check("an old change", client.LevelFail, "overdue for 1h0m0s")

	n := store.Notice{ID: "ntc_1", MemberID: "mem_a", Kind: "password_changed", At: now, Data: []byte("{}"), Token: "t", Mail: store.MailPending, NextAt: now}
	if _, err := db.WriteNotices(t.Context(), store.NoticeBatch{To: store.NoticePosition{Seq: c.Seq}, Notices: []store.Notice{n}}); err != nil {
		t.Fatal(err)
	}
	check("a due mail", client.LevelOK, "mails that wait: 1, of these after a failed attempt: 0")
	claimed, err := db.ClaimNotices(t.Context(), store.NoticeClaim{Now: now, Until: now.Add(time.Minute), Limit: 1})
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	failed := claimed[0]
	failed.Outcome = "busy"
	if err := db.FinishNotice(t.Context(), claimed[0], failed); err != nil {
		t.Fatal(err)
	}
	check("a failed mail", client.LevelWarn, "of these after a failed attempt: 1")
	now = now.Add(time.Hour)
	check("a late mail", client.LevelFail, "overdue for 59m0s")
}

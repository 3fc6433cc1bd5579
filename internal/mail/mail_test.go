package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/mail/mailtest"
)

// sender returns a sender that uses the server.
func sender(t *testing.T, s *mailtest.Server, c mail.Config) *mail.Sender {
	t.Helper()
	c.Server, c.Roots, c.From = s.Addr, s.Roots, "Acme API <keys@acme.example>"
	out, err := mail.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Guarantee: a message arrives complete, encrypted and under the vendor's name, with
// each kind of encryption, and its sender is authenticated.
func TestSend(t *testing.T) {
	t.Parallel()
	signedIn := mailtest.Options{User: "toksta", Password: "pässword"}
	for name, c := range map[string]struct {
		options mailtest.Options
		tls     mail.TLS
	}{
		"starttls": {mailtest.Options{StartTLS: true}, mail.StartTLS},
		"tls":      {mailtest.Options{TLS: true}, mail.ImplicitTLS},
		"none":     {mailtest.Options{}, mail.NoTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := mail.Config{TLS: c.tls}
			if c.tls != mail.NoTLS {
				c.options.User, c.options.Password = signedIn.User, signedIn.Password
				config.User, config.Password = signedIn.User, signedIn.Password
			}
			server := mailtest.Start(t, c.options)
			s := sender(t, server, config)
			m := letters(t, mail.LettersConfig{}).Notice("credits_low", withCredits(balance))
			m.To, m.Unsubscribe = "ada@customer.example", "https://keys.acme.example/u?token=abc"
			if err := s.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("the server accepts mail, but Check returns %v", err)
			}
			mails := server.Mails()
			if len(mails) != 1 {
				t.Fatalf("%d messages arrived", len(mails))
			}
			got := mails[0]
			if got.From != "keys@acme.example" || got.To != m.To || got.Protected != (c.tls != mail.NoTLS) || got.User != c.options.User {
				t.Errorf("arrived as %+v", got)
			}
			header, text, html := read(t, got.Data)
			if header.Get("From") != `"Acme API" <keys@acme.example>` || header.Get("Auto-Submitted") != "auto-generated" ||
				!strings.HasSuffix(header.Get("Message-Id"), "@acme.example>") ||
				header.Get("List-Unsubscribe") != "<"+m.Unsubscribe+">" || header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
				t.Errorf("header %v", header)
			}
			if text != m.Text || html != m.HTML {
				t.Errorf("text %q\nHTML %q", text, html)
			}
		})
	}
}

// Guarantee: a message to or from a domain in Unicode arrives through a server that
// supports only ASCII.
func TestSendToUnicodeDomain(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	s, err := mail.New(mail.Config{Server: server.Addr, From: "Acme API <keys@bücher.example>", TLS: mail.NoTLS})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), to("ada@mañana.example")); err != nil {
		t.Fatal(err)
	}
	got := server.Mails()[0]
	header, _, _ := read(t, got.Data)
	if got.To != "ada@xn--maana-pta.example" || got.From != "keys@xn--bcher-kva.example" || !strings.Contains(header.Get("To"), got.To) {
		t.Errorf("from %s to %s, header %v", got.From, got.To, header)
	}
}

// read parses a message.
func read(t *testing.T, data string) (header netmail.Header, text, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, into := range []*string{&text, &html} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		*into = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	return m.Header, text, html
}

// Guarantee: neither customer data nor the password is sent unencrypted, even if a
// server, or an attacker on the path, does not offer STARTTLS, and neither is sent
// to a server without a valid certificate.
func TestNeverUnencrypted(t *testing.T) {
	t.Parallel()
	account := mail.Config{TLS: mail.StartTLS, User: "toksta", Password: "hunter2"}
	stripped := mailtest.Start(t, mailtest.Options{User: "toksta", Password: "hunter2"})
	if err := sender(t, stripped, account).Send(t.Context(), to("ada@customer.example")); err == nil {
		t.Error("sent without STARTTLS")
	}
	for _, line := range stripped.Unencrypted() {
		if !strings.HasPrefix(line, "EHLO") && line != "QUIT" {
			t.Errorf("sent without encryption: %q", line)
		}
	}

	for protection, options := range map[mail.TLS]mailtest.Options{
		mail.StartTLS: {StartTLS: true}, mail.ImplicitTLS: {TLS: true},
	} {
		impostor := mailtest.Start(t, options)
		s, err := mail.New(mail.Config{Server: impostor.Addr, From: "keys@acme.example", TLS: protection})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), to("ada@customer.example")); err == nil || len(impostor.Mails()) > 0 {
			t.Errorf("%s: sent to a server without a trusted certificate: %v", protection, err)
		}
	}
	if _, err := mail.New(mail.Config{Server: "127.0.0.1:25", From: "a@b.example", TLS: mail.NoTLS, User: "u", Password: "p"}); err == nil {
		t.Error("a password would be sent without encryption")
	}
}

func to(address string) mail.Message {
	return mail.Message{To: address, Subject: "A subject", Text: "A text\n", HTML: "<p>A text</p>"}
}

// Guarantee: no field of a message can add a header, a recipient or a message.
func TestNoInjection(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	s := sender(t, server, mail.Config{TLS: mail.NoTLS})
	for _, address := range []string{
		"ada@customer.example\r\nRCPT TO:<eve@evil.example>", "ada@customer.example, eve@evil.example",
		"Ada <ada@customer.example>", "ada", "", "<ada@customer.example>",
	} {
		if err := s.Send(t.Context(), to(address)); !errors.Is(err, mail.ErrRejected) {
			t.Errorf("%q was accepted as an address: %v", address, err)
		}
	}
	for _, text := range []string{"A\r\nBcc: eve@evil.example", "A\nB", "A\rB", "A\x00B"} {
		for field, m := range map[string]mail.Message{
			"subject":     {To: "ada@customer.example", Subject: text},
			"unsubscribe": {To: "ada@customer.example", Subject: "A", Unsubscribe: "https://a.example/" + text},
		} {
			if err := s.Send(t.Context(), m); !errors.Is(err, mail.ErrRejected) {
				t.Errorf("%q was accepted as %s: %v", text, field, err)
			}
		}
	}
	if err := s.Send(t.Context(), mail.Message{To: "ada@customer.example", Subject: "A", Unsubscribe: "https://a.example/>, <mailto:eve@evil.example"}); !errors.Is(err, mail.ErrRejected) {
		t.Errorf("a second address to unsubscribe was accepted: %v", err)
	}
	if n := len(server.Mails()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
	// Unusual text without control characters is sent unchanged.
	m := to("ada@customer.example")
	m.Subject, m.HTML = "Ünïcode \u202a<script> =?utf-8?q?x?= .", "<p>one</p>"
	m.Text = "one\n.\nMAIL FROM:<eve@evil.example>\n"
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("%d messages arrived", len(mails))
	}
	header, text, _ := read(t, mails[0].Data)
	subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	if err != nil || subject != m.Subject || text != m.Text {
		t.Errorf("subject %q, %v\ntext %q", subject, err, text)
	}
}

// Guarantee: permanent and temporary rejections are distinguished, so that a notice
// is neither lost nor retried for ever.
func TestRejected(t *testing.T) {
	t.Parallel()
	codes := map[string]int{"gone@customer.example": 550, "later@customer.example": 451}
	server := mailtest.Start(t, mailtest.Options{Reject: func(to string) int { return codes[to] }})
	s := sender(t, server, mail.Config{TLS: mail.NoTLS})
	if err := s.Send(t.Context(), to("gone@customer.example")); !errors.Is(err, mail.ErrRejected) {
		t.Errorf("permanent rejection: %v", err)
	}
	if err := s.Send(t.Context(), to("later@customer.example")); err == nil || errors.Is(err, mail.ErrRejected) {
		t.Errorf("temporary rejection: %v", err)
	}
	strict := mailtest.Start(t, mailtest.Options{StartTLS: true, User: "toksta", Password: "hunter2"})
	wrong := sender(t, strict, mail.Config{TLS: mail.StartTLS, User: "toksta", Password: "hunter3"})
	if err := wrong.Send(t.Context(), to("ada@customer.example")); err == nil || errors.Is(err, mail.ErrRejected) || strings.Contains(err.Error(), "hunter") {
		t.Errorf("a wrong password: %v", err)
	}
	if err := wrong.Check(t.Context()); err == nil {
		t.Error("Check does not detect a wrong password")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Send(ctx, to("ada@customer.example")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

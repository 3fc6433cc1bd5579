// Package mail writes the mails to people, and sends them through the vendor's mail server.
//
// Letters turns values into messages, by templates that the vendor can replace. Send delivers
// a message to the server once, or returns an error; the caller retries. If encryption
// is configured, the package never falls back to an unencrypted connection. It sends no
// password over an unencrypted connection. The only secrets in messages are links that work
// once; the letters that have them say so.
package mail

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/toksta/toksta/internal/text"
)

// TLS selects the encryption of the connection to the mail server.
type TLS string

// The kinds of encryption.
const (
	StartTLS    TLS = "starttls" // required before any other command; an error if the server does not offer it
	ImplicitTLS TLS = "tls"      // from the first byte
	NoTLS       TLS = "none"     // for a server on this machine
)

// ErrRejected means that the mail server rejected the message permanently: it will
// reject the same message to the same address again.
var ErrRejected = errors.New("mail: the server rejected the message permanently")

// timeout limits one session with the server.
const timeout = 30 * time.Second

// Config configures a Sender. Server and From are required.
type Config struct {
	Server   string // host:port
	TLS      TLS
	User     string // "": no authentication
	Password string
	From     string         // "Acme API <keys@example.com>"
	Name     string         // of the sender, if From has none
	Roots    *x509.CertPool // nil: the system's
}

// Message is one mail to one address.
type Message struct {
	To      string // a bare address
	Subject string
	Text    string
	HTML    string // the same content as HTML; "" sends only the text
	// Unsubscribe is an https address that stops mails of this kind when a mail program posts
	// to it (RFC 8058); "": none.
	Unsubscribe string
}

// Sender sends messages, each on a connection of its own. It is safe for concurrent
// use.
type Sender struct {
	config Config
	from   *mail.Address
	host   string
	port   int
}

// New checks the configuration without connecting. A user without TLS is an error.
func New(c Config) (*Sender, error) {
	host, service, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("read the mail server's address: %w", err)
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, fmt.Errorf("read the mail server's port: %w", err)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("read the sender's address: %w", err)
	}
	if from.Address, err = text.MailAddress(from.Address); err != nil {
		return nil, fmt.Errorf("read the domain of the sender's address: %w", err)
	}
	from.Name = cmp.Or(from.Name, c.Name)
	if c.TLS == NoTLS && c.User != "" {
		return nil, errors.New("mail: a password is not sent over an unprotected connection")
	}
	return &Sender{config: c, from: from, host: host, port: port}, nil
}

// Send sends m and returns when the server has accepted it. An error that wraps
// ErrRejected is permanent; any other error can be temporary.
func (s *Sender) Send(ctx context.Context, m Message) error {
	message, err := s.message(m)
	if err != nil {
		return err
	}
	return s.session(ctx, func(c *gomail.Client) error { return c.Send(message) })
}

// Check tests the settings without sending a message: it connects, encrypts the
// connection as configured, authenticates and disconnects.
func (s *Sender) Check(ctx context.Context) error {
	return s.session(ctx, func(*gomail.Client) error { return nil })
}

// session runs do in a session with the server, on a new connection. An error of the
// final QUIT is ignored, because the caller would send an accepted message again.
func (s *Sender) session(ctx context.Context, do func(*gomail.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := gomail.NewClient(s.host, s.options(ctx)...)
	if err != nil {
		return fmt.Errorf("configure the mail client: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return s.wrapTimeout(ctx, fmt.Errorf("connect to the mail server %s: %w", s.config.Server, err))
	}
	err = do(client)
	_ = client.Close()
	return s.wrapTimeout(ctx, wrapRejection(err))
}

// wrapTimeout names the server in the error of a session that took too long. Without it, the error is
// that of the connection which options closed.
func (s *Sender) wrapTimeout(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the mail server %s did not respond in time: %w: %w", s.config.Server, ctx.Err(), err)
	}
	return err
}

// options returns the settings of one session. When ctx ends, its connection is closed
// even if a command is in progress.
func (s *Sender) options(ctx context.Context) []gomail.Option {
	encryption := &tls.Config{ServerName: s.host, RootCAs: s.config.Roots, MinVersion: tls.VersionTLS12}
	dial := (&net.Dialer{}).DialContext
	if s.config.TLS == ImplicitTLS {
		dial = (&tls.Dialer{Config: encryption}).DialContext
	}
	policy := gomail.NoTLS
	if s.config.TLS == StartTLS {
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(timeout), gomail.WithTLSPolicy(policy),
		gomail.WithTLSConfig(encryption), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(dialing, network, address)
			if err == nil {
				context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		}),
	}
	if s.config.User == "" {
		return options
	}
	return append(options, gomail.WithUsername(s.config.User), gomail.WithPassword(s.config.Password),
		gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
}

// message builds the mail. It rejects input that could contain further commands: a
// line break in a header, or an invalid address.
func (s *Sender) message(m Message) (*gomail.Msg, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To {
		return nil, fmt.Errorf("%w: %q is not an address", ErrRejected, m.To)
	}
	if to.Address, err = text.MailAddress(to.Address); err != nil {
		return nil, fmt.Errorf("%w: %q has a domain that cannot exist", ErrRejected, m.To)
	}
	if strings.ContainsFunc(m.Subject, unicode.IsControl) {
		return nil, fmt.Errorf("%w: the subject %q contains a control character", ErrRejected, m.Subject)
	}
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	out.FromMailAddress(s.from)
	out.ToMailAddress(to)
	out.Subject(m.Subject)
	out.SetMessageIDWithValue(rand.Text() + "@" + s.domain())
	out.SetDate()
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Unsubscribe != "" {
		if strings.ContainsFunc(m.Unsubscribe, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
			return nil, fmt.Errorf("%w: the address to unsubscribe is not a URL", ErrRejected)
		}
		out.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+m.Unsubscribe+">")
		out.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	out.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return out, nil
}

// domain returns the sender's domain. Message ids contain it instead of the name of
// this machine.
func (s *Sender) domain() string {
	return s.from.Address[strings.LastIndexByte(s.from.Address, '@')+1:]
}

// wrapRejection wraps a permanent error about the recipient or the message with
// ErrRejected. A rejection of the sender is not permanent, because the operator can
// correct the settings.
func wrapRejection(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*gomail.SendError](err)
	if ok && e.ErrorCode() >= 500 && (e.Reason == gomail.ErrSMTPRcptTo || e.Reason == gomail.ErrSMTPDataClose) {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return fmt.Errorf("send a mail: %w", err)
}

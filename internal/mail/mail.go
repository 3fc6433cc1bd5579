// Package mail sends messages through the vendor's mail server.
//
// It stands beside both paths, at the end of what is told to people: notices
// to customers and the operator's test message. A message is handed over once
// and whole, or an error is returned; retrying is the caller's. It never falls
// back to an unprotected connection, never sends a password over one, and puts
// no secret into a message.
package mail

import (
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

// TLS is how the connection to the mail server is protected.
type TLS string

// The ways of protection.
const (
	StartTLS    TLS = "starttls" // asked for before anything is said; refused where it is not offered
	ImplicitTLS TLS = "tls"      // from the first byte
	NoTLS       TLS = "none"     // for a server on this machine
)

// ErrRefused means that the mail server refused the message for good: the same
// one to the same address will be refused again.
var ErrRefused = errors.New("mail: the server refused the message for good")

// timeout bounds one conversation with the server.
const timeout = 30 * time.Second

// Config says where messages are handed over. Server and From are required.
type Config struct {
	Server   string // host:port
	TLS      TLS
	User     string // "": without signing in
	Password string
	From     string         // "Acme API <keys@example.com>"
	Roots    *x509.CertPool // nil: the system's
}

// Message is one mail to one address.
type Message struct {
	To      string // a bare address
	Subject string
	Text    string
	HTML    string // the same for who sees it laid out; "" sends the text alone
}

// Sender hands messages over, each on a connection of its own. It is safe for
// concurrent use.
type Sender struct {
	config Config
	from   *mail.Address
	host   string
	port   int
}

// New checks the configuration and connects to nothing yet. A user without TLS
// is refused.
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
	if c.TLS == NoTLS && c.User != "" {
		return nil, errors.New("mail: a password is not sent over an unprotected connection")
	}
	return &Sender{config: c, from: from, host: host, port: port}, nil
}

// Send hands m over and returns once the server has taken it. An error that is
// ErrRefused is final; any other may pass.
func (s *Sender) Send(ctx context.Context, m Message) error {
	message, err := s.message(m)
	if err != nil {
		return err
	}
	return s.converse(ctx, func(c *gomail.Client) error { return c.Send(message) })
}

// Check reports whether the server takes messages of ours now: it connects,
// protects the connection, signs in and leaves.
func (s *Sender) Check(ctx context.Context) error {
	return s.converse(ctx, func(*gomail.Client) error { return nil })
}

// converse runs say in a conversation with the server, over a connection that
// ends with it. What the server says to the farewell is not asked for: a
// message that it has taken would be sent again.
func (s *Sender) converse(ctx context.Context, say func(*gomail.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := gomail.NewClient(s.host, s.options(ctx)...)
	if err != nil {
		return fmt.Errorf("prepare for the mail server: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("reach the mail server %s: %w", s.config.Server, err)
	}
	err = say(client)
	_ = client.Close()
	return explain(err)
}

// options are those of one connection, which is closed when ctx ends, in
// whatever state it is.
func (s *Sender) options(ctx context.Context) []gomail.Option {
	protect := &tls.Config{ServerName: s.host, RootCAs: s.config.Roots, MinVersion: tls.VersionTLS12}
	dial := (&net.Dialer{}).DialContext
	if s.config.TLS == ImplicitTLS {
		dial = (&tls.Dialer{Config: protect}).DialContext
	}
	policy := gomail.NoTLS
	if s.config.TLS == StartTLS {
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(timeout), gomail.WithTLSPolicy(policy),
		gomail.WithTLSConfig(protect), gomail.WithoutNoop(), gomail.WithoutRset(),
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

// message refuses what could say more than one thing to the server: a line
// break in a header, or an address that is none.
func (s *Sender) message(m Message) (*gomail.Msg, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To {
		return nil, fmt.Errorf("%w: %q is not an address", ErrRefused, m.To)
	}
	if to.Address, err = text.MailAddress(to.Address); err != nil {
		return nil, fmt.Errorf("%w: %q has a domain that cannot exist", ErrRefused, m.To)
	}
	if strings.ContainsFunc(m.Subject, unicode.IsControl) {
		return nil, fmt.Errorf("%w: the subject %q holds a control character", ErrRefused, m.Subject)
	}
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	out.FromMailAddress(s.from)
	out.ToMailAddress(to)
	out.Subject(m.Subject)
	out.SetMessageIDWithValue(rand.Text() + "@" + s.domain())
	out.SetDate()
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return out, nil
}

// domain is the sender's: the machine's own name is nobody's business.
func (s *Sender) domain() string {
	return s.from.Address[strings.LastIndexByte(s.from.Address, '@')+1:]
}

// explain marks what the server will not take later either. A sender that it
// refuses is the operator's to correct, so that message may go out yet.
func explain(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*gomail.SendError](err)
	if ok && e.ErrorCode() >= 500 && (e.Reason == gomail.ErrSMTPRcptTo || e.Reason == gomail.ErrSMTPDataClose) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("send a mail: %w", err)
}

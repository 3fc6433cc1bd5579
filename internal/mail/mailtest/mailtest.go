// Package mailtest provides a mail server for tests of any package. It speaks real
// SMTP on the loopback interface, with or without TLS, and keeps the messages.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options configure the server. The zero value accepts every message without
// encryption.
type Options struct {
	StartTLS bool // offer STARTTLS
	TLS      bool // use TLS from the first byte
	User     string
	Password string                       // if User is set, authentication is required
	Reject   func(to string) (status int) // rejects an address with an SMTP status; 0 accepts it
}

// Mail is an accepted message.
type Mail struct {
	From, To  string // of the envelope
	Data      string // header and body, lines end in \n
	Protected bool   // received over TLS
	User      string // the authenticated user
}

// Server is a running mail server. It ends with its test.
type Server struct {
	Addr  string         // host:port
	Roots *x509.CertPool // trusts the server's certificate

	options Options
	cert    *tls.Config

	mu    sync.Mutex
	mails []Mail
	plain []string // lines received without TLS
}

// Start starts a server that runs until the test ends.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), options: o}
	s.cert, s.Roots = certificate(tb)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { s.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		sessions.Wait()
	})
	return s
}

// Mails returns the messages accepted so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Unencrypted returns every line that the server received without TLS.
func (s *Server) Unencrypted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plain)
}

// session is one SMTP session.
type session struct {
	server *Server
	conn   net.Conn
	lines  *textproto.Conn
	mail   Mail // in transmission
	open   bool
}

// serve runs a session until the client disconnects, for at most a minute.
func (s *Server) serve(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c := &session{server: s, open: true}
	c.use(conn)
	if s.options.TLS {
		c.use(tls.Server(conn, s.cert))
		c.mail.Protected = true
	}
	defer conn.Close()
	c.reply("220 test ready")
	for c.open {
		line, err := c.lines.ReadLine()
		if err != nil {
			return
		}
		c.recordUnencrypted(line)
		verb, rest, _ := strings.Cut(line, " ")
		c.handle(strings.ToUpper(verb), rest)
	}
}

func (c *session) use(conn net.Conn) {
	c.conn, c.lines = conn, textproto.NewConn(conn)
}

func (c *session) reply(line string) { _ = c.lines.PrintfLine("%s", line) }

// recordUnencrypted records a received line, unless it was encrypted.
func (c *session) recordUnencrypted(line string) {
	if c.mail.Protected {
		return
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.plain = append(c.server.plain, line)
}

// handle executes one command.
func (c *session) handle(verb, rest string) {
	switch verb {
	case "EHLO":
		c.reply("250-test")
		if c.server.options.StartTLS && !c.mail.Protected {
			c.reply("250-STARTTLS")
		}
		if c.server.options.User != "" {
			c.reply("250-AUTH PLAIN")
		}
		c.reply("250 8BITMIME")
	case "STARTTLS":
		c.reply("220 go on")
		c.use(tls.Server(c.conn, c.server.cert))
		c.mail.Protected = true
	case "AUTH":
		c.signIn(rest)
	case "MAIL":
		c.mail.From = address(rest)
		if c.mail.User != c.server.options.User {
			c.reply("530 sign in first")
			return
		}
		c.reply("250 ok")
	case "RCPT":
		c.recipient(address(rest))
	case "DATA":
		c.data()
	case "QUIT":
		c.reply("221 bye")
		c.open = false
	default:
		c.reply("250 ok")
	}
}

// signIn executes AUTH PLAIN.
func (c *session) signIn(rest string) {
	o := c.server.options
	_, encoded, _ := strings.Cut(rest, " ")
	if text, _ := base64.StdEncoding.DecodeString(encoded); string(text) != "\x00"+o.User+"\x00"+o.Password {
		c.reply("535 no")
		return
	}
	c.mail.User = o.User
	c.reply("235 ok")
}

func (c *session) recipient(to string) {
	if reject := c.server.options.Reject; reject != nil {
		if code := reject(to); code != 0 {
			c.reply(fmt.Sprintf("%d not here", code))
			return
		}
	}
	c.mail.To = to
	c.reply("250 ok")
}

func (c *session) data() {
	c.reply("354 go on")
	text, err := io.ReadAll(c.lines.DotReader())
	if err != nil {
		c.open = false
		return
	}
	c.mail.Data = string(text)
	c.server.mu.Lock()
	c.server.mails = append(c.server.mails, c.mail)
	c.server.mu.Unlock()
	c.reply("250 taken")
}

// address returns the address in FROM:<…> or TO:<…>.
func address(rest string) string {
	_, rest, _ = strings.Cut(rest, "<")
	inside, _, _ := strings.Cut(rest, ">")
	return inside
}

// certificate returns a certificate for 127.0.0.1 and a pool that trusts it.
func certificate(tb testing.TB) (*tls.Config, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// Package mailtest is a mail server for tests of any package: a real SMTP
// conversation on loopback, with or without TLS, that keeps what it was told.
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

// Options are how the server behaves. The zero value takes every message in the
// open.
type Options struct {
	StartTLS bool // is offered
	TLS      bool // from the first byte
	User     string
	Password string                  // with User: nothing is taken without them
	Refuse   func(to string) (c int) // the status for an address; 0 takes it
}

// Mail is a message that was taken.
type Mail struct {
	From, To  string // of the envelope
	Data      string // header and body, lines end in \n
	Protected bool   // it came over TLS
	User      string // who was signed in
}

// Server is a running mail server. It ends with its test.
type Server struct {
	Addr  string         // host:port
	Roots *x509.CertPool // trusts the server's certificate

	options Options
	cert    *tls.Config

	mu    sync.Mutex
	mails []Mail
	open  []string
}

// Start runs a server until the test ends.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), options: o}
	s.cert, s.Roots = certificate(tb)
	var conversations sync.WaitGroup
	conversations.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conversations.Go(func() { s.converse(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		conversations.Wait()
	})
	return s
}

// Mails returns what was taken so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Overheard returns every line that was said to the server without protection.
func (s *Server) Overheard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}

// session is one conversation.
type session struct {
	server *Server
	conn   net.Conn
	lines  *textproto.Conn
	mail   Mail // being told
	goes   bool // to its end
}

// converse talks until the client leaves, at most a minute.
func (s *Server) converse(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c := &session{server: s, goes: true}
	c.take(conn)
	if s.options.TLS {
		c.take(tls.Server(conn, s.cert))
		c.mail.Protected = true
	}
	defer conn.Close()
	c.say("220 test ready")
	for c.goes {
		line, err := c.lines.ReadLine()
		if err != nil {
			return
		}
		c.hear(line)
		verb, rest, _ := strings.Cut(line, " ")
		c.answer(strings.ToUpper(verb), rest)
	}
}

func (c *session) take(conn net.Conn) {
	c.conn, c.lines = conn, textproto.NewConn(conn)
}

func (c *session) say(line string) { _ = c.lines.PrintfLine("%s", line) }

// hear keeps a line that others on the network could have read.
func (c *session) hear(line string) {
	if c.mail.Protected {
		return
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.open = append(c.server.open, line)
}

// answer does what one command asks for.
func (c *session) answer(verb, rest string) {
	switch verb {
	case "EHLO":
		c.say("250-test")
		if c.server.options.StartTLS && !c.mail.Protected {
			c.say("250-STARTTLS")
		}
		if c.server.options.User != "" {
			c.say("250-AUTH PLAIN")
		}
		c.say("250 8BITMIME")
	case "STARTTLS":
		c.say("220 go on")
		c.take(tls.Server(c.conn, c.server.cert))
		c.mail.Protected = true
	case "AUTH":
		c.signIn(rest)
	case "MAIL":
		c.mail.From = address(rest)
		if c.mail.User != c.server.options.User {
			c.say("530 sign in first")
			return
		}
		c.say("250 ok")
	case "RCPT":
		c.recipient(address(rest))
	case "DATA":
		c.data()
	case "QUIT":
		c.say("221 bye")
		c.goes = false
	default:
		c.say("250 ok")
	}
}

func (c *session) signIn(rest string) {
	o := c.server.options
	_, encoded, _ := strings.Cut(rest, " ")
	if text, _ := base64.StdEncoding.DecodeString(encoded); string(text) != "\x00"+o.User+"\x00"+o.Password {
		c.say("535 no")
		return
	}
	c.mail.User = o.User
	c.say("235 ok")
}

func (c *session) recipient(to string) {
	if refuse := c.server.options.Refuse; refuse != nil {
		if code := refuse(to); code != 0 {
			c.say(fmt.Sprintf("%d not here", code))
			return
		}
	}
	c.mail.To = to
	c.say("250 ok")
}

func (c *session) data() {
	c.say("354 go on")
	text, err := io.ReadAll(c.lines.DotReader())
	if err != nil {
		c.goes = false
		return
	}
	c.mail.Data = string(text)
	c.server.mu.Lock()
	c.server.mails = append(c.server.mails, c.mail)
	c.server.mu.Unlock()
	c.say("250 taken")
}

// address is what stands in the angle brackets of FROM:<…> or TO:<…>.
func address(rest string) string {
	_, rest, _ = strings.Cut(rest, "<")
	inside, _, _ := strings.Cut(rest, ">")
	return inside
}

// certificate makes one for 127.0.0.1 that the pool trusts.
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

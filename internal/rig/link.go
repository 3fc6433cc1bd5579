package rig

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// valve passes, holds or delays the bytes of one direction. Like a network that
// drops packets, it loses no held bytes while the connection is open.
type valve struct {
	shut  atomic.Pointer[chan struct{}]
	delay atomic.Int64
}

// close holds all bytes from now on.
func (v *valve) close() {
	c := make(chan struct{})
	v.shut.CompareAndSwap(nil, &c)
}

// open releases the held bytes.
func (v *valve) open() {
	if c := v.shut.Swap(nil); c != nil {
		close(*c)
	}
}

// pass waits until the bytes that were read last can be forwarded.
func (v *valve) pass() {
	time.Sleep(time.Duration(v.delay.Load()))
	for c := v.shut.Load(); c != nil; c = v.shut.Load() {
		<-*c
	}
}

// link is a node's only connection to the database: a TCP proxy with faults.
type link struct {
	listener    net.Listener
	target      func() string // host:port of the database now
	up, down    valve         // to the database, and from it
	last        atomic.Pointer[release]
	holdRenewal atomic.Bool            // close down at the next renewal
	renewal     atomic.Pointer[[]byte] // name of the renewal's prepared statement

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// release lets the sessions whose responses were held continue to the end of their
// transactions. All other sessions are held until over is closed.
type release struct {
	held *chan struct{} // the closing of the valve
	over chan struct{}
}

// session is one connection of a node.
type session struct {
	link  *link
	stuck atomic.Pointer[chan struct{}] // the closing that held its response
	spent atomic.Pointer[release]       // after which its transaction has ended
}

// hold blocks a session that must not continue until the last release is over.
func (s *session) hold() {
	if l := s.link.last.Load(); l != nil && (s.stuck.Load() != l.held || s.spent.Load() == l) {
		<-l.over
	}
}

// newLink opens a listener on an address of host. The link forwards nothing before
// serve.
func newLink(host string, target func() string) (*link, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for a node's connections to the database: %w", err)
	}
	return &link{listener: l, target: target, conns: map[net.Conn]bool{}}, nil
}

// address returns the database address for the node's configuration.
func (l *link) address() string { return l.listener.Addr().String() }

// port returns the port of address.
func (l *link) port() string {
	return strconv.Itoa(l.listener.Addr().(*net.TCPAddr).Port)
}

// serve forwards connections until ctx ends.
func (l *link) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		l.listener.Close()
		l.heal()
		l.reset()
	})
	defer stop()
	for {
		node, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.join(node)
	}
}

// join connects a node's connection to the database until either side closes it.
// While the link is cut, a node can still connect and then waits, as it would for
// lost packets.
func (l *link) join(node net.Conn) {
	defer node.Close()
	database, err := net.DialTimeout("tcp", l.target(), time.Second)
	if err != nil {
		return
	}
	defer database.Close()
	l.setOpen(node, database, true)
	defer l.setOpen(node, database, false)
	done, s := make(chan struct{}, 2), &session{link: l}
	go func() {
		s.pump(database, node, &l.up)
		done <- struct{}{}
	}()
	go func() {
		s.pump(node, database, &l.down)
		done <- struct{}{}
	}()
	<-done
}

// setOpen adds two connections to those that reset closes, or removes them.
func (l *link) setOpen(a, b net.Conn, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []net.Conn{a, b} {
		if open {
			l.conns[c] = true
		} else {
			delete(l.conns, c)
		}
	}
}

// pump copies one direction through its valve.
func (s *session) pump(to, from net.Conn, v *valve) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			if v == &s.link.down && v.shut.Load() != nil {
				s.stuck.Store(v.shut.Load())
			}
			if v == &s.link.up {
				s.watch(chunk[:n])
			}
			v.pass()
			s.hold()
			if isCommit(chunk[:n]) {
				s.spent.Store(s.link.last.Load())
			}
			_, failed := to.Write(chunk[:n])
			if failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// isCommit reports whether a response of the database ends a transaction. A renewal
// is a transaction of one statement.
func isCommit(response []byte) bool {
	return bytes.Contains(response, []byte("COMMIT\x00")) || bytes.Contains(response, []byte("UPDATE 1\x00"))
}

// watch detects renewals in the data sent to the database. The text of a prepared
// statement is sent once for each connection, later executions contain only its
// name.
func (s *session) watch(sent []byte) {
	if head, _, prepared := bytes.Cut(sent, []byte("beats = beats + 1")); prepared {
		if at := bytes.LastIndex(head, []byte("stmtcache_")); at >= 0 {
			name, _, _ := bytes.Cut(head[at:], []byte{0})
			name = bytes.Clone(name)
			s.link.renewal.Store(&name)
		}
		return
	}
	name := s.link.renewal.Load()
	if name == nil || !bytes.Contains(sent, *name) {
		return
	}
	if s.link.holdRenewal.CompareAndSwap(true, false) {
		s.link.down.close()
	}
}

// holdNextRenewal holds all responses from the next renewal on.
func (l *link) holdNextRenewal() { l.holdRenewal.Store(true) }

// releaseHeld releases the held responses, each session's up to the end of its
// transaction.
func (l *link) releaseHeld() {
	l.last.Store(&release{l.down.shut.Load(), make(chan struct{})})
	l.down.open()
}

// cut closes valves.
func (l *link) cut(valves ...*valve) {
	for _, v := range valves {
		v.close()
	}
}

// heal ends every fault of the link.
func (l *link) heal() {
	l.holdRenewal.Store(false)
	if last := l.last.Swap(nil); last != nil {
		close(last.over)
	}
	for _, v := range []*valve{&l.up, &l.down} {
		v.delay.Store(0)
		v.open()
	}
}

// reset closes every connection.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}

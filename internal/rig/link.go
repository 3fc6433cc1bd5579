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

// valve lets bytes of one direction pass, holds them back, or delays them. As
// in a network that drops packets, nothing held back is lost while its
// connection lives.
type valve struct {
	shut  atomic.Pointer[chan struct{}]
	delay atomic.Int64
}

// close holds bytes back from now on.
func (v *valve) close() {
	c := make(chan struct{})
	v.shut.CompareAndSwap(nil, &c)
}

// open lets go what was held back.
func (v *valve) open() {
	if c := v.shut.Swap(nil); c != nil {
		close(*c)
	}
}

// pass returns when the bytes read last may go on.
func (v *valve) pass() {
	time.Sleep(time.Duration(v.delay.Load()))
	for c := v.shut.Load(); c != nil; c = v.shut.Load() {
		<-*c
	}
}

// link is a node's only way to the database: a TCP proxy that can fail.
type link struct {
	listener net.Listener
	target   func() string // host:port of the database now
	up, down valve         // to the database, and from it
	last     atomic.Pointer[last]
	lurking  atomic.Bool            // for the next renewal
	renewal  atomic.Pointer[[]byte] // by which name the node's driver sends it

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// last is the end of holding answers back: a session whose answer was held
// goes on to the end of its transaction, all others stand still until over.
type last struct {
	held *chan struct{} // the closing that held answers back
	over chan struct{}
}

// session is one connection of a node's.
type session struct {
	link  *link
	stuck atomic.Pointer[chan struct{}] // the closing that held its answer back
	spent atomic.Pointer[last]          // under which its transaction has ended
}

// rest stands still when only others may go on.
func (s *session) rest() {
	if l := s.link.last.Load(); l != nil && (s.stuck.Load() != l.held || s.spent.Load() == l) {
		<-l.over
	}
}

// newLink binds an address of host. Nothing passes before serve.
func newLink(host string, target func() string) (*link, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for a node's connections to the database: %w", err)
	}
	return &link{listener: l, target: target, conns: map[net.Conn]bool{}}, nil
}

// address is what the node takes for the database.
func (l *link) address() string { return l.listener.Addr().String() }

// port is that of address.
func (l *link) port() string {
	return strconv.Itoa(l.listener.Addr().(*net.TCPAddr).Port)
}

// serve passes connections on until ctx ends.
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

// join connects a node's connection to the database until either side ends
// it. While the link is cut a node still connects and then waits, as it would
// for packets that are lost.
func (l *link) join(node net.Conn) {
	defer node.Close()
	database, err := net.DialTimeout("tcp", l.target(), time.Second)
	if err != nil {
		return
	}
	defer database.Close()
	l.keep(node, database, true)
	defer l.keep(node, database, false)
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

// keep remembers a pair of connections while it lives.
func (l *link) keep(a, b net.Conn, alive bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []net.Conn{a, b} {
		if alive {
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
			s.rest()
			if ended(chunk[:n]) {
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

// ended tells the database's word for the end of a transaction, which may be the
// one statement of a renewal.
func ended(answer []byte) bool {
	return bytes.Contains(answer, []byte("COMMIT\x00")) || bytes.Contains(answer, []byte("UPDATE 1\x00"))
}

// watch tells a renewal from all else that goes to the database: its text goes
// there once for each connection, under a name that stands for it from then on.
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
	if s.link.lurking.CompareAndSwap(true, false) {
		s.link.down.close()
	}
}

// lurk holds answers back from the next renewal on.
func (l *link) lurk() { l.lurking.Store(true) }

// finish lets go the answers that were held back, each session's to the end of
// its transaction and no further.
func (l *link) finish() {
	l.last.Store(&last{l.down.shut.Load(), make(chan struct{})})
	l.down.open()
}

// cut closes valves.
func (l *link) cut(valves ...*valve) {
	for _, v := range valves {
		v.close()
	}
}

// heal undoes every fault of the link.
func (l *link) heal() {
	l.lurking.Store(false)
	if last := l.last.Swap(nil); last != nil {
		close(last.over)
	}
	for _, v := range []*valve{&l.up, &l.down} {
		v.delay.Store(0)
		v.open()
	}
}

// reset breaks every connection.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}

package downstream

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopwatch measures how long something stands still.
type stopwatch struct {
	running bool
	mark    uint64
	at      time.Time // of the last check
	stood   time.Duration
}

// still returns how long the watch has been running with the same mark, without
// the time between two checks of which the later found it paused.
func (s *stopwatch) still(now time.Time, running, paused bool, mark uint64) time.Duration {
	switch {
	case !running || !s.running || mark != s.mark:
		*s = stopwatch{running: running, mark: mark}
	case !paused:
		s.stood += now.Sub(s.at)
	}
	s.at = now
	return s.stood
}

// check disconnects the client if it makes no progress. What the client has to do
// is, first, acknowledge what was sent. If all of it is acknowledged, an HTTP/2
// client may have to open a window for a response, or any client to send more
// of a body or of its next request's header.
func (c *Conn) check(now time.Time, limits Limits, draining bool) {
	waiting := unsent(c.socket)
	if c.sent.still(now, waiting > 0, false, acknowledged(c.socket, waiting)) >= limits.Write {
		c.abort()
		return
	}
	c.mu.Lock()
	streams, begun := slices.Collect(maps.Keys(c.streams)), c.begun
	unused := len(streams) == 0 && (c.state == http.StateNew || c.state == http.StateActive)
	c.mu.Unlock()
	if c.unused.still(now, unused && !c.closing.Load(), waiting > 0, begun) >= limits.Write {
		c.abort()
		return
	}
	var expired []verdict
	stuck := 0
	for _, x := range streams {
		v := x.check(now, limits, waiting > 0)
		if v.writes || v.reads && draining {
			stuck++
		}
		expired = append(expired, v)
	}
	if stuck > 0 && stuck == len(streams) {
		c.abort()
		return
	}
	for _, v := range expired {
		v.stream.expire(v)
	}
}

// unsent returns how many bytes the client has not acknowledged.
func unsent(s socket) int {
	n := 0
	control(s, func(fd int) { n, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
	return n
}

// acknowledged returns a number that changes with each acknowledgement while
// unsent bytes wait.
func acknowledged(s socket, unsent int) uint64 {
	if unsent == 0 {
		return 0
	}
	if _, tcp := s.(*net.TCPConn); !tcp {
		return uint64(unsent)
	}
	var acked uint64
	control(s, func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO); err == nil {
			acked = info.Bytes_acked
		}
	})
	return acked
}

// control runs f on the descriptor of an open socket.
func control(s syscall.Conn, f func(fd int)) {
	if raw, err := s.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

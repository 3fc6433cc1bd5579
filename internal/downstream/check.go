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

// stopwatch measures the time without progress.
type stopwatch struct {
	running bool
	mark    uint64        // changes with progress
	at      time.Time     // of the last check
	total   time.Duration // without progress
}

// stalled returns for how long the operation has been running while mark stayed the
// same. The interval before a check with paused set does not count.
func (s *stopwatch) stalled(now time.Time, running, paused bool, mark uint64) time.Duration {
	switch {
	case !running || !s.running || mark != s.mark:
		*s = stopwatch{running: running, mark: mark}
	case !paused:
		s.total += now.Sub(s.at)
	}
	s.at = now
	return s.total
}

// check disconnects the client if it makes no progress. A client must acknowledge the
// sent bytes first. When all bytes are acknowledged, the server can be waiting for
// more of a body or of a request's header, or on HTTP/2 for a window for a response.
// If only some streams of a connection have exceeded a limit, only their operations
// fail.
func (c *Conn) check(now time.Time, limits Limits, draining bool) {
	waiting := unacknowledged(c.socket)
	if c.sent.stalled(now, waiting > 0, false, acknowledged(c.socket, waiting)) >= limits.Write {
		c.abort()
		return
	}
	c.mu.Lock()
	streams, begun := slices.Collect(maps.Keys(c.streams)), c.begun
	unused := len(streams) == 0 && (c.state == http.StateNew || c.state == http.StateActive)
	c.mu.Unlock()
	if c.unused.stalled(now, unused && !c.closing.Load(), waiting > 0, begun) >= limits.Write {
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

// unacknowledged returns the number of sent bytes that the client has not
// acknowledged.
func unacknowledged(s socket) int {
	n := 0
	control(s, func(fd int) { n, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
	return n
}

// acknowledged returns a number that changes with each acknowledgement of the waiting
// bytes. It is 0 if no bytes wait.
func acknowledged(s socket, waiting int) uint64 {
	if waiting == 0 {
		return 0
	}
	if _, tcp := s.(*net.TCPConn); !tcp {
		return uint64(waiting)
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

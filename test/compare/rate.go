package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// responseTimeout is the longest wait for a response if no call is due meanwhile.
const responseTimeout = 10 * time.Second

// schedule has the times at which the calls of a fixed-rate load are due. They do not
// depend on responses.
type schedule struct {
	start    time.Time
	interval time.Duration // between two calls
	calls    int           // in total
}

// newSchedule returns the schedule of perSecond calls a second for a duration.
func newSchedule(start time.Time, perSecond int, d time.Duration) schedule {
	return schedule{start: start, interval: time.Second / time.Duration(perSecond), calls: int(d.Seconds() * float64(perSecond))}
}

// due returns the time at which call i is due.
func (s schedule) due(i int) time.Time { return s.start.Add(time.Duration(i) * s.interval) }

// percentile returns the smallest of the sorted latencies that at least p percent of
// them do not exceed, or 0 if there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(1, (len(sorted)*p+99)/100)-1]
}

// caller is one keep-alive connection of a fixed-rate load.
type caller struct {
	fd     int
	used   bool // a response was received
	due    time.Time
	buffer []byte // the response to the outstanding call
}

// generator sends calls at the times of a schedule: an open loop. One thread waits in
// ppoll for the next due time or response, because Go's timers, which wait in
// epoll_wait, are late by up to a millisecond.
type generator struct {
	schedule
	timeout   time.Duration // of waiting for a response
	requests  [][]byte      // sent in turn
	first     int           // index of the first request
	callers   []*caller
	idle      []*caller // the longest idle one first, so that all are used
	polled    []unix.PollFd
	sent      int
	received  int
	badStatus int
	latencies []time.Duration // of all calls except the first one on each connection
}

// generate runs the load generator of fixed-rate cases and prints its result.
func generate(args []string) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	target := flags.String("url", "", "URL to call")
	keys := flags.String("keys", "", "file of secrets")
	rate := flags.Int("rate", 0, "calls a second")
	connections := flags.Int("connections", 0, "number of connections")
	duration := flags.Duration("duration", 0, "length of the load")
	round := flags.Int("round", 0, "each round starts at another key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	u, err := url.Parse(*target)
	if err != nil {
		return err
	}
	address, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		return fmt.Errorf("-url needs an IPv4 address and a port: %w", err)
	}
	secrets, err := os.ReadFile(*keys)
	if err != nil {
		return err
	}
	g := &generator{timeout: responseTimeout}
	for secret := range strings.FieldsSeq(string(secrets)) {
		g.requests = append(g.requests, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", u.Path, u.Host, secret))
	}
	if *rate < 1 || *connections < 1 || len(g.requests) == 0 {
		return errors.New("-rate, -connections and the number of secrets must be at least 1")
	}
	g.first = *round * 7919 % len(g.requests)
	debug.SetGCPercent(-1) // a pause would delay calls; the process lives for seconds
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set the timer slack: %w", err)
	}
	defer g.close()
	if err := g.connect(address, *connections); err != nil {
		return err
	}
	g.schedule = newSchedule(time.Now(), *rate, *duration)
	if err := g.run(); err != nil {
		return err
	}
	line, err := json.Marshal(g.result(time.Since(g.start)))
	if err != nil {
		return err
	}
	fmt.Printf("RESULT %s\n", line)
	return nil
}

// connect opens n connections.
func (g *generator) connect(address netip.AddrPort, n int) error {
	to := &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open a socket: %w", err)
		}
		g.callers = append(g.callers, &caller{fd: fd})
		g.polled = append(g.polled, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return fmt.Errorf("set TCP_NODELAY: %w", err)
		}
		if err := unix.Connect(fd, to); err != nil {
			return fmt.Errorf("connect to %s: %w", address, err)
		}
	}
	g.idle = slices.Clone(g.callers)
	return nil
}

// close closes all connections.
func (g *generator) close() {
	for _, c := range g.callers {
		_ = unix.Close(c.fd)
	}
}

// run sends every call of the schedule and receives its response.
func (g *generator) run() error {
	for g.received < g.calls {
		if err := g.sendDue(time.Now()); err != nil {
			return err
		}
		timeout := unix.NsecToTimespec(int64(g.wait(time.Now())))
		n, err := unix.Ppoll(g.polled, &timeout, nil)
		if err == unix.EINTR { // for example a signal of Go's scheduler
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for responses: %w", err)
		}
		if n == 0 && g.wait(time.Now()) == g.timeout {
			return fmt.Errorf("no response in %v: %d of %d calls have one", g.timeout, g.received, g.sent)
		}
		for i, p := range g.polled {
			if p.Revents == 0 {
				continue
			}
			if err := g.receive(g.callers[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait returns the time until the next call is due. If all calls are sent, or all
// connections wait for a response, only a response can be next.
func (g *generator) wait(now time.Time) time.Duration {
	if g.sent == g.calls || len(g.idle) == 0 {
		return g.timeout
	}
	return max(0, g.due(g.sent).Sub(now))
}

// sendDue sends the calls that are due, as long as a connection is idle. A call that is
// sent late keeps its due time, so that its latency includes the delay.
func (g *generator) sendDue(now time.Time) error {
	for g.sent < g.calls && len(g.idle) > 0 && !g.due(g.sent).After(now) {
		c := g.idle[0]
		g.idle = g.idle[1:]
		c.due, c.buffer = g.due(g.sent), c.buffer[:0]
		request := g.requests[(g.first+g.sent)%len(g.requests)]
		if n, err := unix.Write(c.fd, request); err != nil {
			return fmt.Errorf("send call %d: %w", g.sent, err)
		} else if n < len(request) {
			return fmt.Errorf("send call %d: %d of %d bytes written", g.sent, n, len(request))
		}
		g.sent++
	}
	return nil
}

// receive reads from a connection that is readable, and records the latency if the
// response is complete.
func (g *generator) receive(c *caller) error {
	c.buffer = slices.Grow(c.buffer, 16<<10)
	n, err := unix.Read(c.fd, c.buffer[len(c.buffer):cap(c.buffer)])
	now := time.Now()
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a response: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("the server closed a connection after %d responses", g.received)
	}
	c.buffer = c.buffer[:len(c.buffer)+n]
	status, complete, err := parseResponse(c.buffer)
	if err != nil {
		return err
	}
	if !complete {
		return nil
	}
	if status >= 400 {
		g.badStatus++
	}
	if c.used {
		g.latencies = append(g.latencies, now.Sub(c.due))
	}
	c.used = true
	g.received++
	g.idle = append(g.idle, c)
	return nil
}

// parseResponse returns the status of a response and whether all of its bytes were
// received. It reads only responses with Content-Length on connections that stay open.
func parseResponse(received []byte) (status int, complete bool, err error) {
	head := bytes.Index(received, []byte("\r\n\r\n"))
	if head < 0 {
		return 0, false, nil
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(received)), nil)
	if err != nil {
		return 0, false, fmt.Errorf("parse a response: %w", err)
	}
	defer r.Body.Close()
	if r.ContentLength < 0 || r.Close {
		return 0, false, fmt.Errorf("unexpected form of response: %q", received[:head])
	}
	more := int64(head+len("\r\n\r\n")) + r.ContentLength - int64(len(received))
	if more < 0 {
		return 0, false, fmt.Errorf("%d bytes after the end of a response", -more)
	}
	return r.StatusCode, more == 0, nil
}

// result summarizes the load in the form of wrk's script.
func (g *generator) result(elapsed time.Duration) loadResult {
	slices.Sort(g.latencies)
	return loadResult{
		Requests: g.received, Micros: elapsed.Microseconds(), BadStatus: g.badStatus,
		P50: percentile(g.latencies, 50).Microseconds(), P99: percentile(g.latencies, 99).Microseconds(),
	}
}

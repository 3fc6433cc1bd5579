package doors

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// connect sends the request of c and returns its connection and the header of the response.
func (s *suite) connect(t *testing.T, c *Case) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, s.request(c)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, in, res
}

// checkStream fails t unless the client receives the first piece of a response before the
// back end sends the second one.
func (s *suite) checkStream(t *testing.T) {
	s.world.streaming.Lock() // the back end has one stream at a time
	defer s.world.streaming.Unlock()
	_, _, res := s.connect(t, &Case{Call: "GET " + streamPath, Key: "live"})
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	if line, err := body.ReadString('\n'); res.StatusCode != http.StatusOK || line != "one\n" {
		t.Fatalf("%d, %q, %v", res.StatusCode, line, err)
	}
	next, err := http.Get(s.world.BackEnd.URL + streamPath + "/next")
	if err != nil {
		t.Fatal(err)
	}
	next.Body.Close()
	if rest, err := io.ReadAll(body); string(rest) != "two\n" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if res.Header.Get("X-Ratelimit-Limit") == "" && !s.discards {
		t.Errorf("header %v", res.Header)
	}
}

// checkUpgrade fails t unless a WebSocket is carried with a key, and rejected without one.
func (s *suite) checkUpgrade(t *testing.T) {
	upgrade := Case{Call: "GET " + socketPath, Lines: []string{
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}}
	_, _, res := s.connect(t, &upgrade)
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key: %s", res.Status)
	}
	upgrade.Key = "live"
	conn, in, res := s.connect(t, &upgrade)
	if res.StatusCode != http.StatusSwitchingProtocols || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	var pong [4]byte
	if _, err := io.ReadFull(in, pong[:]); err != nil || string(pong[:]) != "ping" {
		t.Errorf("%q, %v", pong, err)
	}
}

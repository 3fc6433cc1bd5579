package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
)

// fakeNode is a server for nginx that fails as the path of a request says, and records
// the requests.
type fakeNode struct {
	net.Listener
	seen *seenCalls
}

// seenCalls holds the requests that reached any node.
type seenCalls struct {
	mu    sync.Mutex
	calls []*http.Request
}

func (s *seenCalls) add(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r)
}

func (s *seenCalls) take() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// startFakeNodes runs three nodes.
func startFakeNodes(t *testing.T) (addresses []string, seen *seenCalls) {
	t.Helper()
	seen = &seenCalls{}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		addresses = append(addresses, l.Addr().String())
		go (&fakeNode{l, seen}).serve()
	}
	return addresses, seen
}

func (n *fakeNode) serve() {
	for {
		conn, err := n.Accept()
		if err != nil {
			return
		}
		go n.call(conn)
	}
}

// call reads one request, then fails or responds.
func (n *fakeNode) call(conn net.Conn) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	n.seen.add(r)
	switch r.URL.Path {
	case "/v1/closes":
	case "/v1/half": // of a header
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Le")
	case "/v1/hangs":
		_, _ = io.Copy(io.Discard, br) // until nginx gives up
	case "/v1/leaseless":
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	case "/v1/cut":
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
	default:
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}
}

// Guarantee: with deploy/nginx.conf, nginx never repeats a call that a node may have charged,
// whatever its method. It sends a call to another node if no node received a byte of it.
func TestNginxRepeatsNothingCharged(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "nginx")
	addresses, seen := startFakeNodes(t)
	// Nodes may fail often, because the calls of this test make them fail.
	patience := []string{"proxy_read_timeout 75s", "proxy_read_timeout 300ms"}
	for range addresses {
		patience = append(patience, "max_fails=2", "max_fails=0")
	}
	front := startNginx(t, addresses, patience...)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST"} {
		for path, want := range map[string]int{"/v1/closes": 502, "/v1/half": 502, "/v1/hangs": 502, "/v1/ok": 200} {
			got := front.send(method+" "+path, "")
			if n := len(seen.take()); got.Status != want || n != 1 {
				t.Errorf("%s %s: %d %s, %d times; want %d, once", method, path, got.Status, got.Body, n, want)
			}
		}
	}
	if got := front.send("GET /v1/leaseless", ""); got.Status != http.StatusServiceUnavailable || len(seen.take()) != 3 {
		t.Errorf("a GET while no node has a lease: %d %s", got.Status, got.Body)
	}
	if got := front.send("POST /v1/leaseless", ""); got.Status != http.StatusServiceUnavailable || len(seen.take()) != 1 {
		t.Errorf("a POST to a node without a lease: %d %s", got.Status, got.Body)
	}
}

// Guarantee: as long as one of three nodes listens, calls succeed. When no node listens,
// callers get 503 with Retry-After.
func TestNginxWithoutNodes(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "nginx")
	addresses, seen := startFakeNodes(t)
	front := startNginx(t, []string{apptest.FreeAddress(t), addresses[1], apptest.FreeAddress(t)})
	for range 4 {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			got := front.send(method+" /v1/ok", "")
			if n := len(seen.take()); got.Status != http.StatusOK || n != 1 {
				t.Errorf("%s: %d %s, %d times", method, got.Status, got.Body, n)
			}
		}
	}
	front = startNginx(t, []string{apptest.FreeAddress(t), apptest.FreeAddress(t), apptest.FreeAddress(t)})
	for _, method := range []string{"GET", "POST"} {
		got := front.send(method+" /v1/ok", "")
		if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || !strings.Contains(string(got.Body), "UNAVAILABLE") {
			t.Errorf("%s without nodes: %d %v %s", method, got.Status, got.Header, got.Body)
		}
	}
}

// Guarantee: nginx rejects a body above its limit as a node rejects one above its own.
func TestNginxTooLarge(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "nginx")
	addresses, seen := startFakeNodes(t)
	conn := dialTLS(t, startNginx(t, addresses))
	_, _ = io.WriteString(conn, "POST /v1/ok HTTP/1.1\r\nHost: h\r\nContent-Length: 11000000\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || res.Header.Get("Content-Type") != "application/json" || !strings.Contains(string(body), "PAYLOAD_TOO_LARGE") {
		t.Errorf("%d %v %s, %v", res.StatusCode, res.Header, body, err)
	}
	if len(seen.take()) != 0 {
		t.Error("a node received the request")
	}
}

// Guarantee: no field in which a caller states an address reaches a node.
func TestNginxDropsClaims(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "nginx")
	addresses, seen := startFakeNodes(t)
	front := startNginx(t, addresses)
	r, err := http.NewRequestWithContext(t.Context(), "GET", front.url+"/v1/ok", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
		r.Header[name] = []string{"for=203.0.113.9", "for=203.0.113.10"}
	}
	if _, err := apptest.Exchange(front.client, r); err != nil {
		t.Fatal(err)
	}
	calls := seen.take()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(front.url, "https://"), ":")
	want := map[string][]string{"X-Forwarded-For": {from}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {host}, "Forwarded": nil}
	got := map[string][]string{}
	for name := range want {
		got[name] = calls[0].Header[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

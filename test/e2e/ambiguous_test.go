package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
)

// Guarantee: no listener reads a second request after one with both Content-Length and
// Transfer-Encoding. A proxy that reads such a request by its Content-Length could send
// the response to the second one to another client.
func TestAmbiguousLengthClosesConnection(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	for name, c := range map[string]struct{ network, address, path string }{
		"api":     {"tcp", strings.TrimPrefix(n.URL, "http://"), "/v1/creators/search"},
		"pages":   {"tcp", strings.TrimPrefix(n.URL, "http://"), "/account"},
		"private": {"unix", n.App.Addr("private"), "/operator/v1/keys/list"},
	} {
		conn, err := net.Dial(c.network, c.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "POST "+c.path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
			"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if _, err := r.ReadByte(); err != io.EOF || !res.Close {
			t.Errorf("%s: the connection stays open after %s (%v)", name, res.Status, err)
		}
	}
}

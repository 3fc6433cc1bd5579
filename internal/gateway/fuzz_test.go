package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// FuzzRequest sends random bytes. Guarantee: no request of a client causes an internal
// error.
func FuzzRequest(f *testing.F) {
	b := newBench(f, nil, nil)
	go func() {
		for range b.log.written {
		}
	}()
	key := "Authorization: Bearer " + goodKey
	for _, seed := range []string{
		request("GET", "/v1/creators/7", key),
		request("POST", "/v1/creators/search", key, "Content-Length: 2") + "hi",
		request("POST", "/v1/creators/search", key, "Transfer-Encoding: chunked") + "2\r\nhi\r\n0\r\n\r\n",
		request("GET", "/v1/paid", key, "Connection: Upgrade", "Upgrade: websocket"),
		request("OPTIONS", "*") + request("GET", "http://api.test/v1/creators/7", key),
		request("GET", "/v1/creators/7?authorization=Bearer%20"+goodKey, "X-Api-Key: "+goodKey),
		"GET /v1/creators/7 HTTP/1.0\r\n" + key + "\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, sent)
		_ = conn.(*net.TCPConn).CloseWrite()
		responses := bufio.NewReader(conn)
		for {
			res, err := http.ReadResponse(responses, nil)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, res.Body)
			// net/http's own: an unknown transfer coding or version.
			if s := res.StatusCode; s >= 500 && s != http.StatusNotImplemented && s != http.StatusHTTPVersionNotSupported {
				t.Errorf("%q: %s", sent, res.Status)
			}
		}
	})
}

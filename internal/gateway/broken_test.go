package gateway

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sends returns a handler that writes raw bytes on its connection and closes it.
func sends(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, raw)
	}
}

// broken is a response, as its caller receives it, that may break off.
type broken struct {
	Status  int
	Body    string
	Cut     bool // the response did not end
	Charged []int64
}

// Guarantee: a response that breaks off before the caller has received a byte is 502 and
// free. Otherwise the caller receives the bytes that arrived and the connection is
// closed, so that the caller detects the incomplete response.
func TestResponseBreaksOff(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		long := strings.Repeat("0123456789", 5000)
		const chunked = "Transfer-Encoding: chunked\r\n\r\n"
		free, paid := []int64{0}, []int64{3}
		for raw, want := range map[string]broken{
			"200 OK\r\nContent-Length: 100\r\n\r\n":                                           {502, "", false, free},
			"200 OK\r\nContent-Length: 100\r\n\r\nhello":                                      {502, "", false, free},
			"200 OK\r\nX-Toksta-Credit-Cost: 7\r\nContent-Length: 100\r\n\r\nhello":           {502, "", false, free},
			"404 Not Found\r\nContent-Length: 100\r\n\r\nhello":                               {502, "", false, free},
			"503 Service Unavailable\r\nContent-Length: 100\r\n\r\nhello":                     {502, "", false, free},
			"200 OK\r\n" + chunked:                                                            {502, "", false, free},
			"200 OK\r\n" + chunked + "5\r\n":                                                  {502, "", false, free},
			"200 OK\r\n" + chunked + "zz\r\n":                                                 {502, "", false, free},
			"200 OK\r\nContent-Type: text/event-stream\r\n" + chunked:                         {502, "", false, free},
			"404 Not Found\r\n" + chunked:                                                     {502, "", false, free},
			"500 Internal Server Error\r\n" + chunked + "5\r\n":                               {502, "", false, free},
			"200 OK\r\nTransfer":                                                              {502, "", false, free},
			"200 OK\r\n" + chunked + "5\r\nhello\r\n":                                         {200, "hello", true, paid},
			"200 OK\r\n" + chunked + "9\r\nhello":                                             {200, "hello", true, paid},
			"404 Not Found\r\n" + chunked + "5\r\nhello\r\n":                                  {404, "hello", true, free},
			"200 OK\r\nX-Toksta-Credit-Cost: 7\r\nContent-Length: 100000\r\n\r\n" + long:      {200, long, true, []int64{7}},
			"200 OK\r\nContent-Length: 5\r\n\r\nhello":                                        {200, "hello", false, paid},
			"200 OK\r\n" + chunked + "5\r\nhello\r\n0\r\n\r\n":                                {200, "hello", false, paid},
			"200 OK\r\n" + chunked + "0\r\n\r\n":                                              {200, "", false, paid},
			"200 OK\r\nConnection: close\r\n\r\n":                                             {200, "", false, paid},
			"200 OK\r\nConnection: close\r\n\r\nhello":                                        {200, "hello", false, paid},
			"204 No Content\r\n\r\n":                                                          {204, "", false, paid},
			"200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: 1\n": {200, "data: 1\n", true, paid},
		} {
			b := newBench(t, sends("HTTP/1.1 "+raw), func(c *Config) { c.Upstreams[0].Opening = time.Minute })
			conn := b.dial()
			_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%.60q: %v", raw, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = conn.Close()
			got := broken{Status: res.StatusCode, Body: string(body), Cut: err != nil}
			if got.Status == http.StatusBadGateway && strings.Contains(got.Body, `"UPSTREAM_ERROR"`) {
				got.Body = ""
			}
			_, got.Charged = b.engine.take()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%.60q (-want +got)\n%s", raw, diff)
			}
		}
	})
}

// Guarantee: the header of a stream is sent after a limited time without a byte of the
// body. If the stream breaks off afterwards, the call is charged.
func TestStreamOpensSlowly(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		open := make(chan struct{})
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-open:
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		}, nil)
		conn := b.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", res, err)
		}
		close(open)
		if body, err := io.ReadAll(res.Body); err == nil || len(body) > 0 {
			t.Errorf("%q, %v", body, err)
		}
		if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 3 {
			t.Errorf("charged %v", charged)
		}
	})
}

// Guarantee: a response without a Content-Type gets none. A guessed type could turn text
// into a page in the origin of the account pages.
func TestContentTypeIsNotAdded(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		for raw, want := range map[string][]string{
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":                                               nil,
			"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>":                                    nil,
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>":                                           nil,
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}": nil,
			"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}":                          {"a/b"},
			"HTTP/1.1 200 OK\r\nContent-Type: \r\nContent-Length: 2\r\n\r\n{}":                             {""},
		} {
			b := newBench(t, sends(raw), nil)
			conn := b.dial()
			_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
			br := bufio.NewReader(conn)
			res, err := http.ReadResponse(br, nil)
			if err == nil && res.StatusCode == http.StatusEarlyHints {
				res, err = http.ReadResponse(br, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, res.Header["Content-Type"]); diff != "" {
				t.Errorf("%q: Content-Type (-want +got)\n%s", raw, diff)
			}
			_ = conn.Close()
		}
	})
}

package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wire is a connection on which the upstream sends fixed bytes in pieces of one size, then
// closes. It discards everything that is written.
type wire struct {
	net.Conn
	rest  []byte
	piece int
}

func (w *wire) Read(p []byte) (int, error) {
	if len(w.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.rest[:min(len(w.rest), w.piece)])
	w.rest = w.rest[n:]
	return n, nil
}

func (w *wire) Write(p []byte) (int, error)     { return len(p), nil }
func (w *wire) Close() error                    { return nil }
func (w *wire) SetDeadline(time.Time) error     { return nil }
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// exchangeOn returns an exchange that has sent its request on a wire.
func exchangeOn(c *Client, method, sent string, piece int) *Exchange {
	x := c.Begin(method, "/", "h")
	x.ctx = context.Background()
	x.conn = &conn{Conn: &wire{rest: []byte(sent), piece: piece}}
	return x
}

func testClient() *Client {
	return New(Config{Progress: time.Minute, Idle: time.Minute, Age: time.Minute, Now: time.Now})
}

// result is a response as read from a wire.
type result struct {
	Status  int
	Body    string
	Trailer []Field
	Err     bool // in the header
	Cut     bool // in the body
	Reused  bool // the connection can carry another exchange
}

// drain reads the whole response.
func drain(x *Exchange) (r result) {
	for x.head.status < 200 {
		if err := x.Receive(); err != nil {
			return result{Err: true}
		}
	}
	r.Status = x.Status()
	body, err := readBody(x)
	r.Body, r.Cut = string(body), err != nil
	if err == nil {
		r.Trailer = append(r.Trailer, x.Trailer()...)
	}
	// isQuiet sees bytes that have not been read.
	r.Reused = x.isComplete() && len(x.conn.Conn.(*wire).rest) == 0
	return r
}

// readBody reads the body to its end.
func readBody(x *Exchange) (body []byte, err error) {
	for {
		piece, err := x.Piece()
		switch body = append(body, piece...); {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		case piece != nil:
			continue
		}
		if err := x.Fill(); err != nil {
			return body, err
		}
	}
}

const (
	okLine      = "HTTP/1.1 200 OK\r\n"
	chunkedHead = okLine + "Transfer-Encoding: chunked\r\n\r\n"
)

// checkResponses reads responses that arrive at once, in pieces, and byte by byte.
func checkResponses(t *testing.T, table map[string]result) {
	t.Helper()
	for sent, want := range table {
		for _, piece := range []int{1, 7, 1 << 20} {
			x := exchangeOn(testClient(), http.MethodGet, sent, piece)
			if diff := cmp.Diff(want, drain(x)); diff != "" {
				t.Errorf("%.90q in pieces of %d (-want +got)\n%s", sent, piece, diff)
			}
			x.Close()
		}
	}
}

// Guarantee: a response is read to its end and no further.
func TestResponses(t *testing.T) {
	t.Parallel()
	const ok, chunked = okLine, chunkedHead
	whole := func(status int, body string) result { return result{Status: status, Body: body, Reused: true} }
	closed := func(body string) result { return result{Status: 200, Body: body} }
	checkResponses(t, map[string]result{
		ok + "Content-Length: 5\r\n\r\nhello":                                                                    whole(200, "hello"),
		ok + "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n":                                             closed("hello"),
		ok + "Content-Length: 0\r\n\r\n":                                                                         whole(200, ""),
		ok + "content-length: \t5 \r\n\r\nhello":                                                                 whole(200, "hello"),
		ok + "\r\nhello":                                                                                         closed("hello"),
		ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello":                                               closed("hello"),
		ok + "Connection: a, CLOSE\r\nContent-Length: 0\r\n\r\n":                                                 closed(""),
		"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello":                                                      closed("hello"),
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello":                            whole(200, "hello"),
		"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n":                                                              whole(200, ""),
		"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n":                                                            whole(999, ""),
		"HTTP/1.1 204 No Content\r\n\r\n":                                                                        whole(204, ""),
		"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n":                                                   whole(204, ""),
		"HTTP/1.1 204 No Content\r\n\r\nbody":                                                                    {Status: 204},
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n":                                                 whole(304, ""),
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody":                                             {Status: 304},
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx": whole(200, "x"),
		chunked + "5\r\nhello\r\n0\r\n\r\n":                                                                      whole(200, "hello"),
		chunked + "00005;a=\"b;c\"\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n":                                     whole(200, "hello0123456789"),
		chunked + "0\r\nGrpc-Status: 0\r\nx-a:  b \r\n\r\n":                                                      {Status: 200, Trailer: []Field{{"Grpc-Status", "0"}, {"X-A", "b"}}, Reused: true},
		chunked + "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n":                                                             closed(""),
		ok + "Transfer-Encoding: Chunked\r\nTrailer: X-A\r\n\r\n0\r\nX-A: b\r\n\r\n":                             {Status: 200, Trailer: []Field{{"X-A", "b"}}, Reused: true},
		ok + "Content-Length: 5\r\n\r\nhell":                                                                     {Status: 200, Body: "hell", Cut: true},
	})
}

// Guarantee: a header that two parsers could read differently is an error.
func TestAmbiguousHeaders(t *testing.T) {
	t.Parallel()
	const ok = okLine
	rejected := result{Err: true}
	checkResponses(t, map[string]result{
		// The end of the body is ambiguous.
		ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello":     rejected,
		ok + "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello":    rejected,
		ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello":              rejected,
		ok + "Content-Length: 5, 5\r\n\r\nhello":                                rejected,
		ok + "Content-Length: +5\r\n\r\nhello":                                  rejected,
		ok + "Content-Length: -5\r\n\r\nhello":                                  rejected,
		ok + "Content-Length: 0x5\r\n\r\nhello":                                 rejected,
		ok + "Content-Length: 5 5\r\n\r\nhello":                                 rejected,
		ok + "Content-Length:\r\n\r\nhello":                                     rejected,
		ok + "Content-Length: 1234567890123456789\r\n\r\nhello":                 rejected,
		ok + "Transfer-Encoding: gzip, chunked\r\n\r\n":                         rejected,
		ok + "Transfer-Encoding: chunked, identity\r\n\r\n":                     rejected,
		ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n": rejected,
		ok + "Transfer-Encoding: \"chunked\"\r\n\r\n":                           rejected,
		ok + "Transfer-Encoding: chunked;a\r\n\r\n":                             rejected,
		ok + "Transfer-Encoding:\r\n\r\n":                                       rejected,
		ok + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n":    rejected,
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":        rejected,
		"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody":              rejected,
		"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n":         rejected,
		"HTTP/1.1 103 Hints\r\nContent-Length: 4\r\n\r\nbody":                   rejected,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n":                rejected,

		// The lines of the header are ambiguous.
		ok + "X-A: b\n\r\n":                              rejected,
		"HTTP/1.1 200 OK\nX-A: b\r\n\r\n":                rejected,
		ok + "X-A: b\r\n\n":                              rejected,
		ok + "X-A: b\rX-B: c\r\n\r\n":                    rejected,
		ok + "\rX-A: b\r\n\r\n":                          rejected,
		ok + "X-A: b\r\n c\r\n\r\n":                      rejected,
		ok + " X-A: b\r\n\r\n":                           rejected,
		ok + "X-A : b\r\n\r\n":                           rejected,
		ok + "X A: b\r\n\r\n":                            rejected,
		ok + ": b\r\n\r\n":                               rejected,
		ok + "X-A\r\n\r\n":                               rejected,
		ok + "X-A: b\x00\r\n\r\n":                        rejected,
		ok + "X-A: \x7f\r\n\r\n":                         rejected,
		ok + "X-\x80: b\r\n\r\n":                         rejected,
		ok + "X-A: b":                                    rejected,
		"":                                               rejected,
		"HTTP/1.1 20 OK\r\n\r\n":                         rejected,
		"HTTP/1.1 2000 OK\r\n\r\n":                       rejected,
		"HTTP/1.1 +20 OK\r\n\r\n":                        rejected,
		"HTTP/1.1 099 OK\r\n\r\n":                        rejected,
		"HTTP/1.1  200 OK\r\n\r\n":                       rejected,
		"HTTP/1.1 200 O\x00K\r\n\r\n":                    rejected,
		"HTTP/1.2 200 OK\r\n\r\n":                        rejected,
		"HTTP/2.0 200 OK\r\n\r\n":                        rejected,
		"http/1.1 200 OK\r\n\r\n":                        rejected,
		"\r\nHTTP/1.1 200 OK\r\n\r\n":                    rejected,
		"220 mail.test ESMTP\r\n":                        rejected,
		ok + strings.Repeat("X-A: b\r\n", 1001) + "\r\n": rejected,
		ok + "X-A: " + strings.Repeat("b", maxHead) + "\r\n\r\n": rejected,
	})
}

// Guarantee: a chunked body that breaks off or that two parsers could read differently is
// never taken for a whole one.
func TestAmbiguousChunks(t *testing.T) {
	t.Parallel()
	const chunked = chunkedHead
	cut := func(body string) result { return result{Status: 200, Body: body, Cut: true} }
	checkResponses(t, map[string]result{
		// The chunks are ambiguous.
		chunked:                                                                 cut(""),
		chunked + "5\r\nhello\r\n":                                              cut("hello"),
		chunked + "5\r\nhel":                                                    cut("hel"),
		chunked + "5\r\nhello\r\n0\r\n":                                         cut("hello"),
		chunked + "5\r\nhelloo\r\n":                                             cut("hello"),
		chunked + "5\nhello\r\n":                                                cut(""),
		chunked + "5\r\nhello\n0\r\n\r\n":                                       cut("hello"),
		chunked + "5 \r\nhello\r\n0\r\n\r\n":                                    cut(""),
		chunked + " 5\r\nhello\r\n0\r\n\r\n":                                    cut(""),
		chunked + "+5\r\nhello\r\n0\r\n\r\n":                                    cut(""),
		chunked + "-5\r\nhello\r\n0\r\n\r\n":                                    cut(""),
		chunked + "0x5\r\nhello\r\n0\r\n\r\n":                                   cut(""),
		chunked + "5_0\r\nhello\r\n0\r\n\r\n":                                   cut(""),
		chunked + "\r\nhello\r\n0\r\n\r\n":                                      cut(""),
		chunked + ";a\r\nhello\r\n0\r\n\r\n":                                    cut(""),
		chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n":                                cut(""),
		chunked + "8000000000000000\r\n":                                        cut(""),
		chunked + "10000000000000005\r\nhello\r\n":                              cut(""),
		chunked + "5;" + strings.Repeat("a", 255):                               cut(""),
		chunked + "0\r\nX-A: b\n\r\n":                                           cut(""),
		chunked + "0\r\nX-A : b\r\n\r\n":                                        cut(""),
		chunked + "0\r\nContent-Length: 5\r\n\r\n":                              cut(""),
		chunked + "0\r\n" + strings.Repeat("X-A: b\r\n", 1025) + "\r\n":         cut(""),
		chunked + strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\nx\r\n", 90): cut(strings.Repeat("x", 88)),
	})
}

// Guarantee: the response to HEAD has no body, whatever length its header states.
func TestHead(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]result{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n":                               {Status: 200, Reused: true},
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n":                      {Status: 200, Reused: true},
		"HTTP/1.1 200 OK\r\n\r\n":                                                    {Status: 200, Reused: true},
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":                          {Status: 200},
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n": {Err: true},
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n":          {Err: true},
	} {
		if diff := cmp.Diff(want, drain(exchangeOn(testClient(), http.MethodHead, sent, 1<<20))); diff != "" {
			t.Errorf("%q (-want +got)\n%s", sent, diff)
		}
	}
}

// Guarantee: no value from a client or from the configuration can add a line to a request.
func TestRequestSplitting(t *testing.T) {
	t.Parallel()
	begin := func(method, target, host string) *Exchange { return testClient().Begin(method, target, host) }
	set := func(name, value string) *Exchange {
		x := begin("GET", "/", "h")
		x.Set(name, value)
		return x
	}
	for name, x := range map[string]*Exchange{
		"method": begin("GET / HTTP/1.1\r\nA:", "/", "h"), "no method": begin("", "/", "h"),
		"space": begin("GET", "/a b", "h"), "line": begin("GET", "/\r\nX: y", "h"), "NUL": begin("GET", "/\x00", "h"),
		"host": begin("GET", "/", "h\r\nX: y"), "no host": begin("GET", "/", ""),
		"value": set("X-A", "b\r\nX-B: c"), "LF": set("X-A", "b\nX-B: c"), "field NUL": set("X-A", "\x00"),
		"name": set("X-A: b\r\nX-B", "c"), "name with a space": set("X-A ", "c"),
	} {
		if err := x.Send(t.Context(), nil, 0); err == nil || x.conn != nil {
			t.Errorf("%s: sent %q", name, x.out)
		}
	}
}

// Guarantee: the header of a request is complete before its body, and its length is
// stated once.
func TestRequestHead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		length int64
		want   string
	}{
		{"GET", 0, "\r\n"},
		{"POST", 0, "Content-Length: 0\r\n\r\n"},
		{"POST", 5, "Content-Length: 5\r\n\r\nhello"},
		{"DELETE", -1, "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	} {
		client := New(Config{
			Dial:     func(context.Context) (net.Conn, error) { return nil, errors.New("never") },
			Progress: time.Minute, Age: time.Minute, Now: time.Now,
		})
		near, far := net.Pipe()
		client.config.Dial = func(context.Context) (net.Conn, error) { return near, nil }
		received := make(chan string, 1)
		go func() {
			var b bytes.Buffer
			_, _ = io.CopyN(&b, far, int64(len(c.method+" /a?b HTTP/1.1\r\nHost: h\r\nX-A: b\r\n"+c.want)))
			received <- b.String()
		}()
		x := client.Begin(c.method, "/a?b", "h")
		x.Set("X-A", "b")
		if err := x.Send(t.Context(), strings.NewReader("hello"), c.length); err != nil {
			t.Fatal(err)
		}
		if got, want := <-received, c.method+" /a?b HTTP/1.1\r\nHost: h\r\nX-A: b\r\n"+c.want; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		x.Close()
	}
}

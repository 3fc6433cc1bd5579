package upstream

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// parsed is a response as one of the parsers read it.
type parsed struct {
	Status  int
	Header  http.Header
	Length  int64
	Close   bool
	Body    string
	Trailer http.Header
}

// Guarantee: whatever this package accepts, the standard library accepts with the same
// status, header, length and end. A response that two parsers read differently could
// smuggle another one.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nPragma: no-cache\r\n\r\nhello",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nX-A: \t b \r\nx-a: c\r\n\r\n",
		"HTTP/1.1 200\r\nX-A: b\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A : b\rX-B: c\r\n\r\n",
	} {
		f.Add([]byte(seed), false, uint16(1<<15))
		f.Add([]byte(seed), true, uint16(1))
	}
	client := testClient()
	f.Fuzz(func(t *testing.T, sent []byte, head bool, piece uint16) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		x := exchangeOn(client, method, string(sent), max(int(piece), 1))
		defer x.Close()
		theirs := bufio.NewReader(bytes.NewReader(sent))
		for {
			if x.Receive() != nil {
				return
			}
			res, err := http.ReadResponse(theirs, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("the standard library rejects %q: %v", sent, err)
			}
			if x.Status() >= 200 {
				compare(t, x, res)
				return
			}
			if diff := cmp.Diff(standard(x.Fields(), res), res.Header); diff != "" || x.Status() != res.StatusCode {
				t.Fatalf("%d and %d (-ours +theirs)\n%s", x.Status(), res.StatusCode, diff)
			}
		}
	})
}

// compare compares a final response.
func compare(t *testing.T, x *Exchange, res *http.Response) {
	ours := parsed{Status: x.Status(), Header: standard(x.Fields(), res), Length: x.Length(), Close: x.head.close}
	theirs := parsed{Status: res.StatusCode, Header: res.Header, Length: res.ContentLength, Close: res.Close}
	if x.head.frame == frameNone {
		ours.Length = res.ContentLength // the standard library returns that of the header
		if res.Body != http.NoBody {
			t.Fatalf("a body in a response without one: %+v", res)
		}
	}
	if diff := cmp.Diff(ours, theirs, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("(-ours +theirs)\n%s", diff)
	}
	body, err := readBody(x)
	theirBody, theirErr := io.ReadAll(res.Body)
	if err == nil && (theirErr != nil || string(body) != string(theirBody)) {
		t.Fatalf("body %q, theirs %q, %v", body, theirBody, theirErr)
	}
	maps.DeleteFunc(res.Trailer, func(_ string, v []string) bool { return v == nil }) // announced only
	if diff := cmp.Diff(headerOf(x.Trailer()), res.Trailer, cmpopts.EquateEmpty()); err == nil && diff != "" {
		t.Fatalf("trailer (-ours +theirs)\n%s", diff)
	}
}

// standard returns fields as the standard library returns them, which removes some.
func standard(fields []Field, res *http.Response) http.Header {
	h := headerOf(fields)
	if p := h["Pragma"]; len(p) > 0 && p[0] == "no-cache" && h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
	if len(res.TransferEncoding) > 0 {
		delete(h, "Trailer")
	}
	delete(h, "Transfer-Encoding")
	if res.Close && res.ProtoMinor == 1 && res.Header["Connection"] == nil {
		delete(h, "Connection")
	}
	return h
}

func headerOf(fields []Field) http.Header {
	h := http.Header{}
	for _, f := range fields {
		h[f.Name] = append(h[f.Name], f.Value)
	}
	return h
}

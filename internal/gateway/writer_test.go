package gateway

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Guarantee: an upstream can set none of this system's fields in an informational response
// or in a trailer, announced or not.
func TestForbiddenFieldsInHintsAndTrailers(t *testing.T) {
	t.Parallel()
	ours := []string{"X-Request-Id", "X-Ratelimit-Limit", "X-Toksta-Credit-Cost", "X_toksta+Plan"}
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range append(ours, "X-Kept") {
			w.Header().Set(name, "theirs")
		}
		w.WriteHeader(http.StatusEarlyHints)
		clear(w.Header())
		w.Header().Set("Trailer", "X-Kept, X-Request-Id")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Kept", "theirs")
		w.Header().Set("X-Request-Id", "theirs")
		for _, name := range ours[1:] {
			w.Header().Set(http.TrailerPrefix+name, "theirs")
		}
	}, nil)
	conn := b.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, request("GET", "/v1/creators/7", "Authorization: Bearer "+goodKey, "TE: trailers"))
	br := bufio.NewReader(conn)
	hint, err := http.ReadResponse(br, nil)
	if err != nil || hint.StatusCode != http.StatusEarlyHints {
		t.Fatalf("%v, %v", hint, err)
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	for where, h := range map[string]http.Header{"early": hint.Header, "trailer": res.Trailer} {
		for name, values := range h {
			if name != "X-Kept" && strings.Contains(strings.Join(values, ","), "theirs") {
				t.Errorf("%s: %s: %v", where, name, values)
			}
		}
		if h.Get("X-Kept") != "theirs" {
			t.Errorf("%s lost a field of the upstream: %v", where, h)
		}
	}
}

// Guarantee: a Tracestate without its Traceparent is not forwarded, because it would be
// attributed to the trace context of this system.
func TestTraceState(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		const parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
		b := newBench(t, nil, nil)
		for _, test := range []struct{ sent, want string }{
			{"", ""}, {"X-Trace-Id: mine", ""}, {"Traceparent: nonsense", ""}, {"Traceparent: " + parent, "vendor=1"},
		} {
			lines := []string{"Tracestate: vendor=1"}
			if test.sent != "" {
				lines = append(lines, test.sent)
			}
			b.get("/v1/creators/7", lines...)
			if seen := b.forwarded(); len(seen) != 1 || seen[0].Header.Get("Tracestate") != test.want {
				t.Errorf("beside %q: %v", test.sent, seen[0].Header)
			}
		}
	})
}

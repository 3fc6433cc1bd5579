package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/toksta"
)

// denyAll rejects every call at once.
type denyAll struct{ admitAll }

func (denyAll) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	return toksta.Decision{Route: c.Route, Rejection: toksta.Rejection{Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree}}
}

// discardWriter discards a response and allocates nothing.
type discardWriter struct{ header http.Header }

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *discardWriter) WriteHeader(int)             {}

// rejecting returns a gateway that rejects every call, and a request to it.
func rejecting(tb testing.TB, authorization string) (http.Handler, *http.Request) {
	tb.Helper()
	g, err := New(Config{Routes: testRoutes[1:2], Upstreams: []Upstream{{Name: "main", URL: parseURL(tb, "http://127.0.0.1:1")}}, Engine: denyAll{}})
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/creators/7", nil)
	r.Header.Set("Authorization", authorization)
	return telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g), r
}

// A flood of rejected calls must not cost more memory than it has to: garbage
// collection would slow the admitted ones. The race detector empties pools at
// random, so the limit is a little higher with it.
func TestRejectionAllocations(t *testing.T) {
	for name, authorization := range map[string]string{"401": "Bearer", "403": "Bearer " + goodKey} {
		h, r := rejecting(t, authorization)
		w := &discardWriter{http.Header{}}
		if n := testing.AllocsPerRun(200, func() { clear(w.header); h.ServeHTTP(w, r) }); n > float64(20+raceAllocations) {
			t.Errorf("%s: %v allocations, want at most %d", name, n, 20+raceAllocations)
		}
	}
}

// BenchmarkRejection measures a 403 from the handler of a connection on, with the
// record and without the network.
func BenchmarkRejection(b *testing.B) {
	h, r := rejecting(b, "Bearer "+goodKey)
	w := &discardWriter{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

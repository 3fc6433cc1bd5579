package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/toksta"
)

// admitAll admits every call.
type admitAll struct{}

func (admitAll) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	return toksta.Decision{Route: c.Route, Rate: toksta.RateState{Limit: 1}}
}

func (admitAll) End(*toksta.Decision) {}

func (admitAll) Charge(*toksta.Decision, toksta.Call, int64) (charge toksta.Charge, owed int64) {
	return
}

// BenchmarkGateway measures a GET through the gateway and, in turns, through a bare
// reverse proxy to the same upstream. The metric x/bare is the ratio of the two.
func BenchmarkGateway(b *testing.B) {
	e := newBench(b, nil, nil)
	u := e.upstream
	u.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	base := parseURL(b, u.URL)
	bare := &httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(base) },
		Transport: Upstream{URL: base}.transport(),
	}
	g, err := New(Config{Routes: testRoutes[1:2], Upstreams: []Upstream{{Name: "main", URL: base}}, Engine: admitAll{}})
	if err != nil {
		b.Fatal(err)
	}
	ours := telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g)
	r := httptest.NewRequest("GET", "/v1/creators/7", nil)
	r.Header.Set("Authorization", "Bearer "+goodKey)
	took := func(h http.Handler) time.Duration {
		start := time.Now()
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
		return time.Since(start)
	}
	var plain, walked time.Duration
	for b.Loop() {
		plain += took(bare)
		walked += took(ours)
	}
	b.ReportMetric(float64(plain.Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(walked.Nanoseconds())/float64(b.N), "walk-ns/op")
	b.ReportMetric(float64(walked)/float64(plain), "x/bare")
}

// countingContext counts lookups of the exchange.
type countingContext struct {
	context.Context
	lookups *atomic.Int64
}

func (c countingContext) Value(key any) any {
	v := c.Context.Value(key)
	if _, ok := v.(*exchange.Exchange); ok {
		c.lookups.Add(1)
	}
	return v
}

// Guarantee: a proxied request fetches its exchange from the context once. The stages pass
// it on as an argument, so that their dependency on it is visible.
func TestExchangeIsFetchedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	g, err := New(Config{Routes: testRoutes[1:2], Upstreams: []Upstream{{Name: "main", URL: parseURL(t, b.upstream.URL)}}, Engine: admitAll{}})
	if err != nil {
		t.Fatal(err)
	}
	var lookups atomic.Int64
	h := telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r.WithContext(countingContext{r.Context(), &lookups}))
	}))
	r := httptest.NewRequest(http.MethodGet, "/v1/creators/1", nil)
	r.Header.Set("Authorization", "Bearer "+goodKey)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK || len(b.forwarded()) != 1 || lookups.Load() != 1 {
		t.Errorf("status %d, %d lookups, want one of a forwarded call", w.Code, lookups.Load())
	}
}

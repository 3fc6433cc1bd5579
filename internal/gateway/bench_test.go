package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/telemetry"
)

// admitAll decides at once and keeps nothing.
type admitAll struct{}

func (admitAll) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	return toksta.Decision{Route: c.Route, Rate: toksta.RateState{Limit: 1}}
}

func (admitAll) Settle(*toksta.Decision, toksta.Call, int64) toksta.Charge { return toksta.Charge{} }

// BenchmarkGateway measures a GET through the whole walk beside one through a
// bare reverse proxy to the same upstream, in turns in the same run. The
// metric x/bare is the ratio of the two.
func BenchmarkGateway(b *testing.B) {
	e := newBench(b, nil, nil)
	u := e.upstream
	u.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	base := parseURL(b, u.URL)
	bare := &httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(base) },
		Transport: Upstream{URL: base}.transport(),
	}
	g, err := New(Config{Routes: testRoutes[1:2], Upstreams: []Upstream{{Name: "main", URL: base}}, Verifier: admitAll{}, Settler: admitAll{}})
	if err != nil {
		b.Fatal(err)
	}
	ours := telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(io.Discard, slog.LevelInfo)}, g)
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

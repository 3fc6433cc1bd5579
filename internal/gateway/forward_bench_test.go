package gateway

import (
	"io"
	"net/http"
	"net/http/httputil"
	"syscall"
	"testing"
	"time"
)

// processorTime returns the processor time that this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkForwarding measures the processor time of calls on one connection, with their
// client and their upstream: through a bare net/http handler without an upstream, through a
// bare reverse proxy, and through the handler of a node on both of its paths. The targets
// alternate, so that only the ratios of one run count. Each ratio is that to the bare proxy.
func BenchmarkForwarding(b *testing.B) {
	u := fixedUpstream(b)
	h := forwardingHandler(b, u)
	bare := &httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(u.URL) }, Transport: u.transport()}
	targets := []struct {
		name string
		call func()
		took time.Duration
	}{
		{name: "proxy", call: roundTrips(b, bare)},
		{name: "handler", call: roundTrips(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bare") }))},
		{name: "plain", call: roundTrips(b, h)},
		{name: "reverse", call: roundTrips(b, askForTrailers(h))},
	}
	const calls = 200
	for b.Loop() {
		for i := range targets {
			start := processorTime()
			for range calls {
				targets[i].call()
			}
			targets[i].took += processorTime() - start
		}
	}
	for _, t := range targets {
		b.ReportMetric(float64(t.took.Microseconds())/float64(b.N*calls), t.name+"-µs")
		b.ReportMetric(float64(t.took)/float64(targets[0].took), t.name+"/proxy")
	}
}

// BenchmarkForwardingPlain is for profiles of one path.
func BenchmarkForwardingPlain(b *testing.B) {
	call := roundTrips(b, forwardingHandler(b, fixedUpstream(b)))
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

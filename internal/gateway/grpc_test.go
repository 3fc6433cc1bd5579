package gateway

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/toksta"
)

// serveHTTP2 serves HTTP/2 only, with or without TLS.
func serveHTTP2(t *testing.T, h http.Handler, secure bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP2(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	if secure {
		s.TLS = &tls.Config{NextProtos: []string{"h2"}}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// grpcCall is a gRPC call as its caller receives it, with the credits charged for it.
type grpcCall struct {
	HTTP    int
	Status  string // grpc-status, wherever it stands
	Body    string
	Charged []int64
}

// Guarantee: gRPC is forwarded, also to an upstream without TLS. Its errors are free
// although their HTTP status is 200.
func TestGRPC(t *testing.T) {
	t.Parallel()
	upstream := serveHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h := w.Header()
		h.Set("Content-Type", "application/grpc+proto")
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || string(body) != "ask" || err != nil {
			h.Set("Grpc-Status", "13")
			return
		}
		switch r.URL.Path {
		case "/acme.v1.Creators/Trailers": // "Trailers-Only": one block, the header
			h.Set("Grpc-Status", "5")
		case "/acme.v1.Creators/Error":
			h.Set("Trailer", "Grpc-Status")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			h.Set("Grpc-Status", "7")
		case "/acme.v1.Creators/Broken":
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/acme.v1.Creators/Priced":
			h.Set("X-Toksta-Credit-Cost", "7")
			h.Set("Grpc-Status", "5")
		default:
			_, _ = io.WriteString(w, "tell")
			h.Set(http.TrailerPrefix+"Grpc-Status", "0")
			h.Set(http.TrailerPrefix+"X-Request-Id", "theirs")
		}
	}), false)
	b := newBench(t, nil, nil)
	g, err := New(Config{
		Routes:    []toksta.Route{{Method: "POST", Pattern: "/acme.v1.Creators/*", Operation: "creators", Family: "data", Credits: 3, Upstream: "main"}},
		Engine:    b.engine,
		Upstreams: []Upstream{{Name: "main", URL: parseURL(t, upstream.URL), HTTP2: true, Opening: time.Minute}},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := serveHTTP2(t, telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g), true)
	client := front.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	free, paid := []int64{0}, []int64{3}
	for method, want := range map[string]grpcCall{
		"Find":     {200, "0", "tell", paid},
		"Error":    {200, "7", "", free},
		"Trailers": {200, "5", "", free},
		"Priced":   {200, "5", "", free},
		"Broken":   {502, "", "", free},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", front.URL+"/acme.v1.Creators/"+method, strings.NewReader("ask"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer " + goodKey}, "Te": {"trailers"}, "Content-Type": {"application/grpc+proto"}}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
		got := grpcCall{HTTP: res.StatusCode, Status: res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status"), Body: string(body)}
		if got.HTTP == http.StatusBadGateway {
			got.Body = ""
		}
		_, got.Charged = b.engine.take()
		if diff := cmp.Diff(want, got); diff != "" || res.ProtoMajor != 2 || res.Trailer.Get("X-Request-Id") != "" {
			t.Errorf("%s: %s %v (-want +got)\n%s", method, res.Proto, res.Trailer, diff)
		}
	}
}

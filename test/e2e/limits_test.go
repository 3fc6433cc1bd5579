package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
)

// Guarantee: a client that exceeds the limit of an hour learns which window rejected it and when it
// may continue, and the structured fields list all windows.
func TestHourlyLimit(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.RateLimit.StructuredFields, c.RateLimit.PerDay = true, 100 })
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Steady")
	apptest.Entitle(t, api, owner, "rate_limit_per_hour=2")
	key := apptest.NewKey(t, api, owner, "Steady").Secret
	got := exceedRate(t, n, "GET /v1/account/usage", key)
	rejection{status: 429, code: "RATE_LIMITED", reason: "rate_limited_hourly"}.check(t, got)
	loadDocument(t).check(t, got)
	now := time.Now().Unix()
	reset, _ := strconv.ParseInt(got.Header.Get("X-RateLimit-Reset"), 10, 64)
	wait, _ := strconv.ParseInt(got.Header.Get("Retry-After"), 10, 64)
	if got.Header.Get("X-RateLimit-Limit") != "2" || got.Header.Get("X-RateLimit-Remaining") != "0" || reset%3600 != 0 || wait < reset-now || wait > reset-now+5 {
		t.Errorf("at %d: %v", now, got.Header)
	}
	if policy := got.Header.Get("RateLimit-Policy"); policy != `"account";q=1000000;w=60, "account-hour";q=2;w=3600, "account-day";q=100;w=86400` {
		t.Errorf("policy %s", policy)
	}
	states := strings.Split(got.Header.Get("RateLimit"), ", ")
	if len(states) != 3 || !strings.HasPrefix(states[1], `"account-hour";r=0;t=`) || !strings.HasPrefix(states[2], `"account-day";r=98;t=`) {
		t.Errorf("states %q", states)
	}
	account, err := api.Account(t.Context(), client.AccountRef{Account: owner})
	if err != nil || account.PerHour != 2 || account.PerDay != 100 || account.Concurrent != 0 {
		t.Errorf("%+v, %v", account, err)
	}
}

// Guarantee: a call of a route with a weight counts as that many calls, whether Toksta or a back
// end responds. A call whose weight exceeds the rest of the window is rejected and uses no call.
func TestWeight(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) {
		for i := range c.Routes {
			if c.Routes[i].Operation == "getCreator" {
				c.Routes[i].Weight = new(7)
			}
		}
		c.Routes = append(c.Routes, config.Route{
			Method: config.Methods{"GET"}, Path: c.Endpoints.Usage, Operation: config.OperationUsage, Family: "account", Weight: new(3),
		})
	})
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Heavy")
	apptest.Entitle(t, api, owner, "rate_limit_per_day=20")
	key := apptest.NewKey(t, api, owner, "Heavy").Secret
	const heavy, light = "GET /v1/creators/1", "GET /v1/account/usage"
	for i, c := range []struct {
		call   string
		status int
		left   string
	}{
		{heavy, 200, "13"},
		{light, 200, "10"},
		{heavy, 200, "3"},
		{heavy, 429, "3"},
		{light, 200, "0"},
	} {
		got := apptest.Send(t, n.URL, c.call, key)
		if left := got.Header.Get("X-RateLimit-Remaining"); got.Status != c.status || left != c.left {
			t.Errorf("call %d, %s: %d, %q calls are left, want %d, %s", i, c.call, got.Status, left, c.status, c.left)
		}
	}
	got := apptest.Send(t, n.URL, light, key)
	rejection{status: 429, code: "RATE_LIMITED", reason: "rate_limited_daily"}.check(t, got)
}

// concurrent is a node with an account of at most limit calls at the same time, and a back end
// whose calls last as their mode says.
type concurrent struct {
	*apptest.Node
	t       *testing.T
	limit   int
	key     string
	arrived chan struct{}
	release chan struct{} // closed to end the calls of the modes "wait", "stream" and "socket"
}

func newConcurrent(t *testing.T, limit int) *concurrent {
	c := &concurrent{t: t, limit: limit, arrived: make(chan struct{}, 2000), release: make(chan struct{})}
	backend := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(backend.Close)
	c.Node = apptest.Start(t, func(cfg *config.Config) {
		for name, u := range cfg.Upstreams {
			u.URL = backend.URL
			cfg.Upstreams[name] = u
		}
	})
	api := c.Operator()
	owner := apptest.NewAccount(t, api, "Parallel")
	apptest.Entitle(t, api, owner, fmt.Sprintf("concurrent_calls=%d", limit))
	c.key = apptest.NewKey(t, api, owner, "Parallel").Secret
	return c
}

// serve responds as the query "mode" says.
func (c *concurrent) serve(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	mode := r.URL.RawQuery
	switch mode {
	case "stream":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = control.Flush()
	case "break":
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, strings.Repeat("x", 50_000))
		_ = control.Flush()
		panic(http.ErrAbortHandler)
	case "socket":
		conn, rw, err := control.Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
	}
	c.arrived <- struct{}{}
	if mode == "" {
		return
	}
	select {
	case <-c.release:
	case <-r.Context().Done():
	case <-c.t.Context().Done():
	}
}

// get sends a call of the mode and returns its response, whose body the caller must close.
func (c *concurrent) get(ctx context.Context, mode string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/v1/creators/1?"+mode, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if mode == "socket" {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
	}
	return http.DefaultClient.Do(r)
}

// awaitFree fails the test unless the account can soon make all its calls at the same time: no
// ended call is still counted.
func (c *concurrent) awaitFree() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	held := 0 // streams that stay open, so that no attempt meets the end of another one
	apptest.Eventually(c.t, "calls that have ended are still counted as concurrent", func() bool {
		if res, err := c.get(ctx, "stream"); err == nil && res.StatusCode == http.StatusOK {
			held++
		}
		return held == c.limit
	})
}

// Guarantee: a call counts as a concurrent one until its response has ended: a stream until its last
// event, a WebSocket until it is closed. Meanwhile a call beyond the limit gets 429 with a reason of
// its own, and uses no call of a window.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	c := newConcurrent(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.get(ctx, "stream")
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatal(stream, err)
	}
	if _, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	socket, err := c.get(ctx, "socket")
	if err != nil || socket.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(socket, err)
	}
	for range 3 {
		got := apptest.Send(t, c.URL, "GET /v1/creators/1", c.key)
		rejection{status: 429, code: "RATE_LIMITED", reason: "concurrency_limited"}.check(t, got)
		if got.Header.Get("Retry-After") != "1" || got.Header.Get("X-RateLimit-Limit") != "" {
			t.Errorf("header %v", got.Header)
		}
	}
	_ = socket.Body.Close()
	apptest.Eventually(t, "a closed WebSocket is still counted", func() bool {
		got := apptest.Send(t, c.URL, "GET /v1/creators/1", c.key)
		return got.Status == http.StatusOK && got.Header.Get("X-RateLimit-Remaining") != ""
	})
	close(c.release)
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Error(err)
	}
	_ = stream.Body.Close()
	for range 20 { // one after another, a call never meets the one before
		if got := apptest.Send(t, c.URL, "GET /v1/creators/1", c.key); got.Status != http.StatusOK {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
}

// Guarantee: however calls end, none stays counted: 1,000 calls that end normally, with a client
// that disconnects before or within the response, with a back end that breaks off or cannot be
// reached in time, with a rejection after the admission, or with a raw connection that is cut.
func TestNoConcurrentCallLeaks(t *testing.T) {
	t.Parallel()
	const limit, callers, each = 8, 20, 50
	c := newConcurrent(t, limit)
	var wg sync.WaitGroup
	var rejected atomic.Int64
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				if c.abuse((i + j) % 6) {
					rejected.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if rejected.Load() == 0 {
		t.Error("no call met the limit")
	}
	c.awaitFree()
}

// abuse makes one call that ends in its way, and reports whether the call met the limit.
func (c *concurrent) abuse(way int) bool {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	mode := map[int]string{0: "", 1: "stream", 2: "break", 3: "wait"}[way]
	switch way {
	case 3: // disconnects before the response
		time.AfterFunc(5*time.Millisecond, cancel)
	case 4: // the body is too large
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/v1/creators/search", strings.NewReader("{}"))
		if err != nil {
			c.t.Error(err)
			return false
		}
		r.ContentLength = 1 << 40
		r.Header.Set("Authorization", "Bearer "+c.key)
		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close()
		}
		return false
	case 5: // the connection is cut after the header
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
		if err != nil {
			c.t.Error(err)
			return false
		}
		_, _ = fmt.Fprintf(conn, "GET /v1/creators/1?wait HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", c.key)
		_ = conn.Close()
		return false
	}
	res, err := c.get(ctx, mode)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	if way != 1 { // a stream is left within the response
		_, _ = io.Copy(io.Discard, res.Body)
	}
	return res.StatusCode == http.StatusTooManyRequests
}

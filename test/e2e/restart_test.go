package e2e

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a restart keeps everything: live and revoked keys, counts, credits and
// sessions.
func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	p.Start()
	owner := apptest.NewAccount(t, p.API, "Lasting")
	live, dead := apptest.NewKey(t, p.API, owner, "live").Secret, apptest.NewKey(t, p.API, owner, "dead")
	if _, err := p.API.RevokeKey(t.Context(), client.KeyRef{Key: dead.Key.ID}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		apptest.Send(t, p.URL, "POST /v1/creators/search", live)
		apptest.Send(t, p.URL, "GET /v1/creators/7", dead.Secret)
	}
	browser := signIn(t, p.API, p.URL, owner)
	var before, after map[string]any
	apptest.Usage(t, p.API, owner, &before)

	p.Stop()
	p.Start()
	apptest.Usage(t, p.API, owner, &after)
	if diff := cmp.Diff(before, after); diff != "" || before["total_calls"] != 5.0 || before["total_credits_charged"] != 5.0 {
		t.Errorf("usage (-before +after)\n%s\n%v", diff, before)
	}
	if got := apptest.Status(p.URL, live); got != 200 {
		t.Errorf("a live key gets %d", got)
	}
	if got := apptest.Status(p.URL, dead.Secret); got != 401 {
		t.Errorf("a revoked key gets %d", got)
	}
	res, err := browser.Get(p.URL + "/account")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Request.URL.Path != "/account" || res.StatusCode != 200 {
		t.Errorf("a signed-in browser is at %s, %s", res.Request.URL, res.Status)
	}
	checkNoGaps(t, p.API)
}

// Guarantee: a second process on the same data does not start, because two processes would
// count and decide separately. Its error states the cause.
func TestSecondProcessFails(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	second, err := app.New(t.Context(), apptest.Config(n.Data, "http://127.0.0.1:1"), app.Options{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})})
	if err == nil {
		second.Close()
		t.Fatal("two nodes have the data open")
	}
	if text := err.Error(); !strings.Contains(text, n.Data) || !strings.Contains(text, "another") {
		t.Errorf("the error is %q", text)
	}
	if got := apptest.Status(n.URL, unknownKey); got != 401 {
		t.Errorf("the first one responds %d", got)
	}
}

// Guarantee: a node that stops finishes the requests in flight and accepts no new ones.
func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		select {
		case <-release:
			_, _ = io.WriteString(w, "done at last")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	c := apptest.Config(t.TempDir(), slow.URL)
	node, err := app.New(t.Context(), c, app.Options{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped, status := make(chan error, 1), make(chan int, 1)
	go func() { stopped <- node.Run(ctx) }()
	api, url := client.New(c.Listen.Private), "http://"+node.Addr("public")
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Slow"), "Slow").Secret
	go func() { status <- apptest.Status(url, key) }()
	<-begun
	stop()
	apptest.Eventually(t, "the node still accepts requests", func() bool {
		res, err := http.Get(url + "/health")
		if err == nil {
			res.Body.Close()
		}
		return err != nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("the request in flight failed: %v", err)
	default:
	}
	close(release)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the request in flight got %d", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// Guarantee: each piece of a streamed response is forwarded at once.
func TestStreaming(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range []string{"one", "two", "three"} {
			_, _ = io.WriteString(w, piece+"\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(upstream.Close)
	n := apptest.Start(t, func(c *config.Config) {
		u := c.Upstreams["backend"]
		u.URL = upstream.URL
		c.Upstreams["backend"] = u
	})
	api := n.Operator()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+"/v1/creators/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+apptest.NewKey(t, api, apptest.NewAccount(t, api, "Stream"), "Stream").Secret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	stuck := time.AfterFunc(20*time.Second, func() { res.Body.Close() })
	defer stuck.Stop()
	for _, want := range []string{"one", "two", "three"} {
		// The upstream sends the next piece only when this one has arrived.
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, %v; want %q", lines.Text(), lines.Err(), want)
		}
		next <- struct{}{}
	}
}

// Guarantee: pages with a host name in Unicode are served under its Punycode, which browsers
// send.
func TestPagesHostInUnicode(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) {
		c.PagesURL, c.Listen.PagesHost = "http://Schlüssel.example", "Schlüssel.example"
	})
	for host, want := range map[string]int{"xn--schlssel-95a.example": 200, "XN--SCHLSSEL-95A.example:8080": 200, "schlussel.example": 404} {
		if got := sendTo(t, n.URL, "GET /signin", host); got.Status != want {
			t.Errorf("%s responds %d, want %d", host, got.Status, want)
		}
	}
}

// Guarantee: with separate hosts or listeners, neither pages nor API are served in the other's
// place, so that no cookie reaches the API and no key a page.
func TestPagesApart(t *testing.T) {
	t.Parallel()
	const host = "keys.vendor.example"
	apart := func(c *config.Config) { c.PublicURL, c.PagesURL = "http://api.vendor.example", "http://"+host }
	own := apptest.Start(t, apart, func(c *config.Config) { c.Listen.Pages = "127.0.0.1:0" })
	named := apptest.Start(t, apart, func(c *config.Config) { c.Listen.PagesHost = host })
	for name, c := range map[string]struct{ pages, api, pagesHost string }{
		"by address": {pages: "http://" + own.App.Addr("pages"), api: own.URL},
		"by name":    {pages: named.URL, api: named.URL, pagesHost: host},
	} {
		for call, want := range map[string]struct {
			page   bool
			status int
			kind   string
		}{
			"GET /signin":           {true, 200, "text/html"},
			"GET /v1/account/usage": {true, 404, "text/html"},
			"GET /v1/":              {false, 200, "application/json"},
			"GET /health":           {false, 200, "application/json"},
			"GET /account":          {false, 404, "application/json"},
		} {
			url, host := c.api, ""
			if want.page {
				url, host = c.pages, c.pagesHost
			}
			got := sendTo(t, url, call, host)
			if got.Status != want.status || !strings.HasPrefix(got.Header.Get("Content-Type"), want.kind) {
				t.Errorf("%s, pages %v, %s: %d %s, want %d %s", name, want.page, call, got.Status, got.Header.Get("Content-Type"), want.status, want.kind)
			}
		}
		if got := sendTo(t, c.pages, "GET /signin", c.pagesHost); !strings.Contains(string(got.Body), `href="http://api.vendor.example/docs"`) {
			t.Errorf("%s: the pages have no link to the API's documentation", name)
		}
		if got := sendTo(t, c.api, "GET /docs", ""); !strings.Contains(string(got.Body), `href="http://`+host+`/account#api-keys"`) {
			t.Errorf("%s: the documentation has no link to the pages", name)
		}
		if got := sendTo(t, c.api, "GET /signin", ""); got.Status != 404 || got.Error(t).Error.Code != toksta.CodeNotFound {
			t.Errorf("%s: the API responds to /signin with %d %s", name, got.Status, got.Body)
		}
	}
}

// sendTo sends a call with a Host.
func sendTo(t *testing.T, url, call, host string) apptest.Response {
	t.Helper()
	method, target, _ := strings.Cut(call, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	return apptest.Do(t, r)
}

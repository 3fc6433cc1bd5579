package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/mail/mailtest"
)

// foreign matches text of the shipped offer, which a vendor has not configured: our
// name, dollars, the prefix of its paths, and its families, plans and operations.
var foreign = regexp.MustCompile(`(?i)toksta|tk_live|\$\s?\d|/v1\b|creator|campaign|workspace|\bjobs?\b|dedicated_api|\bsaas\b|API_(PAYG|BUILD|SCALE)|API Scale`)

// weatherCustomer is a customer of the weather API with a browser. It reports foreign text in
// each response.
type weatherCustomer struct {
	*testing.T
	node    *apptest.Node
	browser *http.Client
	seen    map[string]bool
}

// startWeather runs examples/weather with its priced configuration.
func startWeather(t *testing.T) (*apptest.Node, *mailtest.Server) {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"celsius": 14}`)
	}))
	t.Cleanup(backend.Close)
	mails := mailtest.Start(t, mailtest.Options{})
	weather, err := config.Load("../../examples/weather/priced.yaml", []string{"TOKSTA_DOCS_OPENAPI=../../examples/weather/openapi.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	node := apptest.Start(t, func(c *config.Config) {
		weather.Data, weather.Store, weather.Meter, weather.Listen, weather.Node = c.Data, c.Store, c.Meter, c.Listen, c.Node
		weather.Upstreams["backend"] = config.Upstream{URL: backend.URL, ConnectTimeout: time.Second, ResponseTimeout: time.Minute, IdleTimeout: time.Second, ConnectionAge: time.Minute}
		weather.Mail = config.Mail{Server: mails.Addr, TLS: "none", From: "keys@weather.example"}
		weather.Signup.Verification = config.VerifyOff // TestVerification follows the link in a mail
		*c = weather
	})
	return node, mails
}

// Guarantee: a vendor's customers see the vendor's API on every page, in every response
// and in every mail, and nothing of the offer that this program is shipped with.
func TestVendorsPages(t *testing.T) {
	t.Parallel()
	node, mails := startWeather(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &weatherCustomer{T: t, node: node, browser: &http.Client{Jar: jar}, seen: map[string]bool{}}

	for _, path := range []string{"/", "/signin", "/signup", "/plans", "/docs", "/health", "/nothing", "/account/nothing"} {
		v.crawl(path)
	}
	v.post("/signin", "email", "nobody@weather.example", "password", "wrong")
	v.post("/signup", "email", "a", "name", "", "account", "", "password", "x")
	v.post("/signup", "email", "a@weather.example", "name", "Ann", "account", "Acme", "password", "correct horse battery staple", "consent", "yes")
	v.crawl("/account")

	form := v.get("/account/keys/new")
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(form)
	if token == nil {
		t.Fatalf("no form to create a key: %s", form)
	}
	v.post("/account/keys", "token", token[1], "name", "", "scope", "some", "expires", "day", "day", "yesterday")
	page := v.post("/account/keys", "token", token[1], "name", "first", "scope", "all", "expires", "never")
	secret := regexp.MustCompile(`wx_live_[0-9a-f]{48}`).FindString(page)
	key := regexp.MustCompile(`/account/keys/(key_\w+)`).FindStringSubmatch(page)
	if secret == "" || key == nil {
		t.Fatalf("no key: %s", page)
	}
	for call, want := range map[string]int{
		"GET /forecast/Berlin": 200, "GET /status": 200, "GET /usage": 200, "GET /nothing": 404, "DELETE /status": 405, "POST /alerts": 403,
	} {
		v.call(call, secret, want)
	}
	v.call("GET /forecast/Berlin", "", 401)
	v.call("GET /forecast/Berlin", "wx_live_"+strings.Repeat("0", 48), 401)
	for range 5 {
		v.call("GET /history/Berlin", secret, 200)
	}
	v.call("GET /history/Berlin", secret, 402)
	for status := 0; status != 429; {
		status = v.call("GET /forecast/Berlin", secret, 200, 429)
	}
	v.crawl("/account")
	v.crawl("/account/keys/" + key[1])
	v.get("/account/usage.csv")
	v.post("/account/keys/"+key[1]+"/rotate", "token", strings.Repeat("B", 26), "overlap", "0")
	v.post("/account/keys/"+key[1]+"/revoke", "confirm", "first")
	v.crawl("/account")
	v.crawl("/account/keys/" + key[1])
	if len(v.seen) < 15 {
		t.Errorf("only %d pages were visited: %v", len(v.seen), v.seen)
	}

	apptest.Eventually(t, "no mail about used credits", func() bool { return len(mails.Mails()) > 0 })
	for _, m := range mails.Mails() {
		v.check("mail", fmt.Sprintf("%+v", m))
	}
}

// check reports foreign text.
func (v *weatherCustomer) check(what, text string) {
	v.Helper()
	text = strings.ReplaceAll(text, v.node.URL, "")
	for _, at := range foreign.FindAllStringIndex(text, 3) {
		v.Errorf("%s: %q", what, text[max(0, at[0]-60):min(len(text), at[1]+60)])
	}
}

// do sends a request and checks the response.
func (v *weatherCustomer) do(r *http.Request) (status int, body string) {
	v.Helper()
	resp, err := v.browser.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "font/") {
		b = nil
	}
	var header strings.Builder
	_ = resp.Header.Write(&header)
	v.check(r.Method+" "+r.URL.Path, header.String()+string(b))
	return resp.StatusCode, string(b)
}

// request returns a request for an address of the node.
func (v *weatherCustomer) request(method, path, body string) *http.Request {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, v.node.URL+path, strings.NewReader(body))
	if err != nil {
		v.Fatal(err)
	}
	return r
}

func (v *weatherCustomer) get(path string) (body string) {
	v.Helper()
	_, body = v.do(v.request(http.MethodGet, path, ""))
	return body
}

// post sends a form of names and values.
func (v *weatherCustomer) post(path string, fields ...string) (body string) {
	v.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := v.request(http.MethodPost, path, form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, body = v.do(r)
	return body
}

// call sends a request to the API, "GET /path", and checks its status.
func (v *weatherCustomer) call(target, secret string, want ...int) (status int) {
	v.Helper()
	method, path, _ := strings.Cut(target, " ")
	r := v.request(method, path, "")
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	status, body := v.do(r)
	for _, w := range want {
		if status == w {
			return status
		}
	}
	v.Fatalf("%s: %d, want %v: %s", target, status, want, body)
	return status
}

// crawl visits a page and all pages that it leads to.
func (v *weatherCustomer) crawl(path string) {
	v.Helper()
	pending := []string{path}
	visited := map[string]bool{}
	for len(pending) > 0 {
		path, pending = pending[0], pending[1:]
		if visited[path] || len(visited) > 200 {
			continue
		}
		visited[path], v.seen[path] = true, true
		for _, link := range regexp.MustCompile(`(?:href|src)="(/[^"#]*)`).FindAllStringSubmatch(v.get(path), -1) {
			pending = append(pending, strings.ReplaceAll(link[1], "&amp;", "&"))
		}
	}
}

package operatorapi

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/toksta/toksta/docs"
	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// checkServed fails t unless both listeners serve the document and its page to clients without
// a credential, and nothing else.
func (s *server) checkServed(t *testing.T) {
	t.Helper()
	get := func(c *http.Client, method, path string) apptest.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := apptest.Exchange(c, r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	socket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
	}}}
	for name, c := range map[string]*http.Client{"network": http.DefaultClient, "socket": socket} {
		got := get(c, http.MethodGet, client.PathPrefix+"openapi.json")
		if got.Status != http.StatusOK || got.Header.Get("Content-Type") != "application/json" || string(got.Body) != docs.OperatorOpenAPI {
			t.Errorf("the document, %s: %d %v, %d bytes", name, got.Status, got.Header, len(got.Body))
		}
		got = get(c, http.MethodGet, client.PathPrefix+"docs")
		if got.Status != http.StatusOK || got.Header.Get("Content-Security-Policy") != page.Policy {
			t.Errorf("the page, %s: %d %v", name, got.Status, got.Header)
		}
		for _, o := range operator.Operations() {
			if !strings.Contains(strings.ReplaceAll(string(got.Body), "<wbr>", ""), client.PathPrefix+o.Name+"</span>") {
				t.Errorf("the page has no %s", o.Name)
			}
		}
		style, _, _ := strings.Cut(string(got.Body[strings.Index(string(got.Body), page.AssetPrefix):]), `"`)
		if got := get(c, http.MethodGet, style); got.Status != http.StatusOK {
			t.Errorf("%s, %s: %d", style, name, got.Status)
		}
	}
	for call, want := range map[string]toksta.Code{
		"GET accounts/list": toksta.CodeMethodNotAllowed, "PUT accounts/list": toksta.CodeMethodNotAllowed,
		"POST accounts/none": toksta.CodeNotFound, "POST docs": toksta.CodeNotFound,
	} {
		method, name, _ := strings.Cut(call, " ")
		if got := apptest.Send(t, s.url, method+" "+client.PathPrefix+name, s.secret); got.Error(t).Error.Code != want || got.Status != httpauth.Status(want) {
			t.Errorf("%s: %d %s, want %s", call, got.Status, got.Body, want)
		}
	}
	for _, path := range []string{"openapi.json", "docs", "docs/", "accounts/list"} {
		if got := get(http.DefaultClient, http.MethodPost, client.PathPrefix+path); got.Status != http.StatusUnauthorized {
			t.Errorf("POST %s without a credential: %d %s", path, got.Status, got.Body)
		}
	}
	if got := get(http.DefaultClient, http.MethodGet, client.PathPrefix+"docs/more"); got.Status != http.StatusUnauthorized {
		t.Errorf("a path below the page: %d %s", got.Status, got.Body)
	}
}

package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// Guarantee: no response of a vendor's server shows the word Toksta, neither in its header nor
// in its body: on pages, probes, the documentation and rejections.
func TestVendorsResponsesDoNotNameToksta(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) {
		c.Branding.Product, c.Branding.HeaderPrefix, c.Branding.EnvVar = "Weather", "X-Weather", "WEATHER_API_KEY"
	})
	api := n.Operator()
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Sunny"), "one")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{
		"/", "/signin", "/signup", "/account", "/account/nothing", "/favicon.ico", "/robots.txt",
		"/docs", "/docs?q=creators", "/docs/json", "/v1/", "/health", "/ready", "/version", "/nothing", "/v1/account/usage", "/v1/creators/7",
	} {
		for _, secret := range []string{"", key.Secret, "wrong"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if secret != "" {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			var b strings.Builder
			_ = response.Header.Write(&b)
			b.Write(body)
			text := b.String()
			if at := strings.Index(strings.ToLower(text), "toksta"); at >= 0 {
				t.Errorf("GET %s: %q", path, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
}

package page

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/web/view"
)

// storyLook returns the look of the storybook: the default one, or the one with the accent in
// STORYBOOK_ACCENT and the product in STORYBOOK_PRODUCT.
func storyLook(t *testing.T) brand.Look {
	t.Helper()
	look := brand.Look{Product: os.Getenv("STORYBOOK_PRODUCT")}
	if accent := os.Getenv("STORYBOOK_ACCENT"); accent != "" {
		c, err := brand.ParseColor(accent)
		if err != nil {
			t.Fatal(err)
		}
		look.Accent = &c
	}
	return look
}

// writeAccents writes the declarations of each accent, which the browser tests add to the pages.
func writeAccents(t *testing.T, out string) {
	t.Helper()
	declarations := map[string]string{}
	for _, accent := range accents() {
		c, err := brand.ParseColor(accent)
		if err != nil {
			t.Fatal(err)
		}
		declarations[accent] = brand.Look{Accent: &c}.Declarations()
	}
	text, err := json.Marshal(declarations)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "accents.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Guarantee: the pages of a vendor show the vendor's name, mark and variable, and no word of
// Toksta. A logo is loaded as an image, under a policy that runs nothing in it.
func TestVendorsLook(t *testing.T) {
	svg := func(box string) *brand.Logo {
		l, err := brand.ParseLogo([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + box + `"/>`))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for name, c := range map[string]struct {
		look         brand.Look
		want, absent string
	}{
		"initial": {brand.Look{Product: "wetter & Co"}, `text-anchor="middle">W</text></svg><span>wetter &amp; Co</span>`, "<img"},
		"square":  {brand.Look{Product: "Wetter", Logo: svg("30 30")}, `width="28" height="28" alt=""></picture><span>Wetter</span>`, `class="mark"`},
		"wide":    {brand.Look{Product: "Wetter", Logo: svg("90 30"), LogoDark: svg("90 30")}, `width="84" height="28" alt="Wetter"></picture></a>`, "<span>Wetter</span>"},
	} {
		t.Run(name, func(t *testing.T) {
			assets, err := LoadAssets(c.look)
			if err != nil {
				t.Fatal(err)
			}
			r, err := New(assets, view.MoneyIn(""))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			frame := view.Frame{Brand: c.look.Product, Links: view.Links{More: []view.Link{{Text: "Imprint", URL: "https://example.com/imprint"}}}}
			if err := r.Render(&b, "key_reveal", view.KeyReveal{Frame: frame, Secret: "wx_live_1", ExampleURL: "https://api.example.com/v1/account/usage"}); err != nil {
				t.Fatal(err)
			}
			html := b.String()
			if !strings.Contains(html, c.want) || strings.Contains(html, c.absent) {
				t.Errorf("want %s and not %s in\n%s", c.want, c.absent, html)
			}
			if strings.Contains(strings.ToLower(html), "toksta") || !strings.Contains(html, brand.EnvVar(c.look.Product)+"=wx_live_1") || !strings.Contains(html, `<a href="https://example.com/imprint">Imprint</a>`) {
				t.Errorf("the page is not the vendor's:\n%s", html)
			}
			if c.look.LogoDark != nil && !strings.Contains(html, `<source media="(prefers-color-scheme: dark)" srcset="`+assets.URL("logo-dark.svg")) {
				t.Error("the dark logo is missing")
			}
			response := httptest.NewRecorder()
			assets.ServeHTTP(response, httptest.NewRequest("GET", assets.Icon(), nil))
			if h := response.Header(); response.Code != 200 || h.Get("Content-Type") != "image/svg+xml" || h.Get("Content-Security-Policy") != picturePolicy {
				t.Errorf("the icon: %d %v", response.Code, h)
			}
			if strings.Contains(strings.ToLower(response.Body.String()), "toksta") {
				t.Error("the icon is Toksta's")
			}
		})
	}
}

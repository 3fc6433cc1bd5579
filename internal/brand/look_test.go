package brand

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"
)

func TestEnvVar(t *testing.T) {
	for product, want := range map[string]string{
		"Toksta": "TOKSTA_API_KEY", "Weather": "WEATHER_API_KEY", "Weather API": "WEATHER_API_KEY", "Björk & Søn Data": "BJORK_S_N_DATA_API_KEY",
		"Acme-Maps": "ACME_MAPS_API_KEY", "天気": "API_KEY", "1Forecast": "API_KEY", "API": "API_KEY",
	} {
		if got := EnvVar(product); got != want {
			t.Errorf("%s: %s, want %s", product, got, want)
		}
	}
}

// TestParseLogo accepts pictures and reads their shape. It rejects every SVG that could run a
// script or load another file, and files of another kind.
func TestParseLogo(t *testing.T) {
	svg := func(inside string) string {
		return `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 120 30">` + inside + `</svg>`
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data, ext string
		wide      bool
	}{
		"SVG":           {svg(`<style>path{fill:url(#g)}</style><linearGradient id="g"/><path d="M0 0h9" fill="url(#g)"/><use xlink:href="#g"/>`), ".svg", true},
		"SVG with size": {`<svg xmlns="http://www.w3.org/2000/svg" width="24px" height="24"/>`, ".svg", false},
		"PNG":           {picture.String(), ".png", false},
	} {
		logo, err := ParseLogo([]byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if logo.Ext != c.ext || logo.Wide() != c.wide {
			t.Errorf("%s: %s, wide %v", name, logo.Ext, logo.Wide())
		}
	}
	for name, data := range map[string]string{
		"script":            svg(`<script>alert(1)</script>`),
		"namespaced":        svg(`<s:script xmlns:s="http://www.w3.org/2000/svg">alert(1)</s:script>`),
		"handler":           svg(`<path onclick="alert(1)"/>`),
		"html":              svg(`<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">x</p></foreignObject>`),
		"link":              svg(`<image xlink:href="https://example.com/a.png"/>`),
		"script link":       svg(`<a href=" javascript:alert(1)"/>`),
		"SVG in a link":     svg(`<use href="data:image/svg+xml,x"/>`),
		"style":             svg(`<style>@import "https://example.com"</style>`),
		"style attribute":   svg(`<path style="fill:URL( 'https://example.com/a' )"/>`),
		"escaped style":     svg(`<style>a{b:u\72l(x)}</style>`),
		"animation":         svg(`<set attributeName="href" to="javascript:alert(1)"/>`),
		"document type":     `<!DOCTYPE svg [<!ENTITY a "b">]>` + `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>`,
		"stylesheet":        `<?xml-stylesheet href="https://example.com"?>` + svg(""),
		"no namespace":      `<svg viewBox="0 0 1 1"/>`,
		"no size":           `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"html page":         `<html><body>x</body></html>`,
		"JPEG":              "\xff\xd8\xff\xe0",
		"empty":             "",
		"truncated PNG":     picture.String()[:20],
		"truncated SVG":     svg("")[:60],
		"more than MaxLogo": svg(strings.Repeat(" ", MaxLogo)),
	} {
		if _, err := ParseLogo([]byte(data)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestParseVariables accepts documented variables. It rejects every other text, with its line.
func TestParseVariables(t *testing.T) {
	got, err := ParseVariables([]byte("/* ours\n */\n:root {\n  --accent: light-dark(#2b5bd1, oklch(.7 .1 264 / 50%));\n  --sans: \"Acme Sans\", Arial, sans-serif\n}\n:root{--line:red}"))
	want := `--accent: light-dark(#2b5bd1, oklch(.7 .1 264 / 50%)); --sans: "Acme Sans", Arial, sans-serif; --line: red;`
	if err != nil || got != want {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
	for text, line := range map[string]string{
		":root {\n\n --accent: url(https://example.com/a);\n}": "line 3:",
		"/* a\n */ @import 'a.css';":                           "line 2:",
		":root { --accent: #12345 }":                           "line 1:",
		":root { --accent: red blue }":                         "line 1:",
		":root { --accent: 12 }":                               "line 1:",
		":root { --accent: expression(a) }":                    "line 1:",
		":root { --accent: light-dark(red, blue }":             "line 1:",
		":root { --accent: red) }":                             "line 1:",
		":root { --accent: \"red\" }":                          "line 1:",
		":root { --accent: re\\64 }":                           "line 1:",
		":root { --h: 12; }":                                   "line 1:",
		":root { color: red; }":                                "line 1:",
		":root { --sans: url(x) }":                             "line 1:",
		"body { --accent: red }":                               "line 1:",
		":root { --accent: red } body { display: none }":       "line 1:",
		":root { --accent: red":                                "line 1:",
		":root { --accent: red; }\n}":                          "line 2:",
		"/* " + strings.Repeat("x", MaxVariables):              "",
	} {
		if got, err := ParseVariables([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), line) {
			t.Errorf("%.60q: %q, %v, want an error of %s", text, got, err, line)
		}
	}
}

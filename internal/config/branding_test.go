package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Guarantee: a branding that would break the pages is rejected at its setting, and a sound one
// is read with its files.
func TestBranding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	logo := write("logo.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"/>`)
	active := write("active.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"><script/></svg>`)
	css, wrong := write("own.css", ":root { --line: #ccc; }"), write("wrong.css", ":root { --line: url(a); }")
	for text, field := range map[string]string{
		"accent: blue":                                     "branding.accent",
		"accent: '#12345'":                                 "branding.accent",
		"logo: " + dir + "/none.svg":                       "branding.logo",
		"logo: " + active:                                  "branding.logo",
		"logo: " + dir:                                     "branding.logo",
		"logo_dark: " + logo:                               "branding.logo_dark",
		"css: " + wrong:                                    "branding.css",
		"css: " + dir + "/none.css":                        "branding.css",
		"header_prefix: X":                                 "branding.header_prefix",
		"header_prefix: X-Forwarded":                       "branding.header_prefix",
		"header_prefix: content":                           "branding.header_prefix",
		"header_prefix: X-Acme-":                           "branding.header_prefix",
		"header_prefix: 'X Acme'":                          "branding.header_prefix",
		"header_prefix: X-Acme-Weather-Company-And-Sons-x": "branding.header_prefix",
		"env_var: 1KEY":                                    "branding.env_var",
		"env_var: 'MY KEY'":                                "branding.env_var",
		"links: [{text: '', url: https://example.com/}]":   "branding.links[0].text",
		"links: [{text: A, url: 'javascript:alert(1)'}]":   "branding.links[0].url",
		"links: [{text: A}]":                               "branding.links[0].url",
	} {
		_, err := loadText(t, "branding:\n  "+text)
		problems, _ := err.(Problems)
		if len(problems) != 1 || problems[0].Field != field || problems[0].Line == 0 {
			t.Errorf("%s: %v, want one problem of %s", text, err, field)
		}
	}

	cfg, err := loadText(t, "branding: {product: Weather Co, accent: '#FFD60A', logo: "+logo+", css: "+css+", links: [{text: Privacy, url: 'https://example.com/privacy'}]}")
	if err != nil {
		t.Fatal(err)
	}
	look, err := cfg.Branding.Look()
	if err != nil {
		t.Fatal(err)
	}
	if look.Product != "Weather Co" || look.EnvVar != "WEATHER_CO_API_KEY" || look.Logo == nil || look.LogoDark != nil || !strings.HasSuffix(look.Declarations(), " --line: #ccc;") {
		t.Errorf("the look is %+v", look)
	}
	if cfg, err = loadText(t, ""); err != nil || cfg.Branding.EnvVar != "TOKSTA_API_KEY" {
		t.Errorf("the variable of the default product is %q, %v", cfg.Branding.EnvVar, err)
	}
}

// Guarantee: a document that cannot be shown is a problem of its setting.
func TestDocsDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "api.yaml")
	if err := os.WriteFile(path, []byte("swagger: '2.0'"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + ".none"} {
		_, err := loadText(t, "docs: {openapi: "+file+"}")
		if problems, _ := err.(Problems); len(problems) != 1 || problems[0].Field != "docs.openapi" || problems[0].Line == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := os.WriteFile(path, []byte("openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {/a: {get: {responses: {'200': {description: ok}}}}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadText(t, "docs: {openapi: "+path+"}")
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := cfg.Docs.Document(); err != nil || len(doc.Operations) != 1 {
		t.Errorf("%v, %v", doc, err)
	}
}

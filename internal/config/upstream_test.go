package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The address of an upstream is that of its URL, which may be a Unix socket.
func TestUpstreamAddress(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][2]string{
		"http://b.example":          {"tcp", "b.example:80"},
		"https://b.example/in":      {"tcp", "b.example:443"},
		"http://[2001:db8::1]:8080": {"tcp", "[2001:db8::1]:8080"},
		"unix:/run/b.sock":          {"unix", "/run/b.sock"},
		"unix:///run/b.sock":        {"unix", "/run/b.sock"},
		"unix://run/b.sock":         {},
		"unix:run/b.sock":           {},
		"unix:/run/b.sock?a=b":      {},
		"ftp://b.example":           {},
	} {
		cfg, err := loadText(t, "upstreams: {backend: {url: '"+url+"'}}\n")
		if want[0] == "" {
			if err == nil || !strings.Contains(err.Error(), "upstreams.backend.url") {
				t.Errorf("%s: %v", url, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		network, address := cfg.Upstreams["backend"].Address()
		if diff := cmp.Diff(want, [2]string{network, address}); diff != "" {
			t.Errorf("%s (-want +got)\n%s", url, diff)
		}
	}
}

// An upstream with only a URL gets the default durations: it closes idle
// connections before common back ends do, and it follows the DNS.
func TestUpstreamDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := loadText(t, "upstreams: {backend: {url: 'http://b.example'}}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Upstream{URL: "http://b.example", ConnectTimeout: 5 * time.Second, ResponseTimeout: time.Minute, IdleTimeout: 4 * time.Second, ConnectionAge: time.Minute}
	builtIn := Default().Upstreams["backend"]
	builtIn.URL = want.URL
	for name, got := range map[string]Upstream{"of the vendor's file": cfg.Upstreams["backend"], "default": builtIn} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if _, err := loadText(t, "upstreams: {backend: {url: 'http://b.example', connection_age: -1s}}\n"); err == nil || !strings.Contains(err.Error(), "upstreams.backend") {
		t.Errorf("a negative age: %v", err)
	}
}

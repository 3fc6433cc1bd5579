package config

import "testing"

// Passkeys are made for the host of the pages or a parent domain, and switched off where browsers
// make none.
func TestPasskeyDomain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pages, domain, want, origin string }{
		{"https://keys.example.com", "", "keys.example.com", "https://keys.example.com"},
		{"https://keys.example.com:8443", "example.com", "example.com", "https://keys.example.com:8443"},
		{"https://Keys.Bücher.example:443", "Bücher.example", "xn--bcher-kva.example", "https://keys.xn--bcher-kva.example"},
		{"http://localhost:8080", "", "localhost", "http://localhost:8080"},
		{"http://keys.example.com", "", "", "http://keys.example.com"},
		{"https://192.0.2.1", "", "", "https://192.0.2.1"},
		{"http://127.0.0.1:8080", "", "", "http://127.0.0.1:8080"},
		{"https://[::1]:8443", "", "", "https://[::1]:8443"},
	} {
		cfg := Config{PagesURL: c.pages, SignIn: SignIn{Passkeys: true, PasskeyDomain: c.domain}}
		if got := cfg.PasskeyDomain(); got != c.want || cfg.PagesOrigin() != c.origin {
			t.Errorf("%s: domain %q, origin %q", c.pages, got, cfg.PagesOrigin())
		}
		cfg.SignIn.Passkeys = false
		if got := cfg.PasskeyDomain(); got != "" {
			t.Errorf("%s: passkeys are switched off and have the domain %q", c.pages, got)
		}
	}
}

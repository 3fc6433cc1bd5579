package setup

import "testing"

// Guarantee: a new configuration shows the vendor's name in header fields and no path
// of the shipped API, and our own endpoints make room for the vendor's routes.
func TestOwnNames(t *testing.T) {
	t.Parallel()
	for product, want := range map[string]string{
		"Weather API": "X-Weather", "weather": "X-weather", "Björk's API": "X-Bj-rk-s", "天気": "X-API", "API": "X-API",
		"A very long name of a product that goes on": "X-A-very-long-name-of-a-produc",
	} {
		if got := headerPrefix(product); got != want || len(got) > 31 {
			t.Errorf("%s: %q, want %q", product, got, want)
		}
	}
	for paths, want := range map[[2]string]string{
		{"/a", "/b"}:           `usage: /usage, routes: ""`,
		{"/usage", "/docs"}:    `usage: /account-usage, routes: "", docs: /api-docs`,
		{"/health", "/ready"}:  `usage: /usage, routes: "", health: "", ready: ""`,
		{"/docs", "/api-docs"}: `usage: /usage, routes: "", docs: ""`,
	} {
		if got := ownEndpoints([]Route{{Path: paths[0]}, {Path: paths[1]}}); got != want {
			t.Errorf("%v: %s, want %s", paths, got, want)
		}
	}
}

package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Guarantee: profiles can be read on this machine, and no web page can read them
// through a host name that resolves to this machine.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]int{
		"127.0.0.1:6060": 200, "[::1]:6060": 200, "localhost:6060": 200, "localhost": 200,
		"attacker.example:6060": 403, "attacker.example": 403, "": 403,
	} {
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if profiles().ServeHTTP(w, r); w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
}

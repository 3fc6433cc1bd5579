package app

import (
	"testing"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/web"
)

// Guarantee: the configuration rejects a route of the API exactly where the account pages would hide
// it.
func TestPagePaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/": true, "/account": true, "/account/keys": true, "/signin": true, "/signin/forgot": true, "/signup": true,
		"/signup/verify": true, "/signout": true, "/confirm": true, "/confirm/passkey": true, "/invitation": true,
		"/unsubscribe": true, "/embed": true, "/embed/keys": true, "/assets/app.css": true, "/favicon.ico": true, "/robots.txt": true,
		"/.well-known/change-password": true,
		"/assets":                      false, "/signout/now": false, "/invitation/1": false, "/unsubscribe/1": false, "/accounts": false,
		"/embedded": false, "/.well-known/jwks.json": false, "/v1/account": false,
	} {
		if web.Owns(path) != want || config.IsPagePath(path) != want {
			t.Errorf("%s: owned by the pages %v, by the configuration %v, want %v", path, web.Owns(path), config.IsPagePath(path), want)
		}
	}
}

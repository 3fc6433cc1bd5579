package doors

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/admit"
)

// overrideFields are the header fields that state another method, target or part of the path than the
// decided one. Each server and each client library has its own list of them: admit.Override, the Go
// package httpauth, the Node and the Python middleware, and the configurations of the proxies.
var overrideFields = []string{
	"X-Original-URI", "X-Original-URL", "X-Original-Method", "X-Rewrite-URL",
	"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
	"Script-Name", "X-Script-Name", "Path-Info", "Daphne-Root-Path",
}

// Guarantee: the node knows each field of the list as an override.
func TestOverrideFields(t *testing.T) {
	for _, name := range overrideFields {
		if f := admit.Fold(name); f.Override() == admit.NoOverride {
			t.Errorf("the node does not know %s", name)
		}
	}
}

// checkOverrides checks that the door forwards no field of overrideFields, in any spelling. The verify
// API sees no fields but those that the vendor's back end sends it.
func (s *suite) checkOverrides(t *testing.T) {
	if s.door == "verify" {
		return
	}
	for _, field := range overrideFields {
		for _, name := range []string{field, strings.ReplaceAll(field, "-", "_"), strings.ReplaceAll(field, "-", ".")} {
			got := send(t, s.address, "GET /v1/things/7", "Authorization: Bearer "+s.keys["live"].Secret, name+": DELETE")
			if got.Status == http.StatusBadRequest || got.Status == 0 {
				continue
			}
			var r echo
			if err := json.Unmarshal(got.Body, &r); err != nil || got.Status != http.StatusOK || r.Method != http.MethodGet || r.Target != "/v1/things/7" {
				t.Errorf("with %s: %d %s, %v", name, got.Status, got.Body, err)
			}
			for received := range r.Header {
				if a, b := admit.Fold(received), admit.Fold(name); a == b {
					t.Errorf("%s: the back end received %s", s.door, received)
				}
			}
		}
	}
}

package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/toksta"
)

// call sends one request like the gateway.
func call(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Toksta-Account-Id", "acct_1")
	w := httptest.NewRecorder()
	Upstream().ServeHTTP(w, r)
	var response map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &response); err != nil {
		t.Fatalf("%s %s responded %q: %v", method, path, w.Body, err)
	}
	return w.Code, response
}

// Guarantee: every route of the shipped configuration returns data and the identity
// that the gateway sets.
func TestUpstreamServesEveryRoute(t *testing.T) {
	t.Parallel()
	for _, r := range config.Default().Routes {
		if r.Family == toksta.FamilyAccount {
			continue
		}
		path := strings.ReplaceAll(r.Path, "{id}", "f0e1d2c3-b4a5-4678-9abc-def012345678")
		status, response := call(t, r.Method[0], path, `{"name":"n","creator_ids":["a","b"],"job_ids":["j"],"keywords":["k"]}`)
		caller, _ := response["meta"].(map[string]any)["caller"].(map[string]any)
		if status >= 300 || response["success"] != true || len(response["data"].(map[string]any)) == 0 || caller["account_id"] != "acct_1" {
			t.Errorf("%s %s: %d %v", r.Method[0], path, status, response)
		}
	}
}

// Guarantee: a call with a price per hundred profiles returns at most a hundred.
func TestDiscoveryIsBounded(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"-1", "0", "7", "100", "5000"} {
		_, response := call(t, http.MethodPost, "/v1/creators/discovery-search", `{"keywords":["k"],"limit":`+limit+`}`)
		found := response["data"].(map[string]any)["creators"].([]any)
		if len(found) == 0 || len(found) > maxProfiles || limit == "7" && len(found) != 7 {
			t.Errorf("limit %s brought %d profiles", limit, len(found))
		}
	}
}

// Guarantee: an invalid body and an unknown path are errors of the caller.
func TestUpstreamRejects(t *testing.T) {
	t.Parallel()
	if status, _ := call(t, http.MethodPost, "/v1/creators/search", `{"limit":"x"}`); status != http.StatusBadRequest {
		t.Errorf("a wrong body: %d", status)
	}
	if status, _ := call(t, http.MethodGet, "/v1/nothing", ""); status != http.StatusNotFound {
		t.Errorf("a wrong path: %d", status)
	}
}

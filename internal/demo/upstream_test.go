package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/config"
)

// answerTo sends one request as the gateway would.
func answerTo(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Toksta-Account-Id", "acct_1")
	w := httptest.NewRecorder()
	Upstream().ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s answered %q: %v", method, path, w.Body, err)
	}
	return w.Code, answer
}

// Every route that a first reader finds in the list of endpoints answers with
// data, and shows what the gateway tells a back end.
func TestUpstreamAnswersEveryRoute(t *testing.T) {
	t.Parallel()
	for _, r := range config.Default().Routes {
		if r.Family == toksta.FamilyAccount {
			continue
		}
		path := strings.ReplaceAll(r.Path, "{id}", "f0e1d2c3-b4a5-4678-9abc-def012345678")
		status, answer := answerTo(t, r.Method, path, `{"name":"n","creator_ids":["a","b"],"job_ids":["j"],"keywords":["k"]}`)
		caller, _ := answer["meta"].(map[string]any)["caller"].(map[string]any)
		if status >= 300 || answer["success"] != true || len(answer["data"].(map[string]any)) == 0 || caller["account_id"] != "acct_1" {
			t.Errorf("%s %s: %d %v", r.Method, path, status, answer)
		}
	}
}

// One call is priced by the hundred: it never brings more profiles.
func TestDiscoveryIsBounded(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"-1", "0", "7", "100", "5000"} {
		_, answer := answerTo(t, http.MethodPost, "/v1/creators/discovery-search", `{"keywords":["k"],"limit":`+limit+`}`)
		found := answer["data"].(map[string]any)["creators"].([]any)
		if len(found) == 0 || len(found) > maxProfiles || limit == "7" && len(found) != 7 {
			t.Errorf("limit %s brought %d profiles", limit, len(found))
		}
	}
}

// A wrong body and a wrong path are the caller's, never a fault of the demo.
func TestUpstreamRefuses(t *testing.T) {
	t.Parallel()
	if status, _ := answerTo(t, http.MethodPost, "/v1/creators/search", `{"limit":"x"}`); status != http.StatusBadRequest {
		t.Errorf("a wrong body: %d", status)
	}
	if status, _ := answerTo(t, http.MethodGet, "/v1/nothing", ""); status != http.StatusNotFound {
		t.Errorf("a wrong path: %d", status)
	}
}

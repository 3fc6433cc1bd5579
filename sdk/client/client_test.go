package client

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: text that JSON cannot carry is rejected before it is sent.
// Encoded, it would arrive as other text.
func TestRequestsAreUTF8(t *testing.T) {
	t.Parallel()
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent++
		_, _ = w.Write([]byte(`{"success":true,"data":{}}`))
	}))
	defer server.Close()
	api := New(server.URL)
	_, name := api.RenameKey(t.Context(), RenameKeyRequest{Name: "caf\xe9"})
	_, scopes := api.SetKeyLimits(t.Context(), SetLimitsRequest{Scopes: &[]toksta.Family{"data", "\xff"}})
	now := time.Now()
	_, rows := api.ImportKeys(t.Context(), ImportRequest{Rows: []ImportRow{{Name: "a", CreatedAt: &now}, {Name: "caf\xe9"}}})
	for _, err := range []error{name, scopes, rows} {
		if toksta.ErrorCode(err) != toksta.CodeValidation || sent != 0 {
			t.Errorf("Latin-1: %v, %d requests", err, sent)
		}
	}
	for _, name := range []string{"café", "\ufffd", `\ufffd`} {
		if _, err := api.RenameKey(t.Context(), RenameKeyRequest{Name: name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Guarantee: a response with another status than 200 is no success, whatever its body says.
func TestSuccessHasStatus200(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusCreated, http.StatusAccepted, http.StatusBadGateway} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"success":true,"data":{"admitted":true}}`))
		}))
		defer server.Close()
		if got, err := New(server.URL).Verify(t.Context(), VerifyRequest{Operation: "op"}); err == nil || got.Admitted {
			t.Errorf("%d: %+v, %v", status, got, err)
		}
	}
}

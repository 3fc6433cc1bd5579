package operator

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the error about a request with values that cannot be read names each of their
// fields, and repeats no text of Go's parsers.
func TestDecodeReportsAllFields(t *testing.T) {
	t.Parallel()
	var request client.CreateKeyRequest
	err := decode(httptest.NewRecorder(), post(`{"name":7,"networks":["203.0.113.0/24","zz"],"expires_at":"2027-01-31","admin":true,"scopes":["data"]}`), &request)
	e, ok := err.(*toksta.Error)
	if !ok || e.Code != toksta.CodeValidation {
		t.Fatalf("got %v", err)
	}
	want := map[string]string{
		"admin":      "There is no such field.",
		"expires_at": "Give a time as in 2027-01-31T23:59:59Z.",
		"name":       "A number does not fit here.",
		"networks":   "The value does not fit here.",
	}
	if diff := cmp.Diff(want, e.Fields()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if request.Scopes[0] != "data" {
		t.Errorf("got scopes %v", request.Scopes)
	}
}

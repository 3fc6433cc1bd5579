package route

import (
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a path that a back end without regard to case, or to a slash at the end, takes for that of
// a route with another family, a higher price or a key is rejected, and every other path is not.
func TestAlike(t *testing.T) {
	t.Parallel()
	table, err := New([]toksta.Route{
		{Method: "*", Pattern: "/v1/*", Operation: "all", Family: "data"},
		{Method: "GET", Pattern: "/v1/admin", Operation: "admin", Family: "job"},
		{Method: "POST", Pattern: "/v1/Jobs/", Operation: "dear", Family: "data", Credits: 5},
		{Method: "GET", Pattern: "/v1/open", Operation: "open", Public: true},
		{Method: "GET", Pattern: "/v1/same", Operation: "same", Family: "data"},
		{Method: "GET", Pattern: "/v1/else", Operation: "else", Family: "job", Upstream: "another"},
		{Method: "GET", Pattern: "/v1/users/{id}/Keys", Operation: "keys", Family: "job"},
		{Method: "GET", Pattern: "/v2/{id}", Operation: "free", Public: true},
		{Method: "GET", Pattern: "/v2/me/{x}", Operation: "me", Family: "data"},
		{Method: "GET", Pattern: "/v2/{id}/{x}", Operation: "two", Family: "data"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[[2]string]string{
		{"GET", "/v1/admin"}: "admin", {"GET", "/v1/ADMIN"}: "", {"GET", "/v1/admin/"}: "", {"HEAD", "/v1/Admin/"}: "",
		{"GET", "/v1/%41dmin"}: "", {"GET", "/v1/%C3%85dmin"}: "all", {"GET", "/v1/ADMIN/x"}: "all", {"POST", "/v1/ADMIN"}: "all",
		{"POST", "/v1/Jobs/"}: "dear", {"POST", "/v1/jobs"}: "", {"POST", "/v1/Jobs"}: "", {"POST", "/v1/jobs/"}: "", {"GET", "/v1/jobs"}: "all",
		{"GET", "/v1/OPEN"}: "all", {"GET", "/v1/Same/"}: "all", {"GET", "/v1/ELSE"}: "all", {"GET", "/v1/"}: "all", {"GET", "/v1/X/"}: "all",
		{"GET", "/v1/users/Ann/Keys"}: "keys", {"GET", "/v1/users/Ann/keys"}: "", {"GET", "/v1/USERS/1/KEYS/"}: "", {"GET", "/v1/users/Ann/name"}: "all",
		{"GET", "/v2/ME"}: "free", {"GET", "/v2/ME/x"}: "two",
	} {
		r, err := table.Match(call[0], call[1])
		switch {
		case want == "" && toksta.ErrorCode(err) != toksta.CodeBadRequest:
			t.Errorf("%s: %v, %v; want %s", call, r, err, toksta.CodeBadRequest)
		case want != "" && (err != nil || r.Operation != want):
			t.Errorf("%s: %v, %v; want %s", call, r, err, want)
		}
	}
}

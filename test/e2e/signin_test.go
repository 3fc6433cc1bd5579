package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the audit trail of an account has its successful sign-ins, and the log has a
// record of every attempt with address, member and account. Neither contains an unknown
// e-mail address.
func TestSignInsAreRecorded(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.Signup.Policy = "open" })
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	post := func(path string, form url.Values) int {
		t.Helper()
		response, err := browser.PostForm(n.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	person := url.Values{"name": {"Ada"}, "account": {"Acme"}, "email": {"ada@example.com"}, "password": {"a long sentence that nobody guesses"}}
	statuses := []int{post("/signup", person)}
	for _, guess := range []url.Values{
		{"email": {"ada@example.com"}, "password": {"not-the-password"}},
		{"email": {"typed-by-mistake"}, "password": {"not-the-password"}},
		person,
	} {
		statuses = append(statuses, post("/signin", guess))
	}
	if diff := cmp.Diff([]int{303, 422, 422, 303}, statuses); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}

	api := n.Operator()
	accounts, err := api.ListAccounts(t.Context(), client.ListAccountsRequest{})
	if err != nil || len(accounts.Accounts) != 1 {
		t.Fatalf("%+v, %v", accounts, err)
	}
	account := accounts.Accounts[0].ID
	trail, err := api.Audit(t.Context(), client.AuditRequest{Account: account})
	if err != nil {
		t.Fatal(err)
	}
	last := trail.Changes[0]
	if last.Kind != toksta.ChangeMemberSignedIn || last.Actor.Address != "127.0.0.1" || last.Actor.Kind != toksta.ActorMember || last.Detail["failed_before"] != "1" {
		t.Errorf("the trail ends with %+v", last)
	}

	type line struct{ Route, Outcome, Code, Account, Member, Address string }
	var lines []line
	for text := range strings.Lines(string(n.Log.Bytes())) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Route == "POST /signin" {
			lines = append(lines, l)
		}
		if strings.Contains(text, "typed-by-mistake") || strings.Contains(text, "not-the-password") {
			t.Errorf("the log contains the typed address: %s", text)
		}
	}
	member, from := string(last.MemberID), "127.0.0.1"
	want := []line{
		{"POST /signin", "refused", "UNAUTHORIZED", "", member, from},
		{"POST /signin", "refused", "UNAUTHORIZED", "", "", from},
		{"POST /signin", "answered", "", string(account), member, from},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

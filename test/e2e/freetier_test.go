package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// freeTier configures a free plan with credits for everybody who accepts the terms.
func freeTier(c *config.Config) {
	none := config.Money(0)
	c.Signup.Consent = config.Consent{Text: "I accept the terms.", URL: "https://example.com/terms"}
	c.Plans = []config.Plan{{ID: "FREE", Name: "Free", Source: "plan", API: "always", Families: []toksta.Family{"data", "account"}, Fee: &none, IncludedCredits: 2}}
}

// visitor is a browser of a person.
type visitor struct {
	*testing.T
	http.Client
	url string
}

func newVisitor(t *testing.T, n *apptest.Node) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, http.Client{Jar: jar}, n.URL}
}

// post sends a form and returns the status and the page after all redirects.
func (v *visitor) post(path string, form url.Values) (status int, page string) {
	v.Helper()
	return v.read(v.PostForm(v.url+path, form))
}

// open returns the status and the text of a page.
func (v *visitor) open(path string) (status int, page string) {
	v.Helper()
	return v.read(v.Get(v.url + path))
}

func (v *visitor) read(r *http.Response, err error) (status int, page string) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		v.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// Guarantee: a free tier works without the vendor: a person accepts the terms, signs up,
// makes a key and calls the API until the included credits are used. The 402 then states the
// price, the balance and where to buy. The consent is stored with its time.
func TestFreeTier(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, freeTier)
	v := newVisitor(t, n)
	person := url.Values{"name": {"Ada"}, "account": {"Acme"}, "email": {"ada@example.com"}, "password": {"a long sentence that nobody guesses"}}
	if status, page := v.post("/signup", person); status != http.StatusUnprocessableEntity || !regexp.MustCompile(`id="e-consent"`).MatchString(page) {
		t.Fatalf("without consent: %d %s", status, page)
	}
	person.Set("consent", "yes")
	if status, page := v.post("/signup", person); status != http.StatusOK {
		t.Fatalf("signing up: %d %s", status, page)
	}
	_, form := v.open("/account/keys/new")
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(form)
	if token == nil {
		t.Fatalf("no form for a key: %s", form)
	}
	_, reveal := v.post("/account/keys", url.Values{"token": {token[1]}, "name": {"first"}, "scope": {"all"}, "expires": {"never"}})
	secret := secretPattern.FindString(reveal)

	const search = "POST /v1/creators/search"
	var got apptest.Response
	for i, want := range []int{200, 200, 402} {
		if got = apptest.Send(t, n.URL, search, secret); got.Status != want {
			t.Fatalf("call %d: %d %s, want %d", i, got.Status, got.Body, want)
		}
	}
	details := got.Error(t).Error.Details
	resets, _ := details["resets_at"].(string)
	if at, err := time.Parse(time.RFC3339, resets); err != nil || !at.After(time.Now()) {
		t.Errorf("resets_at %q: %v", resets, err)
	}
	delete(details, "resets_at")
	want := map[string]any{"reason": "insufficient_credits", "required": 1.0, "remaining": 0.0, "buy_url": "http://localhost:8080/account/plans"}
	if diff := cmp.Diff(want, details); diff != "" {
		t.Errorf("details (-want +got)\n%s", diff)
	}

	api := n.Operator()
	accounts, err := api.ListAccounts(t.Context(), client.ListAccountsRequest{})
	if err != nil || len(accounts.Accounts) != 1 {
		t.Fatalf("%+v, %v", accounts, err)
	}
	detail, err := api.Account(t.Context(), client.AccountRef{Account: accounts.Accounts[0].ID})
	if err != nil || len(detail.Members) != 1 {
		t.Fatalf("%+v, %v", detail, err)
	}
	m := detail.Members[0]
	if m.Consent != "I accept the terms. https://example.com/terms" || !m.ConsentAt.Equal(m.CreatedAt) {
		t.Errorf("consent %q at %v of a member of %v", m.Consent, m.ConsentAt, m.CreatedAt)
	}

	// The operator sees the reason too. The time depends on an event, which is written later.
	keys, err := api.ListKeys(t.Context(), client.ListKeysRequest{})
	if err != nil || len(keys.Keys) != 1 {
		t.Fatalf("%+v, %v", keys, err)
	}
	shown, err := api.Key(t.Context(), client.KeyRef{Key: keys.Keys[0].ID})
	if err != nil || shown.Rejection == nil {
		t.Fatalf("the key without credits: %+v, %v", shown, err)
	}
	if r := *shown.Rejection; r.Status != http.StatusPaymentRequired || r.Reason != toksta.ReasonInsufficientCredits {
		t.Errorf("the key is rejected with %+v", r)
	}
}

package app_test

import (
	"encoding/csv"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/client"
)

// tally is what an account's month came to.
type tally struct {
	Admitted, Credits int64
	Overage           string // dollars
	Refused           map[string]int64
}

// Guarantee: whoever looks at an account's month sees the same numbers, and
// they are those of the answers that were given: the customer through the API,
// on the page, in the download; the vendor through the operator API.
func TestNumbersAgree(t *testing.T) {
	t.Parallel()
	n := start(t)
	api := operatorOf(n)
	owner := account(t, api, "Counted")
	want, key := traffic(t, n, owner)

	var data, document map[string]any
	send(t, n.url, "GET /v1/account/usage", key).data(t, &data)
	want.Admitted++ // the question itself
	usageOf(t, api, owner, &document)
	if diff := cmp.Diff(data, document); diff != "" {
		t.Errorf("operator's document (-customer's +operator's)\n%s", diff)
	}
	compare := func(where string, got tally) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-answered +reported)\n%s", where, diff)
		}
	}
	compare("usage", fromDocument(data))

	days, err := n.app.Usage.Days(t.Context(), owner, "", "")
	if err != nil {
		t.Fatal(err)
	}
	sum := tally{Refused: map[string]int64{}}
	var overage float64
	for _, d := range days.Days {
		sum.Admitted += d.Admitted
		sum.Credits += d.Credits
		overage += float64(d.Overage) / 1e6
		for reason, calls := range d.Reasons {
			sum.Refused[string(reason)] += calls
		}
	}
	sum.Overage = strconv.FormatFloat(overage, 'f', 2, 64)
	compare("days", sum)

	browser := signIn(t, api, n.url, owner)
	compare("download", fromCSV(t, get(t, browser, n.url+"/account/usage.csv")))
	compare("page", fromPage(t, get(t, browser, n.url+"/account"), want))
}

// traffic makes calls with every outcome that a known key can have and returns
// what the answers add up to, with a key that still works.
func traffic(t *testing.T, n *node, owner toksta.AccountID) (tally, string) {
	api := operatorOf(n)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(k client.CreateKeyRequest) client.SecretAnswer {
		k.Account, k.Name = owner, "Some key"
		made, err := api.CreateKey(t.Context(), k)
		must(made, err)
		return made
	}
	total := tally{Refused: map[string]int64{}}
	call := func(times int, call, key string) {
		for range times {
			got := send(t, n.url, call, key)
			reason := got.reason(t)
			if reason == "" {
				total.Admitted++
				cost, _ := strconv.ParseInt(got.header.Get("X-Toksta-Credit-Cost"), 10, 64)
				total.Credits += cost
				continue
			}
			total.Refused[reason]++
		}
	}
	ref := client.AccountRef{Account: owner}
	must(api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "API_BUILD"}))
	live, revoked := create(client.CreateKeyRequest{}), create(client.CreateKeyRequest{})
	scoped := create(client.CreateKeyRequest{Scopes: []toksta.Family{"account"}})
	slow := create(client.CreateKeyRequest{PerMinute: 1})
	elsewhere := create(client.CreateKeyRequest{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	must(api.RevokeKey(t.Context(), client.KeyRef{Key: revoked.Key.ID}))

	match, free := "POST /v1/creators/audience-match", "GET /v1/creators/7"
	call(104, match, live.Secret) // 1,040 of 1,000 included credits: 40 at $0.025
	total.Overage = "1.00"
	call(7, free, live.Secret)
	call(3, free, scoped.Secret)
	call(2, "GET /v1/campaigns", live.Secret)
	call(4, free, revoked.Secret)
	call(5, free, slow.Secret)
	call(1, free, elsewhere.Secret)
	must(api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: ref, Status: "past_due"}))
	call(2, free, live.Secret)
	must(api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: ref, Status: "active"}))
	entitle(t, api, owner, "overage_cap_usd=1.00")
	call(3, match, live.Secret)
	for _, reason := range []string{
		"scope_insufficient", "workspace_not_entitled", "key_revoked", "rate_limited",
		"address_not_allowed", "billing_past_due", "insufficient_credits",
	} {
		if total.Refused[reason] == 0 {
			t.Errorf("no call was refused for %s: %v", reason, total.Refused)
		}
	}
	return total, live.Secret
}

// reason is why a call was refused, "" when it was not.
func (a answer) reason(t *testing.T) string {
	if a.status < 400 {
		return ""
	}
	if a.status == http.StatusUnauthorized {
		return string(toksta.ReasonKeyRevoked) // the only kind of dead key sent here
	}
	reason, _ := a.told(t).Error.Details["reason"].(string)
	return reason
}

func fromDocument(data map[string]any) tally {
	got := tally{Refused: map[string]int64{}}
	got.Admitted, got.Credits = int64(data["total_calls"].(float64)), int64(data["total_credits_charged"].(float64))
	got.Overage = strconv.FormatFloat(data["total_overage_usd"].(float64), 'f', 2, 64)
	for reason, calls := range data["refused"].(map[string]any) {
		got.Refused[reason] = int64(calls.(float64))
	}
	return got
}

func fromCSV(t *testing.T, text string) tally {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got, overage := tally{Refused: map[string]int64{}}, 0.0
	for _, row := range rows[1:] {
		outcome := row[5]
		calls, _ := strconv.ParseInt(row[6], 10, 64)
		credits, _ := strconv.ParseInt(row[7], 10, 64)
		usd, _ := strconv.ParseFloat(row[8], 64)
		got.Credits += credits
		overage += usd
		if outcome == "admitted" {
			got.Admitted += calls
		} else {
			got.Refused[outcome] += calls
		}
	}
	got.Overage = strconv.FormatFloat(overage, 'f', 2, 64)
	return got
}

// fromPage reads the figures beside their labels; the refusals by reason, of
// which some have words of their own on the page, are want's when their sum is.
func fromPage(t *testing.T, page string, want tally) tally {
	t.Helper()
	_, page, found := strings.Cut(page, `id="usage"`)
	if !found {
		t.Fatal("the page has no section #usage")
	}
	text := html.UnescapeString(regexp.MustCompile(`(?s)<svg.*?</svg>|<[^>]*>`).ReplaceAllString(page, " "))
	text = strings.Join(strings.Fields(text), " ")
	figure := func(label string) string {
		m := regexp.MustCompile(regexp.QuoteMeta(label) + ` \$?([0-9][0-9,.]*)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("the page has no figure for %q: %.2000s", label, text)
		}
		return strings.ReplaceAll(m[1], ",", "")
	}
	number := func(label string) int64 { n, _ := strconv.ParseInt(figure(label), 10, 64); return n }
	got := tally{Admitted: number("Calls admitted"), Credits: number("Credits charged"), Overage: figure("Overage"), Refused: map[string]int64{}}
	for reason, calls := range want.Refused {
		if got.Refused[reason] = calls; reason != "key_revoked" {
			got.Refused[reason] = number(reason)
		}
	}
	var sum int64
	for _, calls := range want.Refused {
		sum += calls
	}
	if refused := number("Refused"); refused != sum {
		t.Errorf("the page says %d refused, want %d", refused, sum)
	}
	return got
}

// signIn returns a browser in which a member of the account is signed in.
func signIn(t *testing.T, api *client.Client, base string, owner toksta.AccountID) *http.Client {
	t.Helper()
	const email, password = "ada@vendor.example", "a long sentence that nobody guesses"
	_, err := api.AddMember(t.Context(), client.AddMemberRequest{
		AccountRef: client.AccountRef{Account: owner}, Email: email, Name: "Ada", Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	res, err := browser.PostForm(base+"/signin", url.Values{"email": {email}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.Request.URL.Path != "/account" {
		t.Fatalf("sign-in leads to %s, %s", res.Request.URL, res.Status)
	}
	return browser
}

func get(t *testing.T, browser *http.Client, url string) string {
	t.Helper()
	res, err := browser.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(body)
}

package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// month is what GET /v1/account/usage says, as far as it counts.
type month struct {
	Calls      int64       `json:"total_calls"`
	Credits    int64       `json:"total_credits_charged"`
	Overage    json.Number `json:"total_overage_usd"`
	Operations map[string]struct {
		Calls   int64       `json:"calls"`
		Credits int64       `json:"credits_charged"`
		Overage json.Number `json:"overage_amount_usd"`
	} `json:"operations"`
	Keys []struct {
		ID      toksta.KeyID `json:"id"`
		Calls   int64        `json:"calls"`
		Credits int64        `json:"credits"`
	} `json:"keys"`
	Refused map[string]int64 `json:"refused"`
}

// sides are what the calls may be broken down by, as the operator calls them.
// All of them were made in an hour, or in two.
func (t *traffic) sides() map[string]func(outcome) string {
	return map[string]func(outcome) string{
		"key":       func(o outcome) string { return string(o.key) },
		"family":    func(o outcome) string { return o.family },
		"operation": func(o outcome) string { return o.operation },
		"reason":    outcome.word,
		"day":       nil,
		"hour":      nil,
	}
}

// word is the reason, as breakdowns write it.
func (o outcome) word() string {
	if o.reason == "" {
		return "admitted"
	}
	return o.reason
}

// whole is everything together.
func whole(outcome) string { return "" }

// Guarantee: whoever looks at an account's month sees the same numbers, and
// they are those of the calls that were made, whatever became of them: the
// customer through the API, on the page and in the download, the vendor through
// the operator API and the command line.
func TestNumbersAgree(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	backend, waiting := moody(t)
	p.Env = append(p.Env, "TOKSTA_UPSTREAMS_BACKEND_URL="+backend)
	p.Start()
	owner := apptest.NewAccount(t, p.API, "Counted")
	sent := &traffic{
		T: t, api: p.API, url: p.URL, ref: client.AccountRef{Account: owner},
		sums: map[outcome]sum{}, names: map[toksta.KeyID]string{},
	}
	sent.must(p.API.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: sent.ref, Plan: "API_BUILD"}))
	live := sent.everyOutcome(waiting)

	var asked, told, printed month
	apptest.Send(t, p.URL, usageCall.call, live.Secret).Data(t, &asked)
	sent.count(live.Key.ID, usageCall, "", 0) // the question itself
	sent.document("GET /v1/account/usage", asked)
	apptest.Usage(t, p.API, owner, &told)
	sent.document("operator's usage", told)
	p.CLI(&printed, "usage", string(owner))
	sent.document("toksta usage", printed)
	sent.sheet(string(p.Output("usage", string(owner), "--output=csv")))
	for by, side := range sent.sides() {
		table, err := p.API.UsageBy(t.Context(), client.UsageByRequest{AccountRef: sent.ref, By: by})
		sent.must(table, err)
		sent.table("operator's usage by "+by, table, side)
		table = client.UsageTable{}
		p.CLI(&table, "usage", string(owner), "--by", by)
		sent.table("toksta usage --by "+by, table, side)
	}
	browser := signIn(t, p.API, p.URL, owner)
	sent.download(get(t, browser, p.URL+"/account/usage.csv"))
	sent.page(get(t, browser, p.URL+"/account"))
	sent.days(get(t, browser, p.URL+"/account?view=table"))
	p.Stop()
}

// same compares what a view shows with what was sent.
func (t *traffic) same(where string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-sent +shown)\n%s", where, diff)
	}
}

// document checks a usage document: operations without those that cost nothing,
// and without calls that were refused.
func (t *traffic) document(where string, got month) {
	t.Helper()
	total := t.by(whole)[""]
	t.same(where, total, sum{got.Calls, total.Refused, got.Credits, micros(t.T, string(got.Overage))})
	operations, keys := map[string]sum{}, map[string]sum{}
	for name, o := range got.Operations {
		operations[name] = sum{Calls: o.Calls, Credits: o.Credits, Micros: micros(t.T, string(o.Overage))}
	}
	t.same(where+", operations", t.operations(), operations)
	for _, k := range got.Keys {
		keys[string(k.ID)] = sum{Calls: k.Calls, Credits: k.Credits}
	}
	want := t.by(t.sides()["key"])
	for id, s := range want {
		want[id] = sum{Calls: s.Calls, Credits: s.Credits}
	}
	t.same(where+", keys", want, keys)
	t.same(where+", refused", t.reasons(), got.Refused)
}

// operations are those with a price, and those that were charged for all the
// same, without their refused calls.
func (t *traffic) operations() map[string]sum {
	admitted := t.by(func(o outcome) string {
		if o.reason != "" {
			return ""
		}
		return o.operation
	})
	delete(admitted, "")
	for name, s := range admitted {
		if s.Credits == 0 && name != content.costKey {
			delete(admitted, name)
		}
	}
	return admitted
}

// reasons are refused calls by reason.
func (t *traffic) reasons() map[string]int64 {
	out := map[string]int64{}
	for o, s := range t.sums {
		if o.reason != "" {
			out[o.reason] += s.Refused
		}
	}
	return out
}

// table checks a breakdown: its rows, unless they are times, and that they add up.
func (t *traffic) table(where string, got client.UsageTable, side func(outcome) string) {
	t.Helper()
	read := func(s client.UsageSum) sum {
		return sum{s.Calls, s.Refused, s.Credits, micros(t.T, string(s.Overage))}
	}
	rows, total := map[string]sum{}, sum{}
	for _, row := range got.Rows {
		s := read(row.UsageSum)
		rows[row.Of] = s
		total = sum{total.Calls + s.Calls, total.Refused + s.Refused, total.Credits + s.Credits, total.Micros + s.Micros}
	}
	t.same(where+", total", t.by(whole)[""], read(got.Total))
	t.same(where+", sum of rows", t.by(whole)[""], total)
	if side != nil {
		t.same(where, t.by(side), rows)
	}
}

// sheet checks the rows that the command line makes of the document.
func (t *traffic) sheet(text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	t.must(rows, err)
	want, got := t.operations(), map[string]sum{}
	for reason, calls := range t.reasons() {
		want["refused: "+reason] = sum{Refused: calls}
	}
	total := t.by(whole)[""]
	total.Refused = 0
	want["all, free ones too"] = total
	for _, row := range rows[1:] {
		calls := count(t.T, row[2])
		if strings.HasPrefix(row[1], "refused: ") {
			got[row[1]] = sum{Refused: calls}
			continue
		}
		got[row[1]] = sum{Calls: calls, Credits: count(t.T, row[3]), Micros: micros(t.T, row[4])}
	}
	t.same("toksta usage, as a table", want, got)
}

// download checks the CSV, row by row apart from the day.
func (t *traffic) download(text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	t.must(rows, err)
	got := map[outcome]sum{}
	for _, row := range rows[1:] {
		o := outcome{toksta.KeyID(row[1]), row[3], row[4], row[5]}
		calls, credits := count(t.T, row[6]), count(t.T, row[7])
		s := sum{0, calls, credits, micros(t.T, row[8])}
		if o.reason == "admitted" {
			o.reason, s.Calls, s.Refused = "", calls, 0
		}
		had := got[o]
		got[o] = sum{had.Calls + s.Calls, had.Refused + s.Refused, had.Credits + s.Credits, had.Micros + s.Micros}
		t.same("download, name of "+row[1], t.names[o.key], row[2])
	}
	t.same("download", t.sums, got)
}

// said are the page's words for refusals that callers are not told of.
func said(reason string) string {
	switch reason {
	case "key_revoked":
		return "401 · revoked secret sent"
	case "key_expired":
		return "401 · expired key sent"
	case "rate_limited":
		return "429 · rate_limited"
	case "insufficient_credits":
		return "402 · insufficient_credits"
	default:
		return "403 · " + reason
	}
}

// page checks the figures on top and every breakdown of the section #usage.
func (t *traffic) page(text string) {
	t.Helper()
	total := t.by(whole)[""]
	t.same("page", map[string]string{
		"Calls admitted": fmt.Sprint(total.Calls), "Credits charged": strconv.FormatInt(total.Credits, 10),
		"Overage": "$" + dollars(total.Micros), "Refused": strconv.FormatInt(total.Refused, 10),
	}, figures(section(t.T, text)))

	want := map[string]map[string]string{"By key": {}, "By endpoint family": {}, "Credits, by operation": {}, "Refused, by reason": {}}
	for id, s := range t.by(t.sides()["key"]) {
		if label := t.names[toksta.KeyID(id)]; s.Calls > 0 && label == "Revoked" {
			want["By key"][label+" revoked"] = fmt.Sprint(s.Calls)
		} else if s.Calls > 0 {
			want["By key"][label] = fmt.Sprint(s.Calls)
		}
	}
	for family, s := range t.by(t.sides()["family"]) {
		if s.Calls > 0 {
			want["By endpoint family"][family] = fmt.Sprint(s.Calls)
		}
	}
	for name, s := range t.operations() {
		noun := "calls"
		if s.Calls == 1 {
			noun = "call"
		}
		want["Credits, by operation"][fmt.Sprintf("%s %d %s", name, s.Calls, noun)] = fmt.Sprint(s.Credits)
	}
	for reason, calls := range t.reasons() {
		want["Refused, by reason"][said(reason)] = fmt.Sprint(calls)
	}
	t.same("page's breakdowns", want, shares(section(t.T, text)))
}

// days checks the page's table, whose rows add up to the month.
func (t *traffic) days(text string) {
	t.Helper()
	var got sum
	rows := regexp.MustCompile(`(?s)<tr><th scope="row">.*?</tr>`).FindAllString(section(t.T, text), -1)
	for _, row := range rows {
		cells := regexp.MustCompile(`<td>([^<]*)</td>`).FindAllStringSubmatch(row, -1)
		n := func(i int) int64 { return count(t.T, cells[i][1]) }
		got.Calls, got.Refused, got.Credits = got.Calls+n(0), got.Refused+n(1), got.Credits+n(2)
		got.Micros += micros(t.T, strings.TrimPrefix(cells[3][1], "$"))
	}
	t.same("page's days", t.by(whole)[""], got)
}

// section is the part of the page that tells of usage.
func section(t *testing.T, page string) string {
	t.Helper()
	_, text, found := strings.Cut(page, `id="usage"`)
	text, _, closed := strings.Cut(text, "</section>")
	if !found || !closed {
		t.Fatal("the page has no section #usage")
	}
	return text
}

// words are the text of some HTML.
func words(text string) string {
	return strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, ""))), " ")
}

// plain is a figure without the commas between its thousands.
func plain(text string) string { return strings.ReplaceAll(words(text), ",", "") }

// figures are the page's numbers by their labels.
func figures(text string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`<dt>(.*?)</dt><dd>(.*?)</dd>`).FindAllStringSubmatch(text, -1) {
		out[words(m[1])] = plain(m[2])
	}
	return out
}

// shares are the page's breakdowns: by title, the numbers by their labels.
func shares(text string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, block := range strings.Split(text, `<div class="shares">`)[1:] {
		title, list, _ := strings.Cut(block, "</h3>")
		rows := map[string]string{}
		for _, m := range regexp.MustCompile(`(?s)<li><p><span>(.*?)</span><span>([^<]*)</span></p>`).FindAllStringSubmatch(list, -1) {
			rows[words(m[1])] = plain(m[2])
		}
		out[words(title)] = rows
	}
	return out
}

// count reads a whole number.
func count(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(plain(text), 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n
}

// micros reads dollars exactly.
func micros(t *testing.T, text string) int64 {
	t.Helper()
	money, ok := new(big.Rat).SetString(text)
	if ok {
		money.Mul(money, big.NewRat(1_000_000, 1))
	}
	if !ok || !money.IsInt() {
		t.Errorf("%q is no number of micro-dollars", text)
		return 0
	}
	return money.Num().Int64()
}

// dollars writes them as the page does.
func dollars(micros int64) string { return big.NewRat(micros, 1_000_000).FloatString(2) }

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

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

// month holds the numbers of GET /v1/account/usage.
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

// dimensions returns the dimensions by which the operator API groups calls. Days and hours
// have no function, because the calls may spread over two of them.
func (t *traffic) dimensions() map[string]func(outcome) string {
	return map[string]func(outcome) string{
		"key":       func(o outcome) string { return string(o.key) },
		"family":    func(o outcome) string { return o.family },
		"operation": func(o outcome) string { return o.operation },
		"reason":    outcome.reasonName,
		"day":       nil,
		"hour":      nil,
	}
}

// reasonName returns the reason as the views show it.
func (o outcome) reasonName() string {
	if o.reason == "" {
		return "admitted"
	}
	return o.reason
}

// allCalls groups all calls together.
func allCalls(outcome) string { return "" }

// Guarantee: all views of an account's month show the numbers of the calls that were made:
// the public API, the page and the download for the customer, the operator API and the
// command line for the vendor.
func TestNumbersAgree(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	backend, waiting := startUpstream(t)
	p.Env = append(p.Env, "TOKSTA_UPSTREAMS_BACKEND_URL="+backend)
	p.Start()
	owner := apptest.NewAccount(t, p.API, "Counted")
	sent := &traffic{
		T: t, api: p.API, url: p.URL, ref: client.AccountRef{Account: owner},
		sums: map[outcome]sum{}, names: map[toksta.KeyID]string{},
	}
	sent.must(p.API.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: sent.ref, Plan: "API_BUILD"}))
	live := sent.everyOutcome(waiting)

	var public, private, printed month
	apptest.Send(t, p.URL, usageCall.call, live.Secret).Data(t, &public)
	sent.count(live.Key.ID, usageCall, "", 0) // the request itself
	sent.checkDocument("GET /v1/account/usage", public)
	apptest.Usage(t, p.API, owner, &private)
	sent.checkDocument("operator's usage", private)
	p.CLI(&printed, "usage", string(owner))
	sent.checkDocument("toksta usage", printed)
	sent.checkSheet(string(p.Output("usage", string(owner), "--output=csv")))
	for by, side := range sent.dimensions() {
		table, err := p.API.UsageBy(t.Context(), client.UsageByRequest{AccountRef: sent.ref, By: by})
		sent.must(table, err)
		sent.checkTable("operator's usage by "+by, table, side)
		table = client.UsageTable{}
		p.CLI(&table, "usage", string(owner), "--by", by)
		sent.checkTable("toksta usage --by "+by, table, side)
	}
	browser := signIn(t, p.API, p.URL, owner)
	sent.checkDownload(get(t, browser, p.URL+"/account/usage.csv"))
	sent.checkPage(get(t, browser, p.URL+"/account"))
	sent.checkDays(get(t, browser, p.URL+"/account?view=table"))
	p.Stop()
}

// compare compares numbers of a view with the expected ones.
func (t *traffic) compare(where string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-sent +shown)\n%s", where, diff)
	}
}

// checkDocument checks a usage document. Its operations omit free ones and rejected calls.
func (t *traffic) checkDocument(where string, got month) {
	t.Helper()
	total := t.groupBy(allCalls)[""]
	t.compare(where, total, sum{got.Calls, total.Rejected, got.Credits, parseMicros(t.T, string(got.Overage))})
	operations, keys := map[string]sum{}, map[string]sum{}
	for name, o := range got.Operations {
		operations[name] = sum{Calls: o.Calls, Credits: o.Credits, Micros: parseMicros(t.T, string(o.Overage))}
	}
	t.compare(where+", operations", t.operations(), operations)
	for _, k := range got.Keys {
		keys[string(k.ID)] = sum{Calls: k.Calls, Credits: k.Credits}
	}
	want := t.groupBy(t.dimensions()["key"])
	for id, s := range want {
		want[id] = sum{Calls: s.Calls, Credits: s.Credits}
	}
	t.compare(where+", keys", want, keys)
	t.compare(where+", refused", t.reasons(), got.Refused)
}

// operations returns the totals by operation of those with a price or a charge, without
// rejected calls.
func (t *traffic) operations() map[string]sum {
	admitted := t.groupBy(func(o outcome) string {
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

// reasons returns the number of rejected calls by reason.
func (t *traffic) reasons() map[string]int64 {
	out := map[string]int64{}
	for o, s := range t.sums {
		if o.reason != "" {
			out[o.reason] += s.Rejected
		}
	}
	return out
}

// checkTable checks the rows of a table, unless they are times, and their sum.
func (t *traffic) checkTable(where string, got client.UsageTable, side func(outcome) string) {
	t.Helper()
	read := func(s client.UsageSum) sum {
		return sum{s.Calls, s.Refused, s.Credits, parseMicros(t.T, string(s.Overage))}
	}
	rows, total := map[string]sum{}, sum{}
	for _, row := range got.Rows {
		s := read(row.UsageSum)
		rows[row.Of] = s
		total = sum{total.Calls + s.Calls, total.Rejected + s.Rejected, total.Credits + s.Credits, total.Micros + s.Micros}
	}
	t.compare(where+", total", t.groupBy(allCalls)[""], read(got.Total))
	t.compare(where+", sum of rows", t.groupBy(allCalls)[""], total)
	if side != nil {
		t.compare(where, t.groupBy(side), rows)
	}
}

// checkSheet checks the CSV of the command line.
func (t *traffic) checkSheet(text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	t.must(rows, err)
	want, got := t.operations(), map[string]sum{}
	for reason, calls := range t.reasons() {
		want["refused: "+reason] = sum{Rejected: calls}
	}
	total := t.groupBy(allCalls)[""]
	total.Rejected = 0
	want["all, free ones too"] = total
	for _, row := range rows[1:] {
		calls := parseCount(t.T, row[2])
		if strings.HasPrefix(row[1], "refused: ") {
			got[row[1]] = sum{Rejected: calls}
			continue
		}
		got[row[1]] = sum{Calls: calls, Credits: parseCount(t.T, row[3]), Micros: parseMicros(t.T, row[4])}
	}
	t.compare("toksta usage, as a table", want, got)
}

// checkDownload checks the rows of the CSV download except their day.
func (t *traffic) checkDownload(text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	t.must(rows, err)
	got := map[outcome]sum{}
	for _, row := range rows[1:] {
		o := outcome{toksta.KeyID(row[1]), row[3], row[4], row[5]}
		calls, credits := parseCount(t.T, row[6]), parseCount(t.T, row[7])
		s := sum{0, calls, credits, parseMicros(t.T, row[8])}
		if o.reason == "admitted" {
			o.reason, s.Calls, s.Rejected = "", calls, 0
		}
		had := got[o]
		got[o] = sum{had.Calls + s.Calls, had.Rejected + s.Rejected, had.Credits + s.Credits, had.Micros + s.Micros}
		t.compare("download, name of "+row[1], t.names[o.key], row[2])
	}
	t.compare("download", t.sums, got)
}

// reasonText returns the page's words for reasons that responses do not contain.
func reasonText(reason string) string {
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

// checkPage checks the totals and every table of the section #usage.
func (t *traffic) checkPage(text string) {
	t.Helper()
	total := t.groupBy(allCalls)[""]
	t.compare("page", map[string]string{
		"Calls admitted": fmt.Sprint(total.Calls), "Credits charged": strconv.FormatInt(total.Credits, 10),
		"Overage": "$" + formatAmount(total.Micros), "Refused": strconv.FormatInt(total.Rejected, 10),
	}, figures(usageSection(t.T, text)))

	want := map[string]map[string]string{"By key": {}, "By endpoint family": {}, "Credits, by operation": {}, "Refused, by reason": {}}
	for id, s := range t.groupBy(t.dimensions()["key"]) {
		if label := t.names[toksta.KeyID(id)]; s.Calls > 0 && label == "Revoked" {
			want["By key"][label+" revoked"] = fmt.Sprint(s.Calls)
		} else if s.Calls > 0 {
			want["By key"][label] = fmt.Sprint(s.Calls)
		}
	}
	for family, s := range t.groupBy(t.dimensions()["family"]) {
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
		want["Refused, by reason"][reasonText(reason)] = fmt.Sprint(calls)
	}
	t.compare("page's breakdowns", want, breakdowns(usageSection(t.T, text)))
}

// checkDays checks that the rows of the page's table of days add up to the month.
func (t *traffic) checkDays(text string) {
	t.Helper()
	var got sum
	rows := regexp.MustCompile(`(?s)<tr><th scope="row">.*?</tr>`).FindAllString(usageSection(t.T, text), -1)
	for _, row := range rows {
		cells := regexp.MustCompile(`<td[^>]*>([^<]*)</td>`).FindAllStringSubmatch(row, -1)
		n := func(i int) int64 { return parseCount(t.T, cells[i][1]) }
		got.Calls, got.Rejected, got.Credits = got.Calls+n(0), got.Rejected+n(1), got.Credits+n(2)
		got.Micros += parseMicros(t.T, strings.TrimPrefix(cells[3][1], "$"))
	}
	t.compare("page's days", t.groupBy(allCalls)[""], got)
}

// usageSection returns the section #usage of the page.
func usageSection(t *testing.T, page string) string {
	t.Helper()
	_, text, found := strings.Cut(page, `id="usage"`)
	text, _, closed := strings.Cut(text, "</section>")
	if !found || !closed {
		t.Fatal("the page has no section #usage")
	}
	return text
}

// textOf returns the text of some HTML.
func textOf(text string) string {
	return strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, ""))), " ")
}

// digits returns a number without the commas between thousands.
func digits(text string) string { return strings.ReplaceAll(textOf(text), ",", "") }

// figures returns the page's totals by their labels.
func figures(text string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`<dt>(.*?)</dt><dd>(.*?)</dd>`).FindAllStringSubmatch(text, -1) {
		out[textOf(m[1])] = digits(m[2])
	}
	return out
}

// breakdowns returns the page's tables by their titles, with the numbers by their labels.
func breakdowns(text string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, block := range strings.Split(text, `<div class="shares">`)[1:] {
		title, list, _ := strings.Cut(block, "</h3>")
		rows := map[string]string{}
		for _, m := range regexp.MustCompile(`(?s)<li><p><span>(.*?)</span><span>([^<]*)</span></p>`).FindAllStringSubmatch(list, -1) {
			rows[textOf(m[1])] = digits(m[2])
		}
		out[textOf(title)] = rows
	}
	return out
}

// parseCount parses an integer.
func parseCount(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(digits(text), 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n
}

// parseMicros parses an amount exactly.
func parseMicros(t *testing.T, text string) int64 {
	t.Helper()
	money, ok := new(big.Rat).SetString(text)
	if ok {
		money.Mul(money, big.NewRat(1_000_000, 1))
	}
	if !ok || !money.IsInt() {
		t.Errorf("%q is not a multiple of a millionth", text)
		return 0
	}
	return money.Num().Int64()
}

// formatAmount formats millionths as the page does.
func formatAmount(micros int64) string { return big.NewRat(micros, 1_000_000).FloatString(2) }

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
		t.Fatalf("the sign-in redirects to %s, %s", res.Request.URL, res.Status)
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

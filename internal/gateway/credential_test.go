package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// Guarantee: a key is accepted in one form only. Otherwise two servers could disagree
// about the caller.
func TestCredentialForms(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	bearer := "Authorization: Bearer " + goodKey
	for name, c := range map[string]struct {
		lines  string
		status int
	}{
		"plain":                     {bearer, 200},
		"lower-case scheme":         {"authorization: bearer " + goodKey, 200},
		"mixed-case scheme":         {"AUTHORIZATION: bEaReR " + goodKey, 200},
		"several spaces":            {"Authorization: Bearer    " + goodKey, 200},
		"trailing space":            {bearer + " ", 200},
		"trailing tab":              {bearer + " \t", 200},
		"tab after scheme":          {"Authorization: Bearer\t" + goodKey, 401},
		"space then tab":            {"Authorization: Bearer \t" + goodKey, 401},
		"no space":                  {"Authorization: Bearer" + goodKey, 401},
		"no scheme":                 {"Authorization: " + goodKey, 401},
		"no key":                    {"Authorization: Bearer", 401},
		"no key, spaces":            {"Authorization: Bearer   ", 401},
		"empty":                     {"Authorization:", 401},
		"other scheme":              {"Authorization: Basic " + goodKey, 401},
		"longer scheme":             {"Authorization: Bearers " + goodKey, 401},
		"upper-case key":            {"Authorization: Bearer " + strings.ToUpper(goodKey), 401},
		"upper-case hex":            {"Authorization: Bearer tk_live_" + strings.ToUpper(goodKey[8:]), 401},
		"quoted":                    {`Authorization: Bearer "` + goodKey + `"`, 401},
		"something behind":          {bearer + " x", 401},
		"percent-encoded":           {"Authorization: Bearer %74" + goodKey[1:], 401},
		"no-break space behind":     {bearer + "\u00a0", 401},
		"latin-1 no-break space":    {bearer + "\xa0", 401},
		"next line behind":          {bearer + "\u0085", 401},
		"no-break space before":     {"Authorization: Bearer \u00a0" + goodKey, 401},
		"em space after scheme":     {"Authorization: Bearer\u2003" + goodKey, 401},
		"long s in scheme":          {"Authorization: Bearer\u017f " + goodKey, 401},
		"comma-joined":              {bearer + ", Bearer " + goodKey, 401},
		"comma-joined, no space":    {bearer + ",Bearer " + goodKey, 401},
		"comma behind":              {bearer + ",", 401},
		"two fields":                {bearer + "\r\n" + bearer, 401},
		"two fields, one bad":       {bearer + "\r\nAuthorization: Bearer x", 401},
		"empty field beside":        {bearer + "\r\nauthorization:", 401},
		"no field":                  {"Accept: */*", 401},
		"X-Api-Key":                 {"X-Api-Key: " + goodKey, 401},
		"X-Api-Key beside a bad":    {"Authorization: Bearer x\r\nX-Api-Key: " + goodKey, 401},
		"Proxy-Authorization":       {"Proxy-Authorization: Bearer " + goodKey, 401},
		"cookie":                    {"Cookie: authorization=" + goodKey + "; api_key=" + goodKey, 401},
		"X-Original-Authorization":  {"X-Original-Authorization: Bearer " + goodKey, 401},
		"X-Forwarded-Authorization": {"X-Forwarded-Authorization: Bearer " + goodKey, 401},
		"underscore":                {"Authorization_: Bearer " + goodKey, 401},
	} {
		got := b.raw(request("GET", "/v1/creators/7", strings.Split(c.lines, "\r\n")...))
		if got.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.StatusCode, got.Body, c.status)
		}
		if n := len(b.forwarded()); n != 0 && c.status != http.StatusOK {
			t.Errorf("%s: the upstream saw %d requests", name, n)
		}
		if strings.Contains(got.Body, goodKey[8:]) {
			t.Errorf("%s: the response contains the key", name)
		}
	}
}

// Guarantee: a key is accepted in the Authorization field only.
func TestCredentialElsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	form := "access_token=" + goodKey
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"query":    {request("GET", "/v1/creators/7?access_token="+goodKey+"&api_key="+goodKey, "Accept: */*"), 401},
		"userinfo": {request("GET", "http://"+goodKey+"@api.test/v1/creators/7", "Accept: */*"), 400},
		"body": {request("POST", "/v1/creators/search", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 69") +
			form, 401},
		"trailer": {request("POST", "/v1/creators/search", "Transfer-Encoding: chunked", "Trailer: Authorization") +
			"2\r\nhi\r\n0\r\nAuthorization: Bearer " + goodKey + "\r\n\r\n", 401},
		"method override": {request("POST", "/v1/creators/search?authorization=Bearer%20"+goodKey, "Content-Length: 0"), 401},
	} {
		// net/http rejects the announced trailer by itself: also fine.
		if got := b.raw(c.request); got.StatusCode != c.status && (name != "trailer" || got.StatusCode != 400) {
			t.Errorf("%s: %d %s, want %d", name, got.StatusCode, got.Body, c.status)
		}
		if n := len(b.forwarded()); n != 0 {
			t.Errorf("%s: the upstream saw %d requests", name, n)
		}
	}
}

package doors

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
)

// clientAddress is the address of clients. It differs from that of the proxies, 127.0.0.1.
const clientAddress = "127.0.0.2"

// proxies are the names of the doors that ask at the listener for proxies.
var proxies = []string{"nginx", "haproxy", "caddy", "traefik", "envoy"}

// send sends the lines of a request's head, without Host, to an address and returns the response,
// whose status is 0 if the proxy closed the connection.
func send(t *testing.T, address string, lines ...string) apptest.Response {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := lines[0] + " HTTP/1.1\r\nHost: api.example.com\r\n" + strings.Join(append(lines[1:], "\r\n"), "\r\n")
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(head, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return apptest.Response{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%q: %v", head, err)
	}
	return apptest.Response{Status: res.StatusCode, Header: res.Header, Body: body}
}

// forged is a request that pretends to be another one.
type forged struct {
	name   string
	line   string // "" is the admitted request
	fields []string
	key    string // "" is one without limits
	// status is the only one beside 400 that the client may receive, and 401 if the key is lost.
	status int
}

// forgeries are this year's ways to deceive forward authentication, and the older ones.
func forgeries(nearby, away string) map[string]forged {
	const none, post = "GET /v1/none", "POST /v1/things/7"
	return map[string]forged{
		"X-Forwarded-Uri":                {line: none, fields: []string{"X-Forwarded-Uri: /v1/things/7"}, status: 404},
		"X-Forwarded-URI, underscores":   {line: none, fields: []string{"X_Forwarded_Uri: /v1/things/7"}, status: 404},
		"X-Original-URI":                 {line: none, fields: []string{"X-Original-URI: /v1/things/7"}, status: 404},
		"X-Original-URI twice":           {line: none, fields: []string{"X-Original-URI: /v1/things/7", "X-Original-URI: /v1/things/7"}, status: 404},
		"X-Original-URL":                 {line: none, fields: []string{"X-Original-URL: /v1/things/7"}, status: 404},
		"X-Rewrite-URL":                  {fields: []string{"X-Rewrite-URL: /v1/none"}, status: 200},
		"X-Forwarded-Method":             {line: post, fields: []string{"X-Forwarded-Method: GET"}, status: 405},
		"X-Original-Method":              {line: post, fields: []string{"X-Original-Method: GET"}, status: 405},
		"X-HTTP-Method-Override":         {fields: []string{"X-HTTP-Method-Override: DELETE"}, status: 200},
		"hop-by-hop target":              {line: none, fields: []string{"Connection: X-Forwarded-Uri, X-Original-URI, close", "X-Forwarded-Uri: /v1/things/7"}, status: 404},
		"hop-by-hop method":              {line: post, fields: []string{"Connection: X-Forwarded-Method, X-Original-Method"}, status: 405},
		"hop-by-hop address":             {key: nearby, fields: []string{"Connection: X-Forwarded-For"}, status: 200},
		"hop-by-hop key":                 {fields: []string{"Connection: Authorization"}, status: 200},
		"hop-by-hop identity":            {fields: []string{"Connection: X-Toksta-Account-Id, X-Toksta-Plan, X-Toksta-Scopes"}, status: 200},
		"upgrade to HTTP/2":              {fields: []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"}, status: 200},
		"upgrade to HTTP/2, bare":        {fields: []string{"Connection: Upgrade", "Upgrade: H2C"}, status: 200},
		"upgrade to HTTP/2, last":        {fields: []string{"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}, status: 200},
		"upgrade to HTTP/2, public":      {line: "GET /v1/open/7", fields: []string{"Connection: Upgrade", "Upgrade: h2c"}, status: 200},
		"path of Gunicorn":               {line: "GET /v1/files/v1/things/7", fields: []string{"SCRIPT_NAME: /v1/files"}, status: 200},
		"path of Daphne":                 {line: "GET /v1/files/v1/things/7", fields: []string{"Daphne-Root-Path: /v1/files"}, status: 200},
		"X-Forwarded-For":                {key: away, fields: []string{"X-Forwarded-For: 203.0.113.9"}, status: 403},
		"X-Forwarded-For twice":          {key: away, fields: []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.9"}, status: 403},
		"X-Real-IP":                      {key: away, fields: []string{"X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9", "True-Client-IP: 203.0.113.9"}, status: 403},
		"a true client":                  {key: nearby, fields: []string{"X-Forwarded-For: 203.0.113.9"}, status: 200},
		"X-Forwarded-Prefix":             {fields: []string{"X-Forwarded-Prefix: /v1/none"}, status: 200},
		"X-Forwarded-Port":               {fields: []string{"X-Forwarded-Port: 443", "X-Forwarded-Proto: https", "X-Forwarded-Host: admin.example.com"}, status: 200},
		"identity":                       {fields: []string{"X-Toksta-Account-Id: acct_forged", "x-toksta-plan: FORGED"}, status: 200},
		"identity, underscores":          {fields: []string{"X_Toksta_Account_Id: acct_forged"}, status: 200},
		"identity, mixed":                {fields: []string{"X-Toksta_Account-Id: acct_forged"}, status: 200},
		"identity, dots":                 {fields: []string{"X.Toksta.Account.Id: acct_forged"}, status: 200},
		"identity on a public route":     {line: "GET /v1/open/7", fields: []string{"X-Toksta-Account-Id: acct_forged", "X-Toksta-Scopes: job"}, status: 200},
		"identity, dots, public":         {line: "GET /v1/open/7", fields: []string{"X.Toksta.Account.Id: acct_forged"}, status: 200},
		"absolute target":                {line: "GET http://api.example.com/v1/things/7?a=b", status: 200},
		"absolute target, none":          {line: "GET http://api.example.com/v1/none", status: 404},
		"absolute target, another host":  {line: "GET http://example.org/v1/things/7", status: 200},
		"dot segments":                   {line: "GET /v1/open/../creators/7", status: 400},
		"encoded dot segments":           {line: "GET /v1/open/%2e%2e/creators/7", status: 400},
		"encoded slash":                  {line: "GET /v1/open%2F..%2Fcreators/7", status: 400},
		"empty segment":                  {line: "GET //v1/things/7", status: 400},
		"malformed escape":               {line: "GET /v1/things/%zz", status: 400},
		"fragment":                       {line: "GET /v1/open#/../creators/7", status: 400},
		"backslash":                      {line: `GET /v1/open\..\creators/7`, status: 400},
		"two keys":                       {fields: []string{"Authorization: Bearer tk_live_other"}, status: 401},
		"X-Forwarded-Uri beside a query": {line: "GET /v1/none?X-Forwarded-Uri=/v1/things/7", fields: []string{"X-Forwarded-Uri: /v1/things/7"}, status: 404},
	}
}

// Guarantee: at each proxy, a request that pretends to be another one is rejected, or decided on as
// it is: the back end receives the target that was decided on, and no identity or path of the client.
func TestForged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api, owner := w.Node.Operator(), w.keys["live"].Account
	within := func(network string) string {
		made, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: owner, Name: "limited", Networks: []netip.Prefix{netip.MustParsePrefix(network)}})
		if err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	all := forgeries(within(clientAddress+"/32"), within("203.0.113.0/24"))
	each(t, proxies, func(t *testing.T, d Door) {
		address := d.Start(t, w)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			f := all[name]
			f.name = name
			checkForged(t, address, &f, w.keys["live"])
		}
	})
}

// identityName matches each name that a back end could read as one of the identity fields.
var identityName = regexp.MustCompile(`(?i)^x[^a-z0-9]toksta[^a-z0-9]`)

// checkForged sends a forged request and checks the response and the request to the back end.
func checkForged(t *testing.T, address string, f *forged, live caller) {
	t.Helper()
	name, key := f.name, live.Secret
	line := f.line
	if line == "" {
		line = "GET /v1/things/7"
	}
	if f.key != "" {
		key = f.key
	}
	got := send(t, address, append([]string{line, "Authorization: Bearer " + key}, f.fields...)...)
	isLost := got.Status == http.StatusUnauthorized && slices.Contains(f.fields, "Connection: Authorization")
	isUpgrade := got.Status == http.StatusForbidden && strings.HasPrefix(name, "upgrade ") // rejected by Envoy
	if got.Status != f.status && got.Status != http.StatusBadRequest && got.Status != 0 && !isLost && !isUpgrade {
		t.Errorf("%s: %d %s, want %d or 400", name, got.Status, got.Body, f.status)
	}
	if got.Status != http.StatusOK {
		return
	}
	var r echo
	if err := json.Unmarshal(got.Body, &r); err != nil {
		t.Errorf("%s: %s: %v", name, got.Body, err)
	}
	asked := strings.NewReplacer("http://api.example.com", "", "http://example.org", "").Replace(line)
	if r.Method+" "+strings.TrimPrefix(strings.TrimPrefix(r.Target, "http://api.example.com"), "http://example.org") != asked {
		t.Errorf("%s: the back end received %s %s", name, r.Method, r.Target)
	}
	if strings.Contains(strings.ToLower(r.Header["upgrade"]), "h2c") || r.Header["http2-settings"] != "" || r.Header["x-toksta-plan"] == "" && r.Header["x-toksta-account-id"] != "" {
		t.Errorf("%s: the back end received %v", name, r.Header)
	}
	for field, value := range r.Header {
		switch {
		case identityName.MatchString(field) && strings.Contains(strings.ToLower(value), "forged"),
			identityName.MatchString(field) && strings.HasPrefix(line, "GET /v1/open/7") && value != "",
			slices.Contains([]string{"authorization", "x-forwarded-prefix", "x-rewrite-url", "x-original-url", "x-http-method-override", "script_name", "daphne-root-path"}, field):
			t.Errorf("%s: the back end received %s: %s", name, field, value)
		}
	}
	if !strings.HasPrefix(line, "GET /v1/open/7") && r.Header["x-toksta-account-id"] != string(live.Account) {
		t.Errorf("%s: the back end received the account %q", name, r.Header["x-toksta-account-id"])
	}
}

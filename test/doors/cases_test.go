package doors

import (
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Case is one request and its outcome.
type Case struct {
	Name  string
	Call  string   // method and request target, as sent
	Key   string   // of the keyring, sent as Bearer; "": none
	Lines []string // further header lines; "{live}" stands for the key "live"
	Body  string
	Again bool // repeat the request until it gets the expected status: a window may end in between
	Want  Want
	own   bool // see deviation
}

// Want is the outcome of a case. A case without a code is admitted.
type Want struct {
	Status    int // 0: 200
	Code      toksta.Code
	Reason    toksta.Reason  // in error.details
	Details   map[string]any // others in error.details that are compared
	Challenge string         // WWW-Authenticate
	Allow     string
	Cost      string // X-Toksta-Credit-Cost
	Public    bool   // the back end receives no identity
}

const (
	realm        = `Bearer realm="Toksta"`
	invalidToken = realm + `, error="invalid_token"`
)

// The outcomes that several cases share.
var (
	public       = Want{Public: true}
	badRequest   = Want{Status: 400, Code: toksta.CodeBadRequest}
	notFound     = Want{Status: 404, Code: toksta.CodeNotFound}
	missing      = Want{Status: 401, Code: toksta.CodeUnauthorized, Challenge: realm}
	unauthorized = Want{Status: 401, Code: toksta.CodeUnauthorized, Challenge: invalidToken}
	unpaid       = Want{Status: 402, Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits, Details: map[string]any{"required": 2.0}}
)

// noLease is the case for a node without a lease.
var noLease = Case{Name: "no lease", Call: "GET /v1/things/7", Key: "live", Want: Want{Status: 503, Code: toksta.CodeUnavailable}}

func forbidden(r toksta.Reason) Want {
	return Want{Status: 403, Code: toksta.CodeForbidden, Reason: r}
}

// cases lists the cases of every door.
func cases() []Case {
	return slices.Concat(credentialCases(), rightCases(), targetCases(), methodCases(), forgedCases(), upgradeCases(), publicCases())
}

// credentialCases lists the cases about the form and the state of the key.
func credentialCases() []Case {
	const call = "GET /v1/things/7"
	basic := []string{"Authorization: Basic eDp5"}
	return []Case{
		{Name: "admitted", Call: call, Key: "live"},
		{Name: "scheme in lower case", Call: call, Lines: []string{"authorization: bearer {live}"}},
		{Name: "spaces after the scheme", Call: call, Lines: []string{"Authorization: Bearer   {live}"}},
		{Name: "no key", Call: call, Want: missing},
		{Name: "another scheme", Call: call, Lines: basic, Want: unauthorized},
		{Name: "no scheme", Call: call, Lines: []string{"Authorization: {live}"}, Want: unauthorized},
		{Name: "text after the key", Call: call, Lines: []string{"Authorization: Bearer {live} x"}, Want: unauthorized},
		{Name: "two keys in a field", Call: call, Lines: []string{"Authorization: Bearer {live}, Bearer {live}"}, Want: unauthorized},
		{Name: "two fields", Call: call, Lines: []string{"Authorization: Bearer {live}", "Authorization: Bearer {live}"}, Want: unauthorized},
		{Name: "two fields, another scheme first", Call: call, Lines: append(basic, "Authorization: Bearer {live}"), Want: unauthorized},
		{Name: "two fields, another scheme last", Call: call, Lines: []string{"Authorization: Bearer {live}", "authorization: Basic eDp5"}, Want: unauthorized},
		{Name: "key in other places", Call: call + "?key={live}&access_token={live}", Lines: []string{"X-Api-Key: {live}", "Cookie: key={live}"}, Want: missing},
		{Name: "unknown key", Call: call, Key: "unknown", Want: unauthorized},
		{Name: "revoked key", Call: call, Key: "revoked", Want: unauthorized},
		{Name: "replaced key", Call: call, Key: "replaced", Want: unauthorized},
		{Name: "expired key", Call: call, Key: "expired", Want: unauthorized},
	}
}

// rightCases lists the cases about the rights, the limits and the credits of a live key.
func rightCases() []Case {
	const call, paid = "GET /v1/things/7", "POST /v1/things"
	scope := forbidden(toksta.ReasonScopeInsufficient)
	scope.Details = map[string]any{"required_family": "data"}
	scope.Challenge = realm + `, error="insufficient_scope", scope="data"`
	limited := Want{Status: 429, Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited}
	return []Case{
		{Name: "free plan", Call: call, Key: "free", Want: forbidden(toksta.ReasonPlanFree)},
		{Name: "past due", Call: call, Key: "past due", Want: forbidden(toksta.ReasonBillingPastDue)},
		{Name: "canceled", Call: call, Key: "canceled", Want: forbidden(toksta.ReasonSubscriptionInactive)},
		{Name: "access off", Call: call, Key: "off", Want: forbidden(toksta.ReasonAPIAccessDisabled)},
		{Name: "family not in the plan", Call: "GET /v1/campaigns", Key: "workspace", Want: forbidden("workspace_not_entitled")},
		{Name: "scope", Call: call, Key: "scoped", Want: scope},
		{Name: "in scope", Call: "GET /v1/jobs/7", Key: "scoped"},
		{Name: "address", Call: call, Key: "network", Want: forbidden(toksta.ReasonAddressNotAllowed)},
		{Name: "rate limit", Call: call, Key: "slow", Again: true, Want: limited},
		{Name: "no credits", Call: paid, Key: "broke", Body: `{"name":"x"}`, Want: unpaid},
		{Name: "free call without credits", Call: call, Key: "broke"},
		{Name: "first paid call", Call: paid, Key: "paid", Body: `{"name":"x"}`, Want: Want{Cost: "2"}},
		{Name: "second paid call", Call: paid, Key: "paid", Body: `{"name":"x"}`, Want: Want{Cost: "2"}},
		{Name: "third paid call", Call: paid, Key: "paid", Body: `{"name":"x"}`, Want: unpaid},
	}
}

// targetCases lists the cases about the form of the request target.
func targetCases() []Case {
	const key = "live"
	out := []Case{
		{Name: "query as sent", Call: "GET /v1/things/7?a=b%2Fc&a=%20+;&empty", Key: key},
		{Name: "escapes as sent", Call: "GET /v1/things/%E6%9D%B1%20x", Key: key},
		{Name: "wildcard", Call: "GET /v1/files/a/b/c", Key: key},
		{Name: "unknown path", Call: "GET /v1/nothing", Key: key, Want: notFound},
		{Name: "unknown path without a key", Call: "GET /v1/nothing", Want: notFound},
		{Name: "another family's path in other case", Call: "GET /v1/files/Locked", Key: key, Want: badRequest},
		{Name: "another family's path with a slash", Call: "GET /v1/files/locked/", Key: key, Want: badRequest},
		{Name: "other case", Call: "GET /V1/things/7", Key: key, Want: notFound},
		{Name: "slash at the end", Call: "GET /v1/things/7/", Key: key, Want: notFound},
		{Name: "target too long", Call: "GET /v1/things/7?q=" + strings.Repeat("a", 8<<10), Key: key, Want: Want{Status: 414, Code: toksta.CodeTargetTooLong}},
	}
	for _, path := range []string{
		"/v1/things/..", "/v1/things/../open/7", "/v1/things/%2e%2e", "/v1//things/7", "/v1/things/a%2fb", "/v1/things/a;b",
		"/v1/things/a%5cb", "/v1/things/%252e", "/v1/things/%00", "/v1/things/a%C0%AFb", "/v1/open/../things/7",
	} {
		out = append(out, Case{Name: "ambiguous path " + path, Call: "GET " + path, Key: key, Want: badRequest})
	}
	return out
}

// methodCases lists the cases about methods.
func methodCases() []Case {
	const key = "live"
	wrong := Want{Status: 405, Code: toksta.CodeMethodNotAllowed, Allow: "GET, HEAD", Details: map[string]any{"allow": "GET, HEAD"}}
	return []Case{
		{Name: "HEAD", Call: "HEAD /v1/things/7", Key: key},
		{Name: "HEAD without a key", Call: "HEAD /v1/things/7", Want: missing},
		{Name: "PUT with a body", Call: "PUT /v1/files/a", Key: key, Body: "0123456789"},
		{Name: "OPTIONS of a route", Call: "OPTIONS /v1/options", Key: key},
		{Name: "OPTIONS without a key", Call: "OPTIONS /v1/options", Want: missing},
		{Name: "OPTIONS without a route", Call: "OPTIONS /v1/things/7", Want: wrong},
		{Name: "wrong method", Call: "DELETE /v1/things/7", Key: key, Want: wrong},
		{Name: "method in lower case", Call: "get /v1/things/7", Key: key, Want: wrong},
	}
}

// forgedCases lists cases with fields with which a client tries to change the decision, or the identity
// that the back end receives.
func forgedCases() []Case {
	const call = "GET /v1/things/7"
	elsewhere := []string{
		"X-Original-URI: /v1/open/7", "X-Original-URL: /v1/open/7", "X-Original-Method: GET", "X-Rewrite-URL: /v1/open/7",
		"X-Forwarded-Uri: /v1/open/7", "X-Forwarded-Method: GET", "X-Forwarded-Path: /v1/open/7", "X-Forwarded-Prefix: /v1/open",
		"X-Forwarded-Host: open.test", "X-Forwarded-Port: 1", "X-Forwarded-Proto: https", "X-HTTP-Method-Override: GET", "X-Envoy-Original-Path: /v1/open/7",
	}
	address := []string{
		"X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "True-Client-IP: 203.0.113.9", "X-Client-IP: 203.0.113.9",
		"Forwarded: for=203.0.113.9", "x_forwarded_for: 203.0.113.9",
	}
	hop := append([]string{"Connection: X-Forwarded-Uri, X-Forwarded-Method, X-Original-URI, X-Original-Method, X-Forwarded-For, Authorization"}, elsewhere...)
	return []Case{
		{Name: "forged identity", Call: call, Key: "live", Lines: []string{
			"X-Toksta-Account-Id: forged", "x-toksta-account-id: forged", "X_Toksta_Account_Id: forged", "X-TOKSTA-KEY-ID: forged",
			"X-Toksta_Plan: forged", "x_toksta_scopes: forged", "X-Toksta-Source: forged", "X-Toksta-Further: forged",
			"X-Toksta-Credit-Cost: forged",
		}},
		{Name: "forged identity without a key", Call: call, Want: missing, Lines: []string{"X-Toksta-Account-Id: acct_1", "X-Toksta-Key-Id: key_1"}},
		{Name: "another target in fields", Call: call, Lines: elsewhere, Want: missing},
		{Name: "another target in fields, admitted", Call: call, Key: "live", Lines: elsewhere},
		{Name: "another target in fields, wrong method", Call: "DELETE /v1/things/7", Key: "live", Lines: elsewhere, Want: Want{Status: 405, Code: toksta.CodeMethodNotAllowed, Allow: "GET, HEAD"}},
		{Name: "fields named by Connection", Call: call, Lines: hop, Want: missing},
		{Name: "another address in fields", Call: call, Key: "network", Lines: address, Want: forbidden(toksta.ReasonAddressNotAllowed)},
		{Name: "ids of the client", Call: call, Key: "live", Lines: []string{
			"X-Request-Id: " + clientID, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		}},
		{Name: "ids of the client, rejected", Call: call, Lines: []string{"X-Request-Id: " + clientID}, Want: missing},
		{Name: "unsafe id", Call: call, Key: "live", Lines: []string{`X-Request-Id: a"b`}},
		{Name: "unsafe id, rejected", Call: call, Lines: []string{`X-Request-Id: a"b`}, Want: missing},
	}
}

// upgradeCases lists cases with an upgrade that is not one to WebSocket alone. No field of it may reach the back
// end: see switchToH2C.
func upgradeCases() []Case {
	const call, named = "GET /v1/things/7", "Connection: Upgrade, HTTP2-Settings"
	upgrade := func(name, connection string, protocols ...string) Case {
		c := Case{Name: name, Call: call, Key: "live", Lines: []string{
			connection, "HTTP2-Settings: AAMAAABkAAQAAP__", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		}}
		for _, p := range protocols {
			c.Lines = append(c.Lines, "Upgrade: "+p)
		}
		return c
	}
	open := upgrade("upgrade to h2c on a public route", named, "H2C")
	open.Call, open.Key, open.Want = "GET /v1/open/7", "", public
	return []Case{
		open,
		upgrade("upgrade to h2c", named, "h2c"),
		upgrade("upgrade to h2c without the settings in Connection", "Connection: Upgrade", "h2c"),
		upgrade("upgrade to WebSocket or h2c", named, "WebSocket, h2c"),
		upgrade("upgrade to h2c or WebSocket", named, "h2c, websocket"),
		upgrade("two upgrades, WebSocket first", named, "websocket", "h2c"),
		upgrade("two upgrades, h2c first", named, "h2c", "websocket"),
		upgrade("upgrade to another protocol", named, "acme/1"),
	}
}

// clientID is an id of a request that a client chose.
const clientID = "client.id-7"

// publicCases lists the cases about a route that needs no key.
func publicCases() []Case {
	return []Case{
		{Name: "public route", Call: "GET /v1/open/7", Want: public},
		{Name: "public route with a body", Call: "POST /v1/open/7", Body: "x", Want: public},
		{Name: "public route with a key", Call: "GET /v1/open/7", Key: "live", Want: public},
		{Name: "public route with forged identity", Call: "GET /v1/open/7", Want: public, Lines: []string{
			"X-Toksta-Account-Id: forged", "X_Toksta_Plan: forged",
		}},
		{Name: "public route, wrong method", Call: "DELETE /v1/open/7", Want: Want{Status: 405, Code: toksta.CodeMethodNotAllowed, Allow: "GET, HEAD, POST"}},
	}
}

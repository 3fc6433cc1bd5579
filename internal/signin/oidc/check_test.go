package oidc_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/signin/oidc/oidctest"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the check of a provider passes only if a sign-in could succeed: it finds a wrong address,
// issuer, certificate, client or secret, keys that are missing and a silent server, in time, and no error
// has the secret.
func TestCheck(t *testing.T) {
	t.Parallel()
	respond := func(path, body string, status int) func(*world) {
		return func(w *world) {
			w.Respond = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != path {
					return false
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(status)
				_, _ = rw.Write([]byte(body))
				return true
			}
		}
	}
	for name, c := range map[string]struct {
		want   oidc.Reason // "": the check passes
		text   string      // in the error
		config func(*oidc.Config)
		change func(*world)
	}{
		"works":          {},
		"wrong secret":   {want: oidc.ReasonCode, text: "401 with invalid_client", config: func(c *oidc.Config) { c.ClientSecret = toksta.Hide("another secret") }},
		"unknown client": {want: oidc.ReasonCode, text: "invalid_client", config: func(c *oidc.Config) { c.ClientID = "other" }},
		"no such path":   {want: oidc.ReasonUnavailable, text: "404", config: func(c *oidc.Config) { c.Issuer += "/realms/other" }},
		"other issuer": {want: oidc.ReasonMetadata, text: `"https://other.example"`, change: func(w *world) {
			w.Document = func(d map[string]any) { d["issuer"] = "https://other.example" }
		}},
		"keys down":              {want: oidc.ReasonUnavailable, text: "503", change: respond("/keys", "", http.StatusServiceUnavailable)},
		"no keys":                {want: oidc.ReasonMetadata, text: "states no keys", change: respond("/keys", `{"keys":[]}`, http.StatusOK)},
		"no key set":             {want: oidc.ReasonMetadata, text: "decode the keys", change: respond("/keys", `<html>`, http.StatusOK)},
		"no token endpoint":      {want: oidc.ReasonCode, text: "404 with an unknown error", change: respond("/token", `{"error":"Not Found"}`, http.StatusNotFound)},
		"tokens down":            {want: oidc.ReasonUnavailable, text: "502", change: respond("/token", `{"error":"invalid_grant","x":"secret"}`, http.StatusBadGateway)},
		"a code for every guess": {want: oidc.ReasonCode, text: "did not issue", change: respond("/token", `{"access_token":"a","token_type":"bearer"}`, http.StatusOK)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			if c.change != nil {
				c.change(w)
			}
			checkOutcome(t, w.client.Check(t.Context()), c.want, c.text)
		})
	}
}

// checkOutcome fails t unless the check has the outcome, with a text that has no secret.
func checkOutcome(t *testing.T, err error, want oidc.Reason, text string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	wantReason(t, err, want)
	if err != nil && (!strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "secret")) {
		t.Errorf("the error is %q, want %q in it", err, text)
	}
}

// Guarantee: a server that accepts connections and stays silent, and one with an unknown certificate,
// fail the check within the time of the context.
func TestCheckConnection(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for address, c := range map[string]struct {
		timeout time.Duration
		text    string
	}{"http://" + silent.Addr().String(): {200 * time.Millisecond, "deadline"}, secure.URL: {time.Minute, "certificate"}} {
		for _, kind := range []oidc.Kind{oidc.OpenID, oidc.GitHub} {
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			p := oidc.New(oidc.Config{Kind: kind, Issuer: address, ClientID: oidctest.ClientID, ClientSecret: toksta.Hide(oidctest.ClientSecret)})
			checkOutcome(t, p.Check(ctx), oidc.ReasonUnavailable, c.text)
			cancel()
		}
	}
}

// Guarantee: the check of GitHub needs its API and a known client. A server that asks every request for
// a sign-in can be reached.
func TestCheckGitHub(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meta   int
		tokens string
		status int
		want   oidc.Reason
		text   string
	}{
		"works":          {200, "error=bad_verification_code", 200, "", ""},
		"private mode":   {401, "error=bad_verification_code", 200, "", ""},
		"API down":       {503, "error=bad_verification_code", 200, oidc.ReasonUnavailable, "503"},
		"wrong secret":   {200, "error=incorrect_client_credentials", 200, oidc.ReasonCode, "incorrect_client_credentials"},
		"unknown client": {200, "Not Found", 404, oidc.ReasonCode, "404"},
		"wrong redirect": {200, "error=redirect_uri_mismatch", 200, oidc.ReasonCode, "redirect_uri_mismatch"},
	} {
		w := newWorld(t, func(c *oidc.Config) { c.Kind = oidc.GitHub })
		w.Respond = func(rw http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/api/v3/meta":
				rw.WriteHeader(c.meta)
			case "/login/oauth/access_token":
				rw.Header().Set("Content-Type", "application/x-www-form-urlencoded")
				rw.WriteHeader(c.status)
				_, _ = rw.Write([]byte(c.tokens))
			default:
				return false
			}
			return true
		}
		t.Run(name, func(t *testing.T) { checkOutcome(t, w.client.Check(t.Context()), c.want, c.text) })
	}
}

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// loadText loads text as the operator's file.
func loadText(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toksta.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, environ)
}

// The default configuration is valid: a first run needs no file.
func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	cfg := Default()
	if cfg.Listen.Private == "" || cfg.Store.URL == "" || cfg.Meter.Dir == "" || cfg.Node.Name == "" {
		t.Errorf("paths that depend on the data directory are missing: %+v", cfg)
	}
	catalog := cfg.Catalog()
	if len(catalog.Routes) != 24 || len(catalog.Plans) != 9 || catalog.FreePlan != "FREE" || catalog.PerMinute != 60 || catalog.MaxKeys != 100 {
		t.Errorf("the offer is not the published one: %d routes, %d plans", len(catalog.Routes), len(catalog.Plans))
	}
	for status, want := range map[toksta.Status]toksta.Reason{
		toksta.StatusActive: "", toksta.StatusTrialing: "", toksta.StatusCanceling: "",
		toksta.StatusPastDue: toksta.ReasonBillingPastDue, toksta.StatusCanceled: toksta.ReasonSubscriptionInactive,
	} {
		if got, listed := catalog.Statuses[status]; !listed || got != want {
			t.Errorf("status %s: %q, want %q", status, got, want)
		}
	}
}

// Customers pay the published prices: no amount is rounded by a float.
func TestDefaultPrices(t *testing.T) {
	t.Parallel()
	type offer struct{ Fee, Included, Overage, Credit, PerMinute int64 }
	got := map[toksta.PlanID]offer{}
	for _, p := range Default().Catalog().Plans {
		got[p.ID] = offer{p.FeeMicros, p.IncludedCredits, p.OverageMicros, p.CreditMicros, int64(p.PerMinute)}
	}
	want := map[toksta.PlanID]offer{
		"API_PAYG": {Credit: 50_000, PerMinute: 20}, "API_BUILD": {29_000_000, 1_000, 25_000, 0, 30},
		"API_SCALE": {99_000_000, 5_000, 18_000, 0, 60}, "API_ENTERPRISE": {299_000_000, 20_000, 13_000, 0, 150},
		"FREE": {Included: 30}, "PAYG": {Credit: 100_000},
		"STARTER": {Included: 2_000}, "PRO": {Included: 8_000}, "AGENCY": {Included: 25_000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Load reports all problems at once, each with its line or variable, so that an
// operator corrects a file in one pass.
func TestProblemsTogether(t *testing.T) {
	t.Parallel()
	_, err := loadText(t, `lisen: {}
node: {lease: soon}
keys:
  prefix: ""
plans:
  - {id: FREE, name: Free, source: saas, api: never, families: [data], fee: 0.0000001}
  - {id: FREE, name: Free, source: saas, api: never, families: [nothing]}
`, "TOKSTA_LISTEN_PUBLIK=x", "TOKSTA_LOGS_LEVEL=loud", "TOKSTA_LOGS_BUFFER=1KiB", "TOKSTA_LOGS_REJECTED_PER_SECOND=-1", "TOKSTA_TRUSTED_PROXIES=10.0.0.5", "TOKSTA_STORE=postgres://h/d", "TOKSTA_WEBHOOKS_CRM_URL=https://h")
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("got %v, want Problems", err)
	}
	for _, want := range []string{
		`:1: lisen:`, `did you mean "listen"`, `:2: This is "soon"`, `:4: keys.prefix`, `:6: The amount "0.0000001"`,
		`:7: plans[1].id`, `:7: plans[1].families[0]`, `environment: TOKSTA_LISTEN_PUBLIK`, `environment: TOKSTA_LOGS_LEVEL`,
		`environment: TOKSTA_LOGS_BUFFER`, `environment: TOKSTA_LOGS_REJECTED_PER_SECOND`,
		`environment: TOKSTA_TRUSTED_PROXIES: A variable holds a single value`, `environment: TOKSTA_STORE: There is no such setting`, `environment: TOKSTA_WEBHOOKS_CRM_URL: There is no such setting`,
	} {
		if !strings.Contains(problems.Error(), want) {
			t.Errorf("no problem with %q in\n%v", want, problems)
		}
	}
	for _, p := range problems {
		if p.Message == "" || p.File == "" {
			t.Errorf("an empty problem: %+v", p)
		}
	}
}

// A configuration that would admit everyone, or grant rights that it does not
// state, is rejected.
func TestRejectsUnsafeConfiguration(t *testing.T) {
	t.Parallel()
	for field, text := range map[string]string{
		"statuses":               "statuses: {}",
		"statuses.*":             "statuses: {active: admit, '*': admit}",
		"plans[0].families":      "plans: [{id: FREE, name: Free, source: saas, api: never, families: []}]",
		"plans[0].included_cred": "plans: [{id: FREE, name: Free, source: saas, api: never, families: [data], included_credits: 1000000000001}]",
		"plans[0].api":           "plans: [{id: FREE, name: Free, api: sometimes, families: [data]}]",
		"plans[0].source":        "plans: [{id: FREE, name: Free, source: our own}]",
		"plans[0].url":           "plans: [{id: FREE, name: Free, url: shop}]",
		"pages.plans":            "pages: {plans: everyone}",
		"signup.consent.url":     "signup: {consent: {url: terms}}",
		"routes[0].family":       "routes: [{method: GET, path: /v1/x, operation: x, upstream: backend}]",
		"routes[0].upstream":     "upstreams: {a: {url: 'http://a'}, b: {url: 'http://b'}}\nroutes: [{method: GET, path: /v1/x, operation: x, family: data}]",
		"routes":                 "routes: []",
		"families":               "families: []",
		"keys.prefix":            "keys: {prefix: ''}",
		"keys.prefi":             "keys: {prefix: tk_op_}",
		"rate_limit.per_minute":  "rate_limit: {per_minute: 0}",
		"rate_limit.per_minut":   "rate_limit: {per_minute: -1}",
		"rate_limit.per_hour":    "rate_limit: {per_hour: -1}",
		"rate_limit.per_day":     "rate_limit: {per_day: 1000000001}",
		"rate_limit.concurrent":  "rate_limit: {concurrent: -1}",
		"plans[0].per_hour":      "plans: [{id: FREE, name: Free, source: saas, api: never, families: [data], per_hour: -1}]",
		"plans[0].concurrent":    "plans: [{id: FREE, name: Free, source: saas, api: never, families: [data], concurrent: -1}]",
		"routes[0].weight":       "routes: [{method: GET, path: /v1/x, operation: x, family: data, upstream: backend, weight: 0}]",
		"routes[0].weigh":        "routes: [{method: GET, path: /v1/x, operation: x, family: data, upstream: backend, weight: 1001}]",
		"routes[0].weig":         "routes: [{method: GET, path: /v1/x, operation: x, family: data, upstream: backend, weight: 21}]", // API_PAYG has 20 a minute
		"trusted_proxies":        "trusted_proxies: ['0.0.0.0/0']",
		"listen.proxy_protocol":  "listen: {proxy_protocol: ['::/0']}",
		"public_url":             "listen: {public: '0.0.0.0:8080'}",
		"public_ur":              "public_url: http://api.example.com",
		"signup.pla":             "signup: {policy: open, plan: API_SCALE}",
		"pages_url":              "listen: {pages_host: keys.example.com}",
		"pages_ur":               "listen: {pages: '127.0.0.1:8082'}\npages_url: http://keys.example.com",
		"listen.tls":             "listen: {tls: {cert: a.pem}}",
		"signup.plan":            "signup: {plan: NONE}",
		"signin.second_factor":   "signin: {second_factor: sometimes}",
		"signin.passkey_domain":  "public_url: https://keys.example.com\nsignin: {passkey_domain: s.example.com}",
		"signin.passkey_domai":   "public_url: https://keys.example.com\nsignin: {passkey_domain: com}",
		"signup.policy":          "signup: {policy: everyone}",
		"keys.max_live":          "keys: {max_live: 0}",
		"store.url":              "store: {url: 'postgres://u:secret@h/d'}",
		"gateway.max_body":       "gateway: {max_body: 0B}",
		"gateway.max_conn":       "gateway: {max_connections: -1}",
		"gateway.body_t":         "gateway: {body_timeout: 0s}",
		"gateway.form_t":         "gateway: {form_timeout: 0s}",
		"gateway.write_t":        "gateway: {write_timeout: 45ns}",
		"routes[1].path":         "routes: [{method: GET, path: '/v1/{a}', operation: a, family: data, upstream: backend}, {method: GET, path: '/v1/{b}', operation: b, family: data, upstream: backend}]",
		"upstreams.backend.url":  "upstreams: {backend: {url: 'backend:80'}}",
		"upstreams.backend.ur":   "upstreams: {backend: {url: 'http://user:secret@backend'}}",
		"upstreams.backend.u":    "upstreams: {backend: {url: 'http://backend/?token=1'}}",
		"sessions.lifetime":      "sessions: {lifetime: 0s}",
		"rate_limit.redis":       "rate_limit: {redis: 'redis://:hunter2@127.0.0.1'}",
		"rate_limit.redi":        "rate_limit: {redis: '127.0.0.1:6379'}",
		"rate_limit.redis_t":     "rate_limit: {redis_timeout: 50ns}",
		"mail.password":          "mail: {server: 'smtp.example.com:587', from: a@example.com, user: u, password: hunter2}",
		"mail.server":            "mail: {server: smtp.example.com, from: a@example.com}",
		"mail.from":              "mail: {server: 'smtp.example.com:587'}",
		"mail.user":              "mail: {server: 'smtp.example.com:587', from: a@example.com, user: u}",
		"mail.tls":               "mail: {server: 'smtp.example.com:25', from: a@example.com, tls: none}",
		"mail.tl":                "mail: {tls: maybe}",
		"export.authorization":   "export: {url: 'https://b.example', authorization: Bearer hunter2}",
		"export.url":             "export: {url: billing}",
		"export.ur":              "export: {url: 'https://b.example/?token=hunter2'}",
		"export.type":            "export: {type: ''}",
		"export.from":            "export: {from: yesterday}",
		"export.batch":           "export: {batch: 0}",
		"export.settle":          "export: {settle: -1m}",
		"events.low_balance":     "events: {low_balance: 101}",
		"events.low_purchased":   "events: {low_purchased: -1}",
		"events.limit_hits":      "events: {limit_hits: -1}",
		"webhooks.mail":          "webhooks: {mail: {url: 'https://b.example'}}",
		"webhooks.b.url":         "webhooks: {b: {url: 'http://b.example'}}",
		"webhooks.b.ur":          "webhooks: {b: {url: 'https://u:p@b.example'}}",
		"webhooks.b.u":           "webhooks: {b: {url: 'b.example'}}",
		"webhooks.b.events[1]":   "webhooks: {b: {url: 'https://b.example', events: [credits.low, credits.gone]}}",
		"webhooks.b.secret":      "webhooks: {b: {url: 'https://b.example', secret: " + signing + "}}",
		"webhooks.b.secre":       "webhooks: {b: {url: 'https://b.example'}}",
		"webhooks.b.secret_file": "webhooks: {b: {url: 'https://b.example', secret_file: /nowhere}}",
		"branding.hue":           "branding: {hue: 20}",
		"plans[0].entitled[0]":   "plans: [{id: FREE, name: Free, source: saas, api: never, families: [data], entitled: [beta]}]",
		"signup.invitation_life": "signup: {invitation_lifetime: 1s}",
		"currency":               "currency: dollars",
		"plans[0].fee":           "currency: JPY\nplans: [{id: FREE, name: Free, source: saas, api: never, families: [data], fee: 29.5, overage: 0.018}]",
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			_, err := loadText(t, text)
			problems, _ := errors.AsType[Problems](err)
			isReported := func(p Problem) bool { return strings.HasPrefix(p.Field, field) && p.Line > 0 && p.Fix != "" }
			if !slices.ContainsFunc(problems, isReported) {
				t.Errorf("%s was accepted: %v", text, err)
			}
		})
	}
}

// A plan needs only an id and a name: it admits to all families. A free tier needs
// the consent of each person, and never sells overage to strangers.
func TestPlanDefaults(t *testing.T) {
	t.Parallel()
	const families = "families: [{name: data}, {name: beta}, {name: account}]\nroutes: [{method: GET, path: /v1/x, operation: x, family: data, upstream: backend}]\n"
	cfg, err := loadText(t, families+"plans: [{id: FREE, name: Free}, {id: PRO, name: Pro, source: yearly, entitled: [beta]}]")
	if err != nil {
		t.Fatal(err)
	}
	free, pro := cfg.Catalog().Plans[0], cfg.Catalog().Plans[1]
	want := toksta.Plan{ID: "FREE", Name: "Free", Source: "plan", API: toksta.APIAlways, Families: []toksta.Family{"data", "beta", "account"}}
	if diff := cmp.Diff(want, free); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	want = toksta.Plan{ID: "PRO", Name: "Pro", Source: "yearly", API: toksta.APIAlways, Families: []toksta.Family{"data", "account"}, Entitled: []toksta.Family{"beta"}}
	if diff := cmp.Diff(want, pro); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	const credits = "plans: [{id: FREE, name: Free, families: [data], included_credits: 100"
	for text, valid := range map[string]bool{
		credits + "}]": false,
		credits + "}]\nsignup: {policy: invited}":                                         true,
		credits + "}]\nsignup: {consent: {url: 'https://example.com/terms'}}":             true,
		credits + ", overage: 0.1}]\nsignup: {consent: {text: I accept.}}":                false,
		credits + ", overage: 0.1}]\nsignup: {policy: closed, consent: {text: I accept}}": true,
	} {
		if _, err := loadText(t, text); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A credential that can write bills is never sent over plain HTTP to another
// machine, and never part of the receiver's URL.
func TestExportCredential(t *testing.T) {
	t.Parallel()
	for url, valid := range map[string]bool{
		"https://billing.example.com/events": true, "http://localhost:8888/events": true, "http://billing.example.com/events": false,
	} {
		_, err := loadText(t, "export: {url: '"+url+"'}", "TOKSTA_EXPORT_AUTHORIZATION=Bearer hunter2")
		if (err == nil) != valid || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := loadText(t, "export: {url: 'http://billing.example.com/events'}"); err != nil {
		t.Errorf("without a credential: %v", err)
	}
}

// A file of comments has no effect. Any other text that is not a configuration is
// rejected with its line.
func TestMalformedDocuments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# a comment\n\n  # another\n", "{}"} {
		if _, err := loadText(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"[]":                                 "1: This is a list, and the setting needs a map",
		"keys: {prefix: a_, prefix: b_}":     `1: Mapping key "prefix" already defined`,
		"keys: [":                            "This is not YAML",
		"data: a\n---\ndata: b":              "single document",
		"\nlisten: 7":                        `2: This is "7", and the setting needs a map`,
		"keys: &k {max_live: 3}\nnode: *k\n": "no such setting",
	} {
		if _, err := loadText(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A list or map in the vendor's file replaces the default one as a whole: an
// omitted status must not continue to admit.
func TestListsReplaceDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := loadText(t, "statuses: {active: admit}\nupstreams: {backend: {url: 'https://b.example'}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[toksta.Status]toksta.Reason{"active": Admit}, cfg.Statuses); diff != "" {
		t.Error(diff)
	}
	if u := cfg.Upstreams["backend"]; u.ResponseTimeout != time.Minute {
		t.Errorf("an upstream without timeouts got %v", u.ResponseTimeout)
	}
}

// A variable overrides the file, for each scalar: containers are configured by
// variables.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	cfg, err := loadText(t, "data: /from/file\n",
		"TOKSTA_DATA=/from/env", "TOKSTA_NODE_LEASE=7s", "TOKSTA_METER_STRICT=true", "TOKSTA_GATEWAY_MAX_BODY=1MiB",
		"TOKSTA_UPSTREAMS_BACKEND_URL=http://other:1", "TOKSTA_KEYS_MAX_LIVE=3", "PATH=/bin")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Data != "/from/env" || cfg.Node.Lease != 7*time.Second || !cfg.Meter.Strict || cfg.Gateway.MaxBody != 1<<20 ||
		cfg.Upstreams["backend"].URL != "http://other:1" || cfg.Keys.MaxLive != 3 || cfg.Listen.Private != "/from/env/toksta.sock" {
		t.Errorf("a variable was ignored: %+v", cfg)
	}
}

// signing is a valid signing secret.
const signing = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// A webhook can have an old and a new signing secret during a replacement. Neither
// output nor errors show them, also when they are malformed.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := "webhooks: {billing: {url: 'https://b.example/x', secret_file: " + file + "}, crm: {url: 'http://127.0.0.1:1'}}"
	const other = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
	write(signing + "\n" + other + "\n")
	cfg, err := loadText(t, text, "TOKSTA_WEBHOOKS_CRM_SECRET="+other)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := len(cfg.Webhooks["billing"].Secrets()), len(cfg.Webhooks["crm"].Secrets()); a != 2 || b != 1 {
		t.Errorf("%d and %d secrets were read, want 2 and 1", a, b)
	}
	printed, err := cfg.Print()
	if err != nil {
		t.Fatal(err)
	}
	write(signing + " whsec_hushhush " + other[6:])
	_, err = loadText(t, text, "TOKSTA_WEBHOOKS_CRM_SECRET=hushhush")
	if err == nil || !strings.Contains(err.Error(), "Secret 2 of 3") || !strings.Contains(err.Error(), "Secret 1 of 1") {
		t.Errorf("malformed secrets: %v", err)
	}
	for _, shown := range []string{string(printed), fmt.Sprint(err)} {
		for _, secret := range []string{signing[6:], other[6:], "hush"} {
			if strings.Contains(shown, secret) {
				t.Errorf("a secret is shown:\n%s", shown)
			}
		}
	}
}

// A byte-order mark, which Windows editors write, is not part of a password. A file in another encoding is reported
// instead of being changed.
func TestEncodingOfFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	for content, want := range map[string]string{"\ufeffhünter2\r\n": "hünter2", "h\xfcnter2": ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := loadText(t, "\ufeffmail: {server: 'smtp.example.com:465', from: a@example.com, tls: tls, user: u, password_file: "+file+"}\n")
		if want == "" && (err == nil || !strings.Contains(err.Error(), "not UTF-8") || strings.Contains(err.Error(), "nter2")) {
			t.Errorf("Latin-1: %v", err)
		}
		if want != "" && (err != nil || cfg.Mail.Password != want) {
			t.Errorf("got %q, %v; want %q", cfg.Mail.Password, err, want)
		}
	}
}

// A variable in another encoding is reported without its value, which may be a password.
func TestEncodingOfVariables(t *testing.T) {
	t.Parallel()
	_, err := loadText(t, "", "TOKSTA_MAIL_PASSWORD=h\xfcnter2")
	if err == nil || !strings.Contains(err.Error(), "mail.password") || !strings.Contains(err.Error(), "not UTF-8") || strings.Contains(err.Error(), "nter2") {
		t.Errorf("got %v", err)
	}
}

// The printed configuration has no secrets, so that it can be pasted into a
// ticket, and it loads as the same configuration.
func TestPrint(t *testing.T) {
	t.Parallel()
	cfg, err := Load("", []string{
		"TOKSTA_STORE_URL=postgres://u:hunter2@h/d?sslpassword=hunter3",
		"TOKSTA_MAIL_SERVER=smtp.example.com:465", "TOKSTA_MAIL_TLS=tls", "TOKSTA_MAIL_FROM=Acme <a@example.com>",
		"TOKSTA_MAIL_USER=u", "TOKSTA_MAIL_PASSWORD=hunter4",
		"TOKSTA_EXPORT_URL=https://billing.example.com", "TOKSTA_EXPORT_AUTHORIZATION=Bearer hunter5",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := cfg.Print()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter") {
		t.Errorf("a password is printed:\n%s", text)
	}
	printed, err := Default().Print()
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadText(t, string(printed))
	if err != nil {
		t.Fatalf("the printed configuration does not load: %v", err)
	}
	if diff := cmp.Diff(Default(), again, cmp.Comparer(func(a, b []toksta.Family) bool { return slices.Equal(a, b) })); diff != "" {
		t.Errorf("the printed configuration differs:\n%s", diff)
	}
}

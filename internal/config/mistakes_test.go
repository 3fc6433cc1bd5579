package config

import (
	"errors"
	"strings"
	"testing"
)

// vendor is a valid configuration of another API than the shipped one.
const vendor = `data: toksta-data
public_url: https://api.weather.example
listen:
  public: 127.0.0.1:8080
branding: {product: Weather API, support_url: "https://weather.example/help"}
keys:
  prefix: wx_live_
signup: {policy: open, plan: FREE}
families:
  - {name: forecast, description: Forecasts}
  - {name: alerts, description: Alerts}
plans:
  - {id: FREE, name: Free, source: saas, api: always, families: [forecast], per_minute: 10}
  - {id: PRO, name: Pro, source: saas, api: always, families: [forecast, alerts], fee: 29, included_credits: 100, overage: 0.02}
upstreams:
  backend:
    url: http://127.0.0.1:9000
    connect_timeout: 5s
routes:
  - {method: GET, path: "/forecast/{city}", family: forecast}
  - {method: GET, path: "/history/{city}", family: forecast, credits: 1}
  - {method: [POST, PUT], path: /alerts, family: alerts}
  - {method: GET, path: /status, access: public}
`

// mistake is a change of vendor and the setting of the only problem that it causes.
type mistake struct {
	from, to string // a part of one line, and its replacement
	field    string
	text     string // in the message or the remedy
}

// mistakes are typing errors, misunderstandings and leftovers of people who write a
// configuration by hand.
var mistakes = map[string]mistake{
	"a section that does not exist":        {"branding: {product", "brand: {product", "brand", "branding"},
	"a setting that does not exist":        {"{product: Weather", "{produkt: Weather", "produkt", "product"},
	"a setting at the wrong level":         {"data: toksta-data", "prefix: wx_live_", "prefix", "keys.prefix"},
	"a duplicate section":                  {"data: toksta-data", "data: a\ndata: b", "", "one of the two"},
	"a duplicate setting":                  {"  prefix: wx_live_", "  prefix: wx_live_\n  prefix: wx_test_", "", "one of the two"},
	"a tab":                                {"  public: 127", "\tpublic: 127", "", ""},
	"an address without a port":            {"127.0.0.1:8080", "127.0.0.1", "listen.public", "host:port"},
	"a port that does not exist":           {"127.0.0.1:8080", "127.0.0.1:80800", "listen.public", "port"},
	"operator keys over plain HTTP":        {"127.0.0.1:8080", "127.0.0.1:8080\n  operator: {address: \"0.0.0.0:8443\"}", "listen.operator.address", "listen.operator.tls.cert"},
	"operator keys on every interface":     {"127.0.0.1:8080", "127.0.0.1:8080\n  operator: {address: \":8443\"}", "listen.operator.address", "listen.operator.proxies"},
	"an operator address without a port":   {"127.0.0.1:8080", "127.0.0.1:8080\n  operator: {address: 127.0.0.1}", "listen.operator.address", "host:port"},
	"an operator certificate without key":  {"127.0.0.1:8080", "127.0.0.1:8080\n  operator: {address: \":8443\", tls: {cert: a.pem}}", "listen.operator.tls", "both"},
	"operator proxies that are everyone":   {"127.0.0.1:8080", "127.0.0.1:8080\n  operator: {address: \":8443\", proxies: [0.0.0.0/0]}", "listen.operator.proxies", "only your own"},
	"verification without a mail server":   {"signup: {policy: open", "signup: {verification: before_keys, policy: open", "signup.verification", "mail.server"},
	"a verification that does not exist":   {"signup: {policy: open", "signup: {verification: always, policy: open", "signup.verification", "before_signin"},
	"links to sign in without mail server": {"data: toksta-data", "data: toksta-data\nsignin: {links: true}", "signin.links", "mail.server"},
	"a sign-up that ends at once":          {"signup: {policy: open", "signup: {unverified_lifetime: 10s, policy: open", "signup.unverified_lifetime", "15m"},
	"a public URL without a scheme":        {"https://api.weather.example", "api.weather.example", "public_url", "https://"},
	"a public URL with a query":            {"https://api.weather.example", "https://api.weather.example/?a=b", "public_url", ""},
	"a public URL with a wrong port":       {"https://api.weather.example", "https://api.weather.example:99999", "public_url", ""},
	"a key prefix with a space":            {"prefix: wx_live_", "prefix: wx live", "keys.prefix", ""},
	"an empty key prefix":                  {"prefix: wx_live_", "prefix: \"\"", "keys.prefix", ""},
	"a plan for sign-up that is missing":   {"plan: FREE}", "plan: BASIC}", "signup.plan", "FREE"},
	"a policy that does not exist":         {"policy: open", "policy: public", "signup.policy", "open"},
	"a duplicate family":                   {"{name: alerts, desc", "{name: forecast, desc", "families[1].name", ""},
	"a family in capitals":                 {"{name: alerts, desc", "{name: Alerts!, desc", "families[1].name", ""},
	"a family that is missing, in a plan":  {"[forecast, alerts], fee", "[forecast, alert], fee", "plans[1].families[1]", "alerts"},
	"a duplicate plan":                     {"{id: PRO", "{id: FREE", "plans[1].id", ""},
	"a fee with a currency sign":           {"fee: 29", "fee: $29", "", "29"},
	"a fee with a comma":                   {"fee: 29", "fee: \"29,90\"", "", "amount"},
	"a negative price":                     {"overage: 0.02", "overage: -0.02", "", "amount"},
	"a limit of zero":                      {"per_minute: 10", "per_minute: -10", "plans[0].per_minute", ""},
	"a limit that is a word":               {"per_minute: 10", "per_minute: ten", "", "whole number"},
	"a timeout without a unit":             {"connect_timeout: 5s", "connect_timeout: 5", "", "10s"},
	"a timeout of zero":                    {"connect_timeout: 5s", "connect_timeout: 0s", "upstreams.backend.connect_timeout", ""},
	"a negative timeout":                   {"connect_timeout: 5s", "connect_timeout: -5s", "upstreams.backend.connect_timeout", ""},
	"a back end without a scheme":          {"url: http://127.0.0.1:9000", "url: 127.0.0.1:9000", "upstreams.backend.url", "https://"},
	"a back end with a wrong port":         {"url: http://127.0.0.1:9000", "url: http://127.0.0.1:90000", "upstreams.backend.url", ""},
	"a method in lower case":               {"method: GET, path: /status", "method: get, path: /status", "routes[3].method", "GET"},
	"a method that does not exist":         {"method: GET, path: /status", "method: FETCH, path: /status", "routes[3].method", ""},
	"a path without a slash":               {"path: /status", "path: status", "routes[3].path", "slash"},
	"a path with a colon segment":          {"\"/history/{city}\"", "/history/:city", "routes[1].path", "{city}"},
	"a path with angle brackets":           {"\"/history/{city}\"", "/history/<city>", "routes[1].path", "{name}"},
	"a path with a parameter in a segment": {"\"/history/{city}\"", "\"/history/{city}.json\"", "routes[1].path", ""},
	"a path with a query":                  {"path: /status", "path: \"/status?full=1\"", "routes[3].path", ""},
	"a path with a whole URL":              {"path: /status", "path: \"https://api.weather.example/status\"", "routes[3].path", ""},
	"a wildcard in the middle":             {"path: /status", "path: \"/status/*/x\"", "routes[3].path", ""},
	"the same route twice":                 {"\"/history/{city}\"", "\"/forecast/{place}\"", "routes[1].path", "/forecast/{city}"},
	"a family that is missing, in a route": {"/alerts, family: alerts", "/alerts, family: alarms", "routes[2].family", "alerts"},
	"a route without a family":             {"/alerts, family: alerts", "/alerts", "routes[2].family", ""},
	"an upstream that is missing":          {"/alerts, family: alerts", "/alerts, family: alerts, upstream: backed", "routes[2].upstream", "backend"},
	"a price of a public route":            {"access: public", "access: public, credits: 1", "routes[3]", "credits"},
	"a negative price of a route":          {"credits: 1}", "credits: -1}", "routes[1].credits", ""},
	"an access that does not exist":        {"access: public", "access: open", "routes[3].access", "public"},
	"a route of our own endpoint":          {"path: /status", "path: /health", "routes[3].path", "endpoints.health"},
	"an old color":                         {"{product: Weather API", "{accent: teal, product: Weather API", "branding.accent", "#"},
	"a support address that is no link":    {"\"https://weather.example/help\"", "help@weather.example", "branding.support_url", "mailto"},
	"a value that is a list":               {"data: toksta-data", "data: [toksta-data]", "", "text"},
	"a list that is a value":               {"families: [forecast], per", "families: forecast, per", "", "list"},
}

// Guarantee: a mistake in the configuration is one message, with the line that must
// change and with a remedy, and no other message hides it.
func TestMistakes(t *testing.T) {
	t.Parallel()
	if _, err := loadText(t, vendor); err != nil {
		t.Fatalf("the configuration without a mistake: %v", err)
	}
	for name, m := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, _, found := strings.Cut(vendor, m.from)
			if !found {
				t.Fatalf("there is no %q", m.from)
			}
			line := strings.Count(before, "\n") + 1 + strings.Count(m.to, "\n")
			_, err := loadText(t, strings.Replace(vendor, m.from, m.to, 1))
			problems, _ := errors.AsType[Problems](err)
			if len(problems) != 1 {
				t.Fatalf("%d problems instead of one:\n%v", len(problems), err)
			}
			p := problems[0]
			if p.Field != m.field || p.Line != line || p.Message == "" || p.Fix == "" || !strings.Contains(p.Message+p.Fix, m.text) {
				t.Errorf("want %q in line %d with %q:\n%v", m.field, line, m.text, p)
			}
		})
	}
}

// Guarantee: config check names each missing link that leaves customers at a dead end, and no other setting.
func TestDeadEnds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"branding: {product: Acme}": 3, // the shipped routes have prices
		"branding: {support_url: 'https://a.example', billing_url: 'https://a.example', credits_url: 'https://a.example'}": 0,
		"branding: {support_url: 'https://a.example', billing_url: 'https://a.example'}":                                   1,
		// A plan that people can buy is a way to more credits, but to no open invoice.
		"branding: {support_url: 'https://a.example'}\nsignup: {plan: PRO}\nplans: [{id: PRO, name: Pro, url: 'https://a.example'}]":                        1,
		"branding: {support_url: 'https://a.example'}\nsignup: {plan: PRO}\nplans: [{id: PRO, name: Pro, url: 'https://a.example', hidden: true}]":          2,
		"branding: {support_url: 'https://a.example'}\nsignup: {plan: PRO}\nplans: [{id: PRO, name: Pro, url: 'https://a.example'}]\npages: {plans: 'off'}": 2,
		"routes: [{method: GET, path: /a, family: data}]\nbranding: {support_url: 'https://a.example'}":                                                     1,
	} {
		cfg, err := loadText(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.deadEnds(); len(got) != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

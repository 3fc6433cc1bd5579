package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// provider returns a configuration with the provider acme, whose settings are text.
func provider(text string) string {
	return "signin: {providers: {acme: {" + text + "}}}"
}

const clientSecret = "TOKSTA_SIGNIN_PROVIDERS_ACME_CLIENT_SECRET=hunter2"

// Guarantee: a provider needs only its address and its registration, and its secret is neither
// printed nor accepted in the configuration file.
func TestProviderDefaults(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "signup: {policy: invited}\n" + provider("issuer: 'https://id.acme.example', client_id: toksta, client_secret_file: "+file)
	cfg, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	want := Provider{
		Label: "acme", Kind: "oidc", Issuer: "https://id.acme.example", ClientID: "toksta", ClientSecret: "hunter2", ClientSecretFile: file,
		Scopes: []string{"openid", "profile", "email"}, Signup: "invited", VerifiedClaim: "email_verified",
	}
	if diff := cmp.Diff(want, cfg.SignIn.Providers["acme"]); diff != "" {
		t.Error(diff)
	}
	printed, err := cfg.Print()
	if err != nil || strings.Contains(string(printed), "hunter2") {
		t.Errorf("the printed configuration shows the secret, or %v:\n%s", err, printed)
	}
	cfg, err = loadText(t, provider("kind: github, client_id: toksta"), clientSecret)
	if p := cfg.SignIn.Providers["acme"]; err != nil || p.Issuer != "https://github.com" || p.ClientSecret != "hunter2" {
		t.Errorf("github: %+v, %v", p, err)
	}
}

// Guarantee: a wrong setting of a provider is reported once, with its place, before the server starts.
func TestProviderMistakes(t *testing.T) {
	t.Parallel()
	const valid = "issuer: 'https://id.acme.example', client_id: toksta"
	for name, c := range map[string]struct{ field, text, environ string }{
		"no way to sign in":  {"signin.password", "signin: {password: false}", ""},
		"name":               {"signin.providers.Acme", "signin: {providers: {Acme: {" + valid + "}}}", ""},
		"kind":               {".kind", provider("kind: saml, " + valid), clientSecret},
		"no issuer":          {".issuer", provider("client_id: toksta"), clientSecret},
		"issuer over HTTP":   {".issuer", provider("issuer: 'http://id.acme.example', client_id: toksta"), clientSecret},
		"issuer with query":  {".issuer", provider("issuer: 'https://id.acme.example?tenant=1', client_id: toksta"), clientSecret},
		"discovery document": {".issuer", provider("issuer: 'https://id.acme.example/.well-known/openid-configuration', client_id: toksta"), clientSecret},
		"no client":          {".client_id", provider("issuer: 'https://id.acme.example'"), clientSecret},
		"no secret":          {".client_secret", provider(valid), ""},
		"secret in the file": {".client_secret", provider(valid + ", client_secret: hunter2"), ""},
		"both secrets":       {".client_secret_file", provider(valid + ", client_secret_file: /nowhere"), clientSecret},
		"no openid":          {".scopes", provider(valid + ", scopes: [email]"), clientSecret},
		"policy":             {".signup", provider(valid + ", signup: everyone"), clientSecret},
		"address as domain":  {".domains[0]", provider(valid + ", domains: ['@acme.example']"), clientSecret},
		"two conditions":     {".accounts[0]", provider(valid + ", accounts: [{claim: groups, value: a, domain: acme.example, account: a, role: admin}]"), clientSecret},
		"half a condition":   {".accounts[0]", provider(valid + ", accounts: [{claim: groups, domain: acme.example, account: a, role: admin}]"), clientSecret},
		"no account":         {".accounts[0].account", provider(valid + ", accounts: [{domain: acme.example, role: admin}]"), clientSecret},
		"role":               {".accounts[0].role", provider(valid + ", accounts: [{domain: acme.example, account: a, role: root}]"), clientSecret},
		"domain":             {".accounts[0].domain", provider(valid + ", accounts: [{domain: acme, account: a, role: admin}]"), clientSecret},
		"claims of GitHub":   {".accounts[0].claim", provider("kind: github, client_id: toksta, accounts: [{claim: groups, value: a, account: a, role: admin}]"), clientSecret},
		"sign-out of GitHub": {"signin.providers.acme", provider("kind: github, client_id: toksta, sign_out: true"), clientSecret},
		"label":              {".label", provider(valid + ", label: " + strings.Repeat("a", 61)), clientSecret},
	} {
		var environ []string
		if c.environ != "" {
			environ = append(environ, c.environ)
		}
		_, err := loadText(t, c.text, environ...)
		problems, _ := errors.AsType[Problems](err)
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.HasSuffix(p.Field, c.field) && p.Fix != "" }) {
			t.Errorf("%s: %v", name, err)
		}
		if once := slices.Compact(slices.Clone(problems)); len(once) < len(problems) {
			t.Errorf("%s is reported twice: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the problem shows the secret: %v", name, err)
		}
	}
}

package e2e

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
)

// Guarantee: the doctor finds out at a certified provider whether the client secret is right, without a person,
// and states the redirect URI.
func TestDoctorAsksCertifiedProvider(t *testing.T) {
	for secret, level := range map[string]string{"the client secret": client.LevelOK, "an expired secret": client.LevelFail} {
		c := startCertified(t, func(p *config.Provider, _ *config.Config) { p.ClientSecret = secret })
		health, err := c.Operator().Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := client.Check{}
		for _, check := range health.Checks {
			if check.Name == "sign-in acme" {
				found = check
			}
		}
		shown := found.Detail + found.Fix
		if found.Level != level || !strings.Contains(shown, c.pages+"/signin/with/acme/callback") || strings.Contains(shown, secret) {
			t.Errorf("%+v", found)
		}
		if level == client.LevelFail && !strings.Contains(found.Detail, "invalid_client") {
			t.Errorf("the cause of the failure is %q", found.Detail)
		}
	}
}

package page

import (
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

func storyPasskeys() []view.Passkey {
	return []view.Passkey{
		{ID: "pass_1", Name: "Chrome on macOS", Created: day(3, 2), Used: storyNow.Add(-3 * time.Hour), Synced: true},
		{ID: "pass_2", Name: "Blue security key in the office drawer", Created: day(6, 1), Suspected: day(6, 25)},
	}
}

func factorStories() []story {
	f := storyFrame(view.SectionSecurity)
	const uri = "otpauth://totp/Toksta:mara@fjordlight.example?issuer=Toksta&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	set := view.AppSetUp{Frame: f, URI: uri, Secret: strings.Fields("JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP")}
	wrong := set
	wrong.Errors = view.Errors{"code": "This code is wrong. Type the 6 digits that the app shows now."}
	security := view.Security{
		Notice: "The passkey is added.", Frame: f, Email: "mara@fjordlight.example", HasPassword: true, MinPassword: 12,
		Sessions: []view.Session{{Device: "Firefox on macOS", From: "198.51.100.20", Method: "with the password and a second factor", Started: day(6, 3), Seen: storyNow, Current: true}},
		Factors:  view.Factors{Offered: true, Passkeys: storyPasskeys(), App: true, Codes: 7, OfCodes: 10},
	}
	codes := strings.Fields(strings.Repeat("K7QD-2MXA-PL5T-VB3E Q4ZN-7YHC-WR2K-M6DA ", 5))
	return []story{
		{"security-factors", "security", security},
		{"app-setup", "app_setup", set},
		{"app-setup-error", "app_setup", wrong},
		{"app-remove", "app_remove", view.RemoveFactor{Frame: f, Last: true}},
		{"recovery-codes", "recovery_codes", view.RecoveryCodes{Frame: f, Codes: codes, Added: "The authenticator app is set up."}},
		{"recovery-codes-renew", "recovery_codes", view.RecoveryCodes{Frame: f}},
		{"passkey-new", "passkey_new", view.PasskeyNew{Frame: f, Name: "Firefox on macOS"}},
		{"passkey-new-error", "passkey_new", view.PasskeyNew{Frame: f, Name: "Firefox on macOS", Errors: view.Errors{"passkey": "This took too long. Try again."}}},
		{"passkey-edit", "passkey_edit", view.PasskeyEdit{Frame: f, Passkey: storyPasskeys()[0], Name: "Chrome on macOS", Last: true, Required: true}},
		{"factor-missing", "factor_missing", view.FactorsMissing{Frame: f, Offered: true}},
	}
}

// A QR code has the quiet zone, a label, and the same picture for the same text.
func TestQRCode(t *testing.T) {
	t.Parallel()
	got, err := qrCode("otpauth://totp/a?secret=AAAA", `The "label" <b>`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`viewBox="0 0 37 37"`, `aria-label="The &#34;label&#34; &lt;b&gt;"`, "M4 4h7v1H4z"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if _, err := qrCode(strings.Repeat("x", 5000), ""); err == nil {
		t.Error("a text that is too long has a code")
	}
}

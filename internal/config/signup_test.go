package config

import "testing"

// Guarantee: addresses are verified before the sign-in if mails can be sent, unless the operator
// chooses otherwise. Without a mail server, no sign-up waits for a mail.
func TestVerificationFollowsTheMailServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ server, set, want string }{
		{"", "", VerifyOff},
		{"smtp.example.com:587", "", VerifyBeforeSignIn},
		{"smtp.example.com:587", VerifyBeforeKeys, VerifyBeforeKeys},
		{"smtp.example.com:587", VerifyOff, VerifyOff},
	} {
		cfg := Default()
		cfg.Mail.Server, cfg.Signup.Verification = c.server, c.set
		if got := cfg.Verification(); got != c.want {
			t.Errorf("server %q, setting %q: %s, want %s", c.server, c.set, got, c.want)
		}
	}
}

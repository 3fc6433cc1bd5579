package archtest

import (
	"fmt"
	"go/ast"
)

// environment allows one package to read the environment, so that every setting
// has a name, a default and a line in `toksta config print`.
func environment(t *tree) (out []finding) {
	for _, f := range t.product() {
		if f.dir == "internal/config" {
			continue
		}
		for _, pkg := range []string{"os", "syscall"} {
			if n := selectors(f, pkg, "Getenv", "LookupEnv", "Environ", "ExpandEnv"); len(n) > 0 {
				out = append(out, finding{f.path, at(t, f, n[0]) + " reads the environment: make it a setting of internal/config"})
			}
		}
	}
	return out
}

// reveals lists the functions that may turn a secret or a password into plain text,
// each with the number of places in the function that do.
var reveals = map[string]int{
	// A key's secret, shown once: on the page and by the operator API.
	"internal/web/reveal.go Pages.reveal":             1,
	"internal/operator/keys.go server.secretResponse": 1,

	// An operator key: in the header of a request, in the file of profiles, and from there to
	// the client.
	"sdk/client/client.go Client.authorize": 1,
	"internal/profile/file.go Set.stored":   1,
	"cmd/toksta/target.go target.client":    1,

	// An operator key's secret, shown once by the operator API.
	"internal/operator/operatorkeys.go server.operatorSecretResponse": 1,

	// The code of an invitation and the cookie of a session, handed over once.
	"internal/operator/members.go server.invitationLink": 1,
	"internal/web/signin.go Pages.admit":                 1,
	"internal/web/cookie.go Pages.setSession":            2,
	"internal/app/outside.go inviter.Invite":             1,
	"internal/web/member_invite.go Pages.invite":         1,
	"internal/web/invitation.go Pages.invitationCode":    1,

	// The link that the vendor's back end sends a person to, handed over once, and its code in a
	// cookie or in the link of a page.
	"internal/operator/sessions.go server.createSession": 1,
	"internal/web/embed.go Pages.openEmbedded":           1,
	"internal/web/embed.go Pages.offerWindow":            1,
	"internal/web/vendor.go Pages.askVendor":             1,

	// The cookie of a session, from which the key of the cookie with a secret is derived.
	"internal/web/reveal.go Pages.sealer": 1,

	// The sign-in by a provider: the secret of the browser, from which its proofs are derived, the code
	// and the client's secret for the token endpoint, and a logout token.
	"internal/signin/oidc/attempt.go Attempt.derive":         1,
	"internal/signin/oidc/provider.go Provider.exchange":     1,
	"internal/signin/oidc/provider.go Provider.registration": 1,
	"internal/signin/oidc/logout.go Provider.VerifyLogout":   1,

	// The cookie of a sign-in by a provider.
	"internal/web/provider.go Pages.depart": 1,

	// A password or a cookie, before it is hashed.
	"internal/signin/password_hash.go source.tag":        1,
	"internal/signin/password_strength.go validPassword": 1,
	"internal/signin/tickets.go secretID":                1,

	// The code of a link, in the address that is mailed.
	"internal/signin/links.go Service.issue": 1,

	// The cookie that binds a link to sign in to a browser.
	"internal/web/reset.go Pages.reset":           1,
	"internal/web/signinlink.go Pages.setBinding": 1,

	// The code of an invitation, in the mailed link with which the invited person signs up.
	"internal/signin/signup_verification.go Service.signUpLetter": 1,
	"internal/members/join.go digestOf":                           1,
	"internal/members/join.go sentByMail":                         1,
	"internal/signin/signup.go SignUpRequest.isInvited":           1,

	// The secret of an authenticator app and recovery codes on the page that shows them once, and
	// the cookie of a browser that gets a challenge.
	"internal/web/factors.go Pages.showApp":        2,
	"internal/web/factors.go Pages.showCodes":      1,
	"internal/web/passkeys.go Pages.sendChallenge": 1,

	// The secret of an authenticator app: stored, shown for the set-up, and the key of its codes.
	// A typed code, before it is compared.
	"internal/store/sqlstore/factors.go totpArgs": 1,
	"internal/signin/totp/totp.go URI":            1,
	"internal/signin/totp/totp.go Verify":         1,
	"internal/signin/factor.go cleanCode":         1,
	// The cookie of a browser that responds to a challenge, before it is hashed.
	"internal/signin/passkey.go challengeID": 1,
	// The test of every store compares the stored secret.
	"internal/store/storetest/factors.go authenticatorApps": 1,
}

// revealedOnce rejects every other place that reads a secret.
func revealedOnce(t *tree) (out []finding) {
	seen := map[string]int{}
	for _, f := range t.product() {
		f.functions(func(name string, fn *ast.FuncDecl) {
			ast.Inspect(fn, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Reveal" {
					seen[f.path+" "+name]++
				}
				return true
			})
		})
	}
	for where, n := range seen {
		if n != reveals[where] {
			out = append(out, finding{where, fmt.Sprintf("reveals a secret %d times, %d allowed", n, reveals[where])})
		}
	}
	for where := range reveals {
		if seen[where] == 0 {
			out = append(out, finding{where, "no longer reveals a secret: take it off the list"})
		}
	}
	return out
}

package signin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// world is a service on a real database, with cheap and counted hashes.
type world struct {
	*Service
	store  store.Store
	file   string
	now    time.Time
	hashes atomic.Int64
}

var (
	operator = toksta.Actor{Kind: toksta.ActorOperator, Name: "ops"}
	home     = Origin{Address: netip.MustParseAddr("203.0.113.7"), Agent: "Firefox"}
)

const testPassword = "correct horse battery"

func newWorld(tb testing.TB, policy Policy) *world {
	tb.Helper()
	s := sqlitetest.Open(tb)
	w := &world{store: s, file: s.File, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Service = newService(s, policy, func() time.Time { return w.now })
	w.cheapHashes()
	return w
}

func newService(s store.Store, policy Policy, now func() time.Time) *Service {
	return New(Config{
		Log: members.Log{Log: sqlitetest.DirectLog{Mutator: s}}, Trail: s, Store: s, Sessions: s, Tickets: s, Factors: s,
		Attempts: s, Browsers: s, Clock: new(steps), Policy: policy, Catalog: &toksta.Catalog{FreePlan: "FREE"}, Now: now,
	})
}

// steps is a clock that is a millisecond later at each reading.
type steps struct{ n atomic.Int64 }

func (s *steps) Time(context.Context) (time.Time, error) {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(s.n.Add(1)) * time.Millisecond), nil
}

// cheapHashes makes hashes cheap and counts them.
func (w *world) cheapHashes() {
	cheap := func(password, salt []byte, _, _ uint32, _ uint8, n uint32) []byte {
		w.hashes.Add(1)
		return argon2.IDKey(password, salt, 1, 8, 1, n)
	}
	w.passwords.key, w.strangers.key = cheap, cheap
}

func (w *world) signUp(tb testing.TB, email string) SignedIn {
	tb.Helper()
	in, err := w.SignUp(tb.Context(), home, SignUpRequest{
		Name: "Ada", AccountName: "Acme", Email: email, Password: toksta.Hide(testPassword),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

// from returns an origin; each i has another network.
func from(i int) Origin {
	return Origin{Address: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), Agent: "curl"}
}

func wantError(t *testing.T, err error, code toksta.Code, text string) {
	t.Helper()
	if err == nil || toksta.ErrorCode(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s with the text %q", err, code, text)
	}
}

// Signing up makes an account on the free plan and a session. An address can be used
// once, regardless of case.
func TestSignUpAndIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	up := w.signUp(t, "Ada@Example.com")
	if up.Account.Plan != "FREE" || up.Account.Name != "Acme" || up.Role != toksta.MemberOwner {
		t.Errorf("%+v", up.Identity)
	}
	in, err := w.SignIn(t.Context(), home, " ada@example.COM ", toksta.Hide(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	if in.Cookie.Reveal() == up.Cookie.Reveal() {
		t.Error("two sessions share a cookie")
	}
	for _, c := range []toksta.Hidden{up.Cookie, in.Cookie} {
		id, err := w.Authenticate(t.Context(), c)
		if err != nil || id.Member.ID != up.Member.ID || id.Account.ID != up.Account.ID {
			t.Errorf("%+v, %v", id, err)
		}
	}
	_, err = w.SignUp(t.Context(), home, SignUpRequest{Name: "Eve", Email: "ADA@example.com", Password: toksta.Hide(testPassword)})
	wantError(t, err, toksta.CodeConflict, "Sign in instead")
}

// Rejected sign-ins have the same error and cost one hash, whether the address is
// unknown, the password is wrong, or the member is disabled or has no password.
func TestRejectedSignInsLookTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	w.signUp(t, "ada@example.com")
	disabled := w.signUp(t, "gone@example.com").Member
	disabled.DisabledAt = w.now
	silent := toksta.Member{ID: "mem_silent", Email: "silent@example.com", Name: "S"}
	_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{disabled, silent}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var first error
	for i, c := range []struct{ email, password string }{
		{"ada@example.com", "wrong"},
		{"nobody@example.com", "wrong"},
		{"gone@example.com", testPassword},
		{"silent@example.com", ""},
		{"ada@example.com", ""},
		{"", ""},
		{strings.Repeat("x", 1000), strings.Repeat("y", 100_000)},
	} {
		before := w.hashes.Load()
		_, err := w.SignIn(t.Context(), from(i), c.email, toksta.Hide(c.password))
		if n := w.hashes.Load() - before; n != 1 {
			t.Errorf("%.20q: %d hashes", c.email, n)
		}
		if first == nil {
			first = err
		}
		if err == nil || err.Error() != first.Error() || toksta.ErrorCode(err) != toksta.CodeUnauthorized {
			t.Errorf("%.20q: %v, want %v", c.email, err, first)
		}
	}
}

// Guesses at one address are throttled across networks, for known and unknown
// addresses, and a throttled guess costs no hash. A success ends the throttling.
func TestGuessesAtAnAddressAreThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	w.signUp(t, "ada@example.com")
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		before, tried := w.hashes.Load(), 0
		for i := range 100 {
			_, err := w.SignIn(t.Context(), from(i), email, toksta.Hide("wrong"))
			if toksta.ErrorCode(err) == toksta.CodeRateLimited {
				e, _ := errors.AsType[*toksta.Error](err)
				if e.Details["retry_after"] != 1 {
					t.Errorf("%s: details %v", email, e.Details)
				}
				continue
			}
			tried++
		}
		if n := w.hashes.Load() - before; tried != 6 || n != 6 {
			t.Errorf("%s: %d attempts got through, %d hashes", email, tried, n)
		}
	}
	_, err := w.SignIn(t.Context(), from(200), "ada@example.com", toksta.Hide(testPassword))
	wantError(t, err, toksta.CodeRateLimited, "Try again in 1 second.")
	w.now = w.now.Add(time.Second)
	for range 30 {
		if _, err := w.SignIn(t.Context(), from(200), "ada@example.com", toksta.Hide(testPassword)); err != nil {
			t.Fatalf("the owner cannot sign in: %v", err)
		}
	}
}

// Guesses from one network at many addresses are throttled, without an effect on
// other networks.
func TestGuessesFromANetworkAreThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	w.signUp(t, "ada@example.com")
	var through int
	for i := range 100 {
		near := Origin{Address: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})}
		_, err := w.SignIn(t.Context(), near, fmt.Sprintf("user%d@example.com", i), toksta.Hide("wrong"))
		if toksta.ErrorCode(err) == toksta.CodeUnauthorized {
			through++
		}
	}
	if through != 21 {
		t.Errorf("%d of 100 attempts got through", through)
	}
	if _, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword)); err != nil {
		t.Errorf("a member in another network cannot sign in: %v", err)
	}
}

// An attacker with an own account must not reset the throttle of the network: a
// success removes only its own attempt.
func TestOwnAccountDoesNotResetTheNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	w.signUp(t, "eve@example.com")
	through, own := 0, 0
	for i := range 60 {
		_, err := w.SignIn(t.Context(), home, fmt.Sprintf("user%d@example.com", i), toksta.Hide("wrong"))
		if toksta.ErrorCode(err) == toksta.CodeUnauthorized {
			through++
		}
		if i%5 == 4 {
			if _, err := w.SignIn(t.Context(), home, "eve@example.com", toksta.Hide(testPassword)); err == nil {
				own++
			}
		}
	}
	if through != 21 || own == 0 {
		t.Errorf("%d guesses got through beside %d sign-ins to an own account, want 21", through, own)
	}
}

// The policy decides whether people can sign up. An invitation is valid once, for its
// address, until it expires.
func TestPolicies(t *testing.T) {
	t.Parallel()
	request := func(email, code string) SignUpRequest {
		return SignUpRequest{Name: "Ada", Email: email, Password: toksta.Hide(testPassword), Invitation: toksta.Hide(code)}
	}
	for _, policy := range []Policy{Closed, "", "opne"} {
		w := newWorld(t, policy)
		_, err := w.SignUp(t.Context(), home, request("ada@example.com", ""))
		wantError(t, err, toksta.CodeForbidden, "closed")
	}
	w := newWorld(t, Invited)
	host := toksta.Account{ID: "acct_host", Name: "Host", Plan: "FREE"}
	invite := func(code, email string, account toksta.AccountID) {
		_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{
				Kind: toksta.ChangeInvitationCreated, Accounts: []toksta.Account{host},
				Invitations: []store.Invitation{{
					Code: sha256.Sum256([]byte(code)), Email: email, AccountID: account, Role: toksta.MemberDeveloper, ExpiresAt: w.now.Add(time.Hour),
				}},
			}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	invite("join", "", host.ID)
	invite("own", "ada@example.com", "")
	invite("idn", "cem@bücher.example", host.ID)
	invite("old", "", "")

	_, err := w.SignUp(t.Context(), home, request("ada@example.com", ""))
	wantError(t, err, toksta.CodeForbidden, "requires an invitation")
	_, err = w.SignUp(t.Context(), home, request("ada@example.com", "guess"))
	wantError(t, err, toksta.CodeForbidden, "not valid")
	_, err = w.SignUp(t.Context(), home, request("eve@example.com", "own"))
	wantError(t, err, toksta.CodeForbidden, "not valid")
	in, err := w.SignUp(t.Context(), home, request("Ada@example.com", "own"))
	if err != nil || in.Account.ID == host.ID {
		t.Errorf("own account: %+v, %v", in.Account, err)
	}
	// The invitation has the domain in Unicode; the browser sends Punycode.
	in, err = w.SignUp(t.Context(), home, request("cem@xn--bcher-kva.example", "idn"))
	if err != nil || in.Account.ID != host.ID {
		t.Errorf("joining by the other spelling: %+v, %v", in.Account, err)
	}
	for _, spelling := range []string{"cem@bücher.example", "cem@xn--bcher-kva.example"} {
		if in, err := w.SignIn(t.Context(), home, spelling, toksta.Hide(testPassword)); err != nil || in.Account.ID != host.ID {
			t.Errorf("signing in as %s: %v", spelling, err)
		}
	}
	in, err = w.SignUp(t.Context(), home, request("bob@example.com", "join"))
	if err != nil || in.Account.ID != host.ID {
		t.Errorf("joining: %+v, %v", in.Account, err)
	}
	_, err = w.SignUp(t.Context(), home, request("carl@example.com", "join"))
	wantError(t, err, toksta.CodeForbidden, "not valid")
	w.now = w.now.Add(time.Hour)
	_, err = w.SignUp(t.Context(), home, request("dora@example.com", "old"))
	wantError(t, err, toksta.CodeForbidden, "not valid")
}

// With terms, a person who does not accept them gets no account. The accepted terms
// are stored with the time, and are in the change log.
func TestConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	w.Terms = "I accept the terms. https://example.com/terms"
	req := SignUpRequest{Name: "Ada", Email: "ada@example.com", Password: toksta.Hide(testPassword)}
	_, err := w.SignUp(t.Context(), home, req)
	wantError(t, err, toksta.CodeValidation, "Accept this")
	req.Accepted = true
	in, err := w.SignUp(t.Context(), home, req)
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.store.Member(t.Context(), in.Member.ID)
	if err != nil || m.Consent != w.Terms || !m.ConsentAt.Equal(w.now) {
		t.Errorf("%q at %v, %v", m.Consent, m.ConsentAt, err)
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: in.Account.ID, Limit: 5})
	if err != nil || len(changes) == 0 || changes[len(changes)-1].Detail["consent"] != w.Terms {
		t.Errorf("%+v, %v", changes, err)
	}
}

// Invalid input is rejected with the name of the field, and changes nothing.
func TestSignUpRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	valid := SignUpRequest{Name: "Ada", Email: "ada@example.com", Password: toksta.Hide(testPassword)}
	for name, c := range map[string]struct {
		spoil func(*SignUpRequest)
		text  string
	}{
		"the operator's":    {func(r *SignUpRequest) { r.Name = "Operator" }, "vendor"},
		"its look-alike":    {func(r *SignUpRequest) { r.Name = "ｏｐｅｒａｔｏｒ 1" }, "vendor"},
		"the system's":      {func(r *SignUpRequest) { r.Name = "sys-tem" }, "vendor"},
		"no name":           {func(r *SignUpRequest) { r.Name = "" }, "name"},
		"account name":      {func(r *SignUpRequest) { r.AccountName = "a\x00b" }, "U+0000"},
		"no address":        {func(r *SignUpRequest) { r.Email = "ada" }, "e-mail"},
		"display name":      {func(r *SignUpRequest) { r.Email = "Ada <ada@example.com>" }, "e-mail"},
		"two addresses":     {func(r *SignUpRequest) { r.Email = "ada@example.com, eve@example.com" }, "e-mail"},
		"hidden character":  {func(r *SignUpRequest) { r.Email = "a\u200bda@example.com" }, "e-mail"},
		"long address":      {func(r *SignUpRequest) { r.Email = strings.Repeat("a", 250) + "@example.com" }, "e-mail"},
		"short password":    {func(r *SignUpRequest) { r.Password = toksta.Hide("elevenchars") }, "at least 12"},
		"long password":     {func(r *SignUpRequest) { r.Password = toksta.Hide(strings.Repeat("abcd", 51)) }, "at most 200"},
		"address password":  {func(r *SignUpRequest) { r.Password = toksta.Hide("ADA@example.com") }, "not your e-mail"},
		"common password":   {func(r *SignUpRequest) { r.Password = toksta.Hide("PasswordPassword") }, "guess"},
		"repeated password": {func(r *SignUpRequest) { r.Password = toksta.Hide("abababababab") }, "guess"},
		"not text":          {func(r *SignUpRequest) { r.Password = toksta.Hide("\xff\xfe23456789012") }, "not valid text"},
	} {
		req := valid
		c.spoil(&req)
		_, err := w.SignUp(t.Context(), from(len(name)), req)
		t.Run(name, func(t *testing.T) { wantError(t, err, toksta.CodeValidation, c.text) })
	}
	if cs, err := w.store.ListChanges(t.Context(), store.ChangeQuery{}); err != nil || len(cs) != 0 {
		t.Errorf("%d changes, %v", len(cs), err)
	}
}

// Passwords and cookies are neither in the database nor in its log, and a printed
// value does not show a cookie.
func TestSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in := w.signUp(t, "ada@example.com")
	if text := fmt.Sprintf("%v %+v %#v %s", in, in, in, in.Cookie); strings.Contains(text, in.Cookie.Reveal()) {
		t.Error("a printed value shows the cookie")
	}
	raw, err := base64.RawURLEncoding.DecodeString(in.Cookie.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(w.file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{testPassword, in.Cookie.Reveal(), string(raw)} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("the database%s holds %q", suffix, secret)
			}
		}
	}
}

// Sign-ups from one network are throttled, because each account may have free credits.
func TestSignUpIsThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	for i := range 10 {
		w.now = w.now.Add(time.Second)
		w.signUp(t, fmt.Sprintf("ada%d@acme.example", i))
	}
	again := SignUpRequest{Name: "Ada", AccountName: "Acme", Email: "last@acme.example", Password: toksta.Hide(testPassword)}
	w.signUp(t, "eleventh@acme.example")
	_, err := w.SignUp(t.Context(), home, again)
	wantError(t, err, toksta.CodeRateLimited, "Too many attempts")
	if _, err := w.SignIn(t.Context(), home, "ada0@acme.example", toksta.Hide(testPassword)); err != nil {
		t.Errorf("signing in is throttled too: %v", err)
	}
}

// The change log contains each sign-in with its member, time, origin and number of
// failures before. Failures add no record, and the successes of one member are
// throttled. The error of a failed sign-in names the member for the log.
func TestSignInsAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	up := w.signUp(t, "ada@example.com")
	signIn := func(password string) error {
		_, err := w.SignIn(t.Context(), from(1), "ada@example.com", toksta.Hide(password))
		return err
	}
	trail := func() []toksta.Change {
		t.Helper()
		changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: up.Account.ID, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return changes
	}
	for range 3 {
		failed, ok := errors.AsType[*Failure](signIn("wrong"))
		if !ok || failed.Member != up.Member.ID || toksta.ErrorCode(failed) != toksta.CodeUnauthorized {
			t.Errorf("failed sign-in: %+v", failed)
		}
	}
	if n := len(trail()); n != 1 {
		t.Errorf("three failures left %d changes", n)
	}
	if err := signIn(testPassword); err != nil {
		t.Fatal(err)
	}
	last := trail()[0]
	if last.Kind != toksta.ChangeMemberSignedIn || last.MemberID != up.Member.ID || last.Actor.Address != "10.0.1.1" || last.Actor.Agent != "curl" ||
		last.Detail["failed_before"] != "3" || last.Detail["email"] != "ada@example.com" {
		t.Errorf("the change log has %+v", last)
	}
	admitted, limited := 0, 0
	for range 200 {
		switch err := signIn(testPassword); toksta.ErrorCode(err) {
		case "":
			admitted++
		case toksta.CodeRateLimited:
			limited++
		default:
			t.Fatal(err)
		}
	}
	if n := len(trail()); n != 2+admitted || admitted > 60 || limited == 0 {
		t.Errorf("200 sign-ins: %d admitted, %d limited, %d changes", admitted, limited, n)
	}
	w.now = w.now.Add(time.Minute)
	if err := signIn(testPassword); err != nil {
		t.Errorf("the member cannot sign in after a minute: %v", err)
	}
}

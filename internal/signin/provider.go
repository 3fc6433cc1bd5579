package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ProviderPath is the path of a sign-in provider, followed by its name.
const ProviderPath = "/signin/with/"

// Provider is a sign-in provider with the vendor's rules for its people.
type Provider struct {
	Name     string // in addresses and in the database
	Label    string // for people
	Protocol *oidc.Provider
	SignUp   Policy // for people without a sign-in here
	// Domains are the domains of the verified addresses of new people; none: any.
	Domains []string
	Rules   []AccountRule
	// TrustsFactor lets every sign-in count as a second factor. FactorValues are the values of amr
	// and acr with which one does.
	TrustsFactor bool
	FactorValues []string
	SignsOut     bool // signing out here also ends the session at the provider
}

// AccountRule gives people a role in an account, by a value of a claim or by the domain of their
// verified address.
type AccountRule struct {
	Claim, Value, Domain string
	Account              toksta.AccountID // its id or its external id
	Role                 toksta.MemberRole
}

// clockLeeway is the accepted difference between the clocks of a provider and of this node.
const clockLeeway = time.Minute

// AttemptLifetime is the time in which a person must sign in at the provider.
const AttemptLifetime = 10 * time.Minute

// purposeAttempt is the purpose of the ticket of a sign-in by a provider; its id is the SHA-256 of the
// state.
const purposeAttempt = "signin.provider"

// attemptData is the data of the ticket of a sign-in by a provider.
type attemptData struct {
	Provider string `json:"provider"`
	Next     string `json:"next,omitempty"`
	Invited  bool   `json:"invited,omitempty"`
	Accepted bool   `json:"accepted,omitempty"` // the terms
	// Since is the earliest time at which the person must have signed in at the provider, in Unix
	// seconds; 0: any.
	Since int64 `json:"since,omitempty"`
	// Begun is the database's time of the departure; zero: long ago.
	Begun time.Time `json:"begun,omitzero"`
}

// ProviderStart asks for a sign-in by a provider.
type ProviderStart struct {
	Provider string
	// Link is the signed-in member for the link to the person at the provider; "": the person signs
	// in.
	Link     toksta.MemberID
	Next     string // page to show afterwards
	Invited  bool   // the person starts with an invitation
	Accepted bool   // the person accepts Config.Terms, if this becomes a sign-up
	// Fresh asks the provider to authenticate the person again, although it has a session. It is for
	// people who have a session here and must prove to be present.
	Fresh bool
}

// Departure is the address at a provider to which the browser goes. The browser keeps the cookie
// for AttemptLifetime.
type Departure struct {
	Label, URL string
	Cookie     toksta.Hidden
}

// StartProvider begins a sign-in by a provider. Only the browser with the cookie can finish it, once.
// After too many from a network, the error is RATE_LIMITED.
func (s *Service) StartProvider(ctx context.Context, from Origin, req ProviderStart) (Departure, error) {
	p, err := s.provider(req.Provider)
	if err != nil {
		return Departure{}, err
	}
	// Each attempt is a row, and needs no proof.
	if err := s.Throttle.Count(ctx, Name{ScopeProvider, from.Network()}); err != nil {
		return Departure{}, err
	}
	a := oidc.NewAttempt()
	address, err := p.Protocol.AuthURL(ctx, a, req.Fresh)
	if err != nil {
		return Departure{}, p.failure(err)
	}
	now := s.now()
	begun, err := s.Clock.Time(ctx)
	if err != nil {
		return Departure{}, fmt.Errorf("begin a sign-in by %s: %w", p.Name, err)
	}
	data := attemptData{Provider: p.Name, Next: req.Next, Invited: req.Invited, Accepted: req.Accepted, Begun: begun}
	if req.Fresh {
		data.Since = now.Add(-clockLeeway).Unix()
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return Departure{}, err
	}
	err = s.Tickets.PutTicket(ctx, store.Ticket{
		ID: sha256.Sum256([]byte(a.State())), Purpose: purposeAttempt, MemberID: req.Link, Data: string(raw), ExpiresAt: now.Add(AttemptLifetime),
	})
	if err != nil {
		return Departure{}, ifNotFound(fmt.Errorf("store a sign-in by %s: %w", p.Name, err), notSignedIn()) // erased
	}
	return Departure{Label: p.Label, URL: address, Cookie: a.Cookie()}, nil
}

// ProviderReturn is the request with which a provider sends the browser back.
type ProviderReturn struct {
	Provider string
	State    string
	Code     toksta.Hidden
	Issuer   string        // RFC 9207
	Failure  string        // code of a failure at the provider, such as access_denied
	Cookie   toksta.Hidden // of StartProvider
	Session  toksta.Hidden // the cookie of the session, if there is one
	// Invitation is the code with which the person may sign up; zero: none.
	Invitation toksta.Hidden
}

// Returned is the result of a sign-in by a provider.
type Returned struct {
	Admission // zero if the person was linked to the member of the session
	Linked    bool
	Next      string
}

// FinishProvider verifies the response of a provider, and signs the person in or links the person to
// the member who asked for it. An error that is about the response has the code UNAUTHORIZED, the same
// message for all causes, and the cause as its reason. If the person must accept the terms to sign up,
// the error is about the field consent.
func (s *Service) FinishProvider(ctx context.Context, from Origin, req ProviderReturn) (Returned, error) {
	p, err := s.provider(req.Provider)
	if err != nil {
		return Returned{}, err
	}
	t, data, err := s.takeAttempt(ctx, p, req)
	if err != nil {
		return Returned{}, err
	}
	out := Returned{Linked: t.MemberID != "", Next: data.Next}
	person, err := p.Protocol.Finish(ctx, oidc.ResumeAttempt(req.Cookie), oidc.Callback{Code: req.Code, Issuer: req.Issuer, Error: req.Failure})
	switch {
	case err != nil:
		return out, p.failure(err)
	// A provider that does not state the time is believed: the person could also sign out and in.
	case !person.AuthenticatedAt.IsZero() && person.AuthenticatedAt.Unix() < data.Since:
		return out, p.rejection("stale_authentication")
	}
	v := visitor{Provider: p, Person: person, begun: data.Begun, request: SignUpRequest{Accepted: data.Accepted}}
	if data.Invited || p.SignUp == Invited { // otherwise, the browser has the code of an earlier page
		v.request.Invitation = req.Invitation
	}
	if !out.Linked {
		out.Admission, err = s.signInVisitor(ctx, from, v)
		return out, err
	}
	// The session must be the one of the member who started: otherwise an attacker's response, opened
	// in the browser of another person, would link the attacker to this person.
	id, err := s.Authenticate(ctx, req.Session)
	switch {
	case err != nil && toksta.ErrorCode(err) != toksta.CodeUnauthorized:
		return out, err
	case err != nil, id.Member.ID != t.MemberID:
		return out, p.rejection("wrong_session")
	}
	return out, s.linkVisitor(ctx, from, id, v)
}

// takeAttempt uses the ticket of a sign-in that this browser started with this provider.
func (s *Service) takeAttempt(ctx context.Context, p Provider, req ProviderReturn) (t store.Ticket, data attemptData, err error) {
	expected := oidc.ResumeAttempt(req.Cookie).State()
	if subtle.ConstantTimeCompare([]byte(req.State), []byte(expected)) != 1 {
		return t, data, lateReturn("wrong_state")
	}
	t, err = s.Tickets.UseTicket(ctx, sha256.Sum256([]byte(req.State)))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return t, data, lateReturn("used_state")
	case err != nil:
		return t, data, fmt.Errorf("use the state of a sign-in by %s: %w", p.Name, err)
	}
	if err := json.Unmarshal([]byte(t.Data), &data); err != nil {
		return t, data, fmt.Errorf("read a sign-in by %s: %w", p.Name, err)
	}
	switch {
	case t.Purpose != purposeAttempt, data.Provider != p.Name:
		return t, data, lateReturn("wrong_provider")
	case !s.now().Before(t.ExpiresAt):
		return t, data, lateReturn("expired_state")
	}
	return t, data, nil
}

// provider returns the provider with a name. The error is NOT_FOUND if none has it.
func (s *Service) provider(name string) (Provider, error) {
	i := slices.IndexFunc(s.Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, toksta.NotFoundID("sign-in provider", name)
	}
	return s.Providers[i], nil
}

// failure returns the error for a person whose provider failed or sent a wrong response. The cause is
// for the log.
func (p Provider) failure(err error) error {
	cause, ok := errors.AsType[*oidc.Error](err)
	if !ok {
		return err
	}
	out := &toksta.Error{Code: toksta.CodeUnauthorized, Reason: toksta.Reason(cause.Reason), Message: p.didNotWork()}
	switch cause.Reason {
	case oidc.ReasonUnavailable, oidc.ReasonMetadata:
		out.Code, out.Message = toksta.CodeUnavailable, p.Label+" cannot be used at the moment. Try again in a minute, or sign in another way."
	case oidc.ReasonDenied: // often by the person, so it is no error in the log
		out.Message = "The sign-in was stopped at " + p.Label + ". Start again, or sign in another way."
		return out
	}
	return fmt.Errorf("%w (%s: %w)", out, p.Name, err)
}

// rejection returns the error for a response that does not belong to this sign-in.
func (p Provider) rejection(reason toksta.Reason) error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Reason: reason, Message: p.didNotWork()}
}

func (p Provider) didNotWork() string {
	return "Signing in with " + p.Label + " did not work. Start again, or sign in another way."
}

// lateReturn returns the same error for a response with a state that is unknown, used, expired or of
// another browser.
func lateReturn(reason toksta.Reason) error {
	return &toksta.Error{
		Code: toksta.CodeUnauthorized, Reason: reason, Message: "The sign-in took too long, or was started in another browser. Start again.",
	}
}

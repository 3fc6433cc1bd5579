package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// The vendor's back end, which has its own sign-in, asks for a link. The browser that opens the
// link gets a session that is bound to one account: see decision 36.

// The paths at which the account pages open a link: in the window, and in a frame of the
// vendor's page.
const (
	VendorPath   = "/signin/vendor"
	EmbeddedPath = "/embed/start"
)

const (
	// VendorCodeTime is the time within which a link of the vendor's back end must be opened.
	VendorCodeTime = time.Minute
	// VendorReissueTime is the time within which a person must press the button of a page that
	// asks before the session starts.
	VendorReissueTime = 10 * time.Minute
	// vendorLifetime and maxVendorLifetime are the default and the longest lifetime of a session
	// of the vendor's back end.
	vendorLifetime    = time.Hour
	maxVendorLifetime = 12 * time.Hour
)

// purposeVendor is the purpose of the ticket of a link of the vendor's back end.
const purposeVendor = "vendor"

// VendorRequest asks for a session of a person whom the vendor's back end has authenticated.
type VendorRequest struct {
	Account toksta.AccountID
	// Member is the id of a member of the account. "": the person with the address Email, who
	// becomes a member of the account if needed.
	Member      toksta.MemberID
	Email, Name string            // Name: of a new person
	Role        toksta.MemberRole // of a new membership; "": developer
	Next        string            // path of the first page; "": the overview
	Embedded    bool              // the session is for a frame of the vendor's page
	Lifetime    time.Duration     // of the session, 0: 1 hour
}

// VendorLink is a link of the vendor's back end, with which one browser starts the session.
type VendorLink struct {
	Code      toksta.Hidden // used once
	ExpiresAt time.Time     // of the code
	Member    toksta.Member
	Role      toksta.MemberRole
}

// vendorTicket is the data of the ticket of such a link: it describes the session to start.
type vendorTicket struct {
	Next     string        `json:"next"`
	Embedded bool          `json:"embedded"`
	Lifetime time.Duration `json:"lifetime"`
	// Reissued is set if the code replaced an earlier one. It is not valid longer if it is replaced
	// again: otherwise, reloading the page would keep a link for ever.
	Reissued bool `json:"reissued,omitempty"`
}

// CreateVendorLink makes the person a member of the account if needed, records the session in
// the audit trail and returns the code that starts the session.
//
// The vendor vouches for the address of a new person, and a sign-up that was not verified so far
// gives way. If the address belongs to another person who never proved to receive mail at it and
// is not in the account, the error is CONFLICT: that person could have signed up with a stranger's
// address, and could use the account with their own password. The error is also CONFLICT if the
// person was removed from the account or disabled, because a new session must not undo the work
// of an admin.
func (s *Service) CreateVendorLink(ctx context.Context, by toksta.Actor, req VendorRequest) (VendorLink, error) {
	req.Role, req.Lifetime = cmp.Or(req.Role, toksta.MemberDeveloper), cmp.Or(req.Lifetime, vendorLifetime)
	if err := validVendorRequest(&req); err != nil {
		return VendorLink{}, err
	}
	link := VendorLink{}
	var err error
	if link.Member, err = s.vendorMember(ctx, by, req); err != nil {
		return VendorLink{}, err
	}
	_, err = s.Trail.Commit(ctx, by, func(ctx context.Context, r store.Reader) (_ store.Mutation, err error) {
		link.Role, err = r.Role(ctx, req.Account, link.Member.ID)
		if errors.Is(err, store.ErrNotFound) {
			err = cannotEnter("This person cannot use the account any more.")
		}
		detail := map[string]string{"email": link.Member.Email, "role": string(link.Role), "lifetime": req.Lifetime.String()}
		if req.Embedded {
			detail["embedded"] = "true"
		}
		return store.Mutation{Kind: toksta.ChangeSessionCreated, AccountID: req.Account, MemberID: link.Member.ID, Detail: detail}, err
	})
	if err != nil {
		return VendorLink{}, err
	}
	link.ExpiresAt = s.now().Add(VendorCodeTime)
	link.Code, err = s.putTicket(ctx, store.Ticket{
		Purpose: purposeVendor, MemberID: link.Member.ID, AccountID: req.Account, ExpiresAt: link.ExpiresAt,
	}, vendorTicket{Next: req.Next, Embedded: req.Embedded, Lifetime: req.Lifetime})
	return link, ifNotFound(err, cannotEnter("This person cannot use the account any more."))
}

// validVendorRequest validates the fields of a request. It removes white space around the
// name and the address.
func validVendorRequest(req *VendorRequest) error {
	var member, name, lifetime error
	switch {
	case req.Member != "" && req.Email != "":
		member = toksta.Invalid("member", "Give either the id or the address of the member.")
	case req.Member == "":
		req.Email, member = text.Email(req.Email)
	}
	if req.Name != "" {
		req.Name, name = validMemberName(req.Name, "")
	}
	if req.Lifetime < time.Minute || req.Lifetime > maxVendorLifetime {
		lifetime = toksta.Invalid("lifetime_seconds", "Give 60 to 43200 seconds.")
	}
	return toksta.InvalidFields(member, name, members.ValidRole(req.Role), validNext(req.Next), lifetime)
}

// validNext returns an error if next is not a path of the account pages.
func validNext(next string) error {
	u, err := url.Parse(next)
	inPages := err == nil && u.Scheme == "" && u.Host == "" && (u.Path == "/account" || strings.HasPrefix(u.Path, "/account/"))
	if next == "" || inPages && !strings.ContainsAny(next, "\\\r\n") && len(next) <= 1000 {
		return nil
	}
	return toksta.Invalid("next", "Give a path of the account pages, such as /account/keys/new.")
}

// vendorMember returns the person of a request. It creates the person or the membership if
// needed.
func (s *Service) vendorMember(ctx context.Context, by toksta.Actor, req VendorRequest) (toksta.Member, error) {
	if err := s.vouch(ctx, req); err != nil {
		return toksta.Member{}, err
	}
	m, missing, err := s.findVendorMember(ctx, s.Store, req)
	if err != nil || missing.Kind == "" {
		return m, err
	}
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, missing, err = s.findVendorMember(ctx, r, req)
		return missing, err
	})
	return m, err
}

// vouch ends a sign-up with the address of a request that was not verified so far, so that a stranger
// cannot keep a person out by signing up with the person's address. The person of the sign-up, who
// can be another one, keeps nothing.
func (s *Service) vouch(ctx context.Context, req VendorRequest) error {
	if req.Member != "" || req.Name == "" {
		return nil // no person would be created
	}
	m, err := s.Store.MemberByEmail(ctx, req.Email)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !m.IsProvisional():
		return nil
	case err != nil:
		return fmt.Errorf("read the member of a session: %w", err)
	}
	switch _, err := s.Store.Membership(ctx, req.Account, m.ID); {
	case errors.Is(err, store.ErrNotFound):
		return s.endSignUp(ctx, m.ID, m.ExpiresAt)
	case err != nil:
		return fmt.Errorf("read the membership of %s: %w", m.ID, err)
	}
	return nil
}

// findVendorMember returns the person of a request, and the change that makes the person a
// member of the account, zero if the person is one.
func (s *Service) findVendorMember(ctx context.Context, r store.Reader, req VendorRequest) (toksta.Member, store.Mutation, error) {
	account, err := r.Account(ctx, req.Account)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return toksta.Member{}, store.Mutation{}, toksta.NotFoundID("account", string(req.Account))
	case err != nil:
		return toksta.Member{}, store.Mutation{}, fmt.Errorf("read the account of a session: %w", err)
	case !account.ClosedAt.IsZero():
		return toksta.Member{}, store.Mutation{}, cannotEnter("The account is closed.")
	}
	m, err := readVendorMember(ctx, r, req)
	switch {
	case errors.Is(err, store.ErrNotFound) && req.Member == "":
		return s.newVendorMember(req)
	case errors.Is(err, store.ErrNotFound):
		return m, store.Mutation{}, toksta.NotFoundID("member", string(req.Member))
	case err != nil:
		return m, store.Mutation{}, fmt.Errorf("read the member of a session: %w", err)
	case !m.DisabledAt.IsZero():
		return m, store.Mutation{}, cannotEnter("This person is disabled.")
	}
	place, err := r.Membership(ctx, req.Account, m.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.joinVendorMember(req, m)
	case err != nil:
		return m, store.Mutation{}, fmt.Errorf("read the membership of %s: %w", m.ID, err)
	case !place.RemovedAt.IsZero():
		return m, store.Mutation{}, cannotEnter("This person was removed from the account. Invite the person again.")
	case !place.DisabledAt.IsZero():
		return m, store.Mutation{}, cannotEnter("This person is disabled in the account.")
	}
	return m, store.Mutation{}, nil
}

// readVendorMember reads the person whom a request names.
func readVendorMember(ctx context.Context, r store.Reader, req VendorRequest) (toksta.Member, error) {
	if req.Member != "" {
		return r.Member(ctx, req.Member)
	}
	return r.MemberByEmail(ctx, req.Email)
}

// newVendorMember returns a new person with the change that creates it. The person has no
// password.
func (s *Service) newVendorMember(req VendorRequest) (toksta.Member, store.Mutation, error) {
	if req.Name == "" {
		return toksta.Member{}, store.Mutation{}, toksta.Invalid("name", "Give the name of the person, who is not a member yet.")
	}
	now := s.now()
	m := toksta.Member{
		ID: toksta.MemberID(toksta.NewID(toksta.PrefixMember, now)), Email: req.Email, Name: req.Name, CreatedAt: now, VerifiedAt: now,
	}
	return m, store.Mutation{
		Kind: toksta.ChangeMemberCreated, AccountID: req.Account, MemberID: m.ID, Members: []toksta.Member{m},
		Memberships: []toksta.Membership{{AccountID: req.Account, MemberID: m.ID, Role: req.Role, CreatedAt: now}},
		Detail:      map[string]string{"name": m.Name, "email": m.Email, "role": string(req.Role), "method": string(MethodVendor)},
	}, nil
}

// joinVendorMember returns an existing person with the change that adds the person to the
// account.
func (s *Service) joinVendorMember(req VendorRequest, m toksta.Member) (toksta.Member, store.Mutation, error) {
	switch {
	case req.Member != "":
		return m, store.Mutation{}, toksta.NotFoundID("member", string(req.Member))
	case m.VerifiedAt.IsZero():
		return m, store.Mutation{}, cannotEnter("This address belongs to a person who has not verified it and is not in the account. Invite the person instead.")
	}
	return m, store.Mutation{
		Kind: toksta.ChangeMemberJoined, AccountID: req.Account, MemberID: m.ID,
		Memberships: []toksta.Membership{{AccountID: req.Account, MemberID: m.ID, Role: req.Role, CreatedAt: s.now()}},
		Detail:      map[string]string{"name": m.Name, "email": m.Email, "role": string(req.Role), "method": string(MethodVendor)},
	}, nil
}

// cannotEnter returns the error for a person who cannot get a session in an account.
func cannotEnter(message string) error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: message}
}

// VendorOffer describes the session that a link starts.
type VendorOffer struct {
	Member   toksta.Member
	Account  toksta.Account
	Next     string // path of the first page; "": the overview
	Embedded bool

	ticket store.Ticket
	data   vendorTicket
}

// VendorOffer returns the session that a code starts, without using the code. If the code is
// unknown, used or expired, the error is UNAUTHORIZED.
func (s *Service) VendorOffer(ctx context.Context, code toksta.Hidden) (VendorOffer, error) {
	var o VendorOffer
	var err error
	if o.ticket, err = s.readTicket(ctx, purposeVendor, code, &o.data); err != nil {
		return VendorOffer{}, ifNotFound(err, usedVendorCode())
	}
	o.Next, o.Embedded = o.data.Next, o.data.Embedded
	if o.Member, err = s.Store.Member(ctx, o.ticket.MemberID); err != nil {
		return VendorOffer{}, fmt.Errorf("read the member of a session: %w", err)
	}
	if o.Account, err = s.Store.Account(ctx, o.ticket.AccountID); err != nil {
		return VendorOffer{}, fmt.Errorf("read the account of a session: %w", err)
	}
	return o, nil
}

// OpenVendorLink uses the code of an offer and starts its session. Of several calls with one
// code, one succeeds; the others return UNAUTHORIZED.
func (s *Service) OpenVendorLink(ctx context.Context, from Origin, o VendorOffer) (SignedIn, error) {
	if err := s.useVendorTicket(ctx, o); err != nil {
		return SignedIn{}, err
	}
	method := MethodVendor
	if o.Embedded {
		method = MethodEmbedded
	}
	a, err := s.admit(ctx, from, proof{
		Member: o.Member, Method: method, Account: o.Account.ID, Bound: true, Lifetime: o.data.Lifetime,
	})
	return a.SignedIn, err
}

// ReissueVendorLink replaces the code of an offer by one that a person can use a few minutes
// later, by pressing a button, for a session that is not in a frame.
func (s *Service) ReissueVendorLink(ctx context.Context, o VendorOffer) (toksta.Hidden, error) {
	if err := s.useVendorTicket(ctx, o); err != nil {
		return toksta.Hidden{}, err
	}
	if !o.data.Reissued {
		o.ticket.ExpiresAt = s.now().Add(VendorReissueTime)
	}
	o.data.Embedded, o.data.Reissued = false, true
	code, err := s.putTicket(ctx, o.ticket, o.data)
	return code, ifNotFound(err, usedVendorCode())
}

// DiscardVendorLink uses the code of an offer without starting a session.
func (s *Service) DiscardVendorLink(ctx context.Context, o VendorOffer) error {
	return s.useVendorTicket(ctx, o)
}

// useVendorTicket uses the ticket of an offer. If it was used before, the error is UNAUTHORIZED.
func (s *Service) useVendorTicket(ctx context.Context, o VendorOffer) error {
	return ifNotFound(s.useTicket(ctx, o.ticket), usedVendorCode())
}

// usedVendorCode returns the same error for a code that is unknown, used or expired.
func usedVendorCode() error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Message: "This link was used or has expired."}
}

// denyBound returns FORBIDDEN if the session is bound to one account. Such a session proves
// only that the vendor's back end knows the person, so it shows and changes nothing that
// concerns the person's other accounts or ways to sign in.
func denyBound(id Identity) error {
	if !id.Session.Bound {
		return nil
	}
	return forbidden("This session is for one account only. To do this, sign in by yourself.")
}

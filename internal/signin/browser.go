package signin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// BrowserLifetime is the time after the last sign-in in which a browser stays known. It is the
// longest lifetime of a cookie in current browsers.
const BrowserLifetime = 400 * 24 * time.Hour

// browserInterval is the interval after which the time of a known browser is updated.
const browserInterval = 24 * time.Hour

// knownBrowser returns the browser of a request for a member. The id is zero if the browser sent
// no valid cookie; known is false if the member did not sign in with it.
func (s *Service) knownBrowser(ctx context.Context, from Origin, member toksta.MemberID) (b store.Browser, known bool, err error) {
	id, ok := secretID(from.Browser)
	if !ok {
		return store.Browser{}, false, nil
	}
	// The query does not depend on the member, so that its time does not show whether an
	// address exists.
	all, err := s.Browsers.ListBrowsers(ctx, id)
	if err != nil {
		return store.Browser{}, false, fmt.Errorf("read the members of a browser: %w", err)
	}
	for _, b := range all {
		if b.MemberID == member && s.now().Sub(b.SeenAt) < BrowserLifetime {
			return b, true, nil
		}
	}
	return store.Browser{ID: id}, false, nil
}

// guessNames returns the names at which a guess at a secret of a member counts: in a browser in
// which the member signed in before, a name of the browser, otherwise the given ones. So guesses
// by others, also from the same network, do not delay the member in an own browser. For a while after a
// reset, this holds for the browser of the reset, too, except for codes: otherwise each reset would admit
// further guesses at the code.
func (s *Service) guessNames(ctx context.Context, from Origin, member toksta.MemberID, given ...Name) ([]Name, error) {
	isCode := given[len(given)-1].Scope == ScopeCode
	b, known, err := s.knownBrowser(ctx, from, member)
	if err == nil && !known && !isCode {
		b.ID, known, err = s.hasGrace(ctx, from, member)
	}
	if err != nil || !known {
		return given, err
	}
	scope := ScopeBrowser
	if isCode {
		scope = ScopeBrowserCode
	}
	return []Name{{scope, string(member) + " " + hex.EncodeToString(b.ID[:])}}, nil
}

// hasGrace reports whether the member set a password by a link in the browser of the request, and
// returns the id of the browser's cookie. The query does not depend on the member.
func (s *Service) hasGrace(ctx context.Context, from Origin, member toksta.MemberID) (id toksta.Digest, ok bool, err error) {
	t, err := s.readTicket(ctx, purposeResetGrace, from.Grace, &struct{}{})
	if errors.Is(err, store.ErrNotFound) {
		return id, false, nil
	}
	return t.ID, err == nil && t.MemberID == member, err
}

// remembered describes the browser of a sign-in, which is known from then on.
type remembered struct {
	cookie toksta.Hidden // to set in the browser; zero: the browser has it
	id     toksta.Digest // of the written row; zero: none was written
	isNew  bool          // the member signed in before, but only with other browsers
}

// remember makes the browser of a sign-in known for the member. If the browser was not known, it
// gets a new id, also for its other members: an id that another person placed in the browser
// before the sign-in does not become known.
func (s *Service) remember(ctx context.Context, from Origin, member toksta.MemberID) (remembered, error) {
	b, known, err := s.knownBrowser(ctx, from, member)
	if err != nil || known && s.now().Sub(b.SeenAt) < browserInterval {
		return remembered{}, err
	}
	var out remembered
	var replaces toksta.Digest
	if !known {
		replaces, b = b.ID, store.Browser{MemberID: member}
		out.cookie, b.ID = newSecret()
	}
	b.SeenAt, out.id = s.now(), b.ID
	others, err := s.Browsers.PutBrowser(ctx, b, replaces)
	if err != nil {
		return remembered{}, fmt.Errorf("store the browser of member %s: %w", member, err)
	}
	out.isNew = !known && others > 0
	return out, nil
}

// forgetBrowsers makes all browsers of a member unknown, except the one with a cookie. Those of an earlier reset
// no longer have a count of their own.
func (s *Service) forgetBrowsers(ctx context.Context, except toksta.Hidden, member toksta.MemberID) error {
	if err := s.Tickets.DeleteTickets(ctx, store.TicketSet{Member: member, Purpose: purposeResetGrace}); err != nil {
		return fmt.Errorf("end the grace of member %s after a reset: %w", member, err)
	}
	keep, _ := secretID(except)
	if err := s.Browsers.DeleteBrowsers(ctx, store.BrowserSet{Member: member, Keep: keep}); err != nil {
		return fmt.Errorf("delete the browsers of member %s: %w", member, err)
	}
	return nil
}

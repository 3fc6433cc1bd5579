package signin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// DraftLifetime is the time for which the fields of a form are kept while a person signs in.
const DraftLifetime = time.Hour

// purposeDraft is the purpose of the ticket of a draft.
const purposeDraft = "signin.draft"

// Draft has the fields of a form that was sent when the person had to sign in or confirm first.
// It never has a secret, and causes nothing: the person sends the form again.
type Draft struct {
	Page   string              `json:"page"` // pattern of the page with the form
	Path   string              `json:"path"` // of the page
	Form   string              `json:"form"` // pattern of the route of the form
	Fields map[string][]string `json:"fields"`
}

// SaveDraft keeps the fields of a form until the person is signed in again, and reports whether
// it did so. It keeps them for the member of the session, which can have ended, or for the only
// member of a known browser. For an unknown browser it keeps nothing, so that a client without
// an account cannot fill the database. A later draft of the same page and browser replaces it.
func (s *Service) SaveDraft(ctx context.Context, from Origin, session toksta.Hidden, d Draft) (bool, error) {
	browser, ok := secretID(from.Browser)
	if !ok {
		return false, nil
	}
	members, err := s.Browsers.ListBrowsers(ctx, browser)
	if err != nil {
		return false, fmt.Errorf("read the members of a browser: %w", err)
	}
	t := store.Ticket{ID: draftID(browser, d.Page), Purpose: purposeDraft, ExpiresAt: s.now().Add(DraftLifetime)}
	if len(members) == 1 {
		t.MemberID = members[0].MemberID
	}
	if id, ok := secretID(session); ok {
		switch row, err := s.Sessions.Session(ctx, id); {
		case err == nil:
			t.MemberID, t.AccountID = row.MemberID, row.AccountID
		case !errors.Is(err, store.ErrNotFound):
			return false, fmt.Errorf("read the session of a form: %w", err)
		}
	}
	if !slices.ContainsFunc(members, func(b store.Browser) bool { return b.MemberID == t.MemberID }) {
		return false, nil
	}
	data, err := json.Marshal(d)
	if err != nil {
		return false, err
	}
	t.Data = string(data)
	if _, err := s.Tickets.UseTicket(ctx, t.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("replace the draft of a form: %w", err)
	}
	err = s.Tickets.PutTicket(ctx, t)
	if err != nil && !errors.Is(err, store.ErrTaken) && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("keep a form: %w", err)
	}
	return !errors.Is(err, store.ErrNotFound), nil // nothing is kept for an erased person
}

// Draft returns the draft of a page for the signed-in member, and the account in which the form
// was sent. found is false if there is none. The draft is kept until it expires, so that a reload
// shows it again.
func (s *Service) Draft(ctx context.Context, from Origin, id Identity, page string) (d Draft, account toksta.AccountID, found bool, err error) {
	browser, ok := secretID(from.Browser)
	if !ok {
		return d, "", false, nil
	}
	t, err := s.Tickets.Ticket(ctx, draftID(browser, page))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return d, "", false, nil
	case err != nil:
		return d, "", false, fmt.Errorf("read the draft of a form: %w", err)
	case t.Purpose != purposeDraft, t.MemberID != id.Member.ID, !s.now().Before(t.ExpiresAt):
		return d, "", false, nil
	}
	if err := json.Unmarshal([]byte(t.Data), &d); err != nil {
		return d, "", false, fmt.Errorf("read the draft of a form: %w", err)
	}
	return d, t.AccountID, true, nil
}

// draftID returns the id of the ticket of a draft. Only the browser knows its cookie, so no other
// browser finds the draft. The number of pages bounds the drafts of a browser.
func draftID(browser toksta.Digest, page string) toksta.Digest {
	return sha256.Sum256(fmt.Appendf(nil, "draft %x %s", browser, page))
}

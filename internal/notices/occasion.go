package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// data is the content of a notice beside its kind. It names people and keys by their ids.
type data struct {
	// Actor is the member who made the change; "" with Vendor, and if the recipient made it.
	Actor  toksta.MemberID   `json:"actor,omitempty"`
	Vendor bool              `json:"vendor,omitempty"` // the vendor made the change
	Key    toksta.KeyID      `json:"key,omitempty"`
	Keys   int               `json:"keys,omitempty"`
	Member toksta.MemberID   `json:"member,omitempty"`
	Left   bool              `json:"left,omitempty"`
	Role   toksta.MemberRole `json:"role,omitempty"`
	// Address and Browser of the actor are kept only in notices to the actor.
	Address string          `json:"address,omitempty"`
	Browser string          `json:"browser,omitempty"`
	Old     string          `json:"old,omitempty"` // e-mail address
	New     string          `json:"new,omitempty"`
	Reason  toksta.Reason   `json:"reason,omitempty"`
	Date    time.Time       `json:"date,omitzero"`
	Days    int             `json:"days,omitempty"`
	Event   json.RawMessage `json:"event,omitempty"` // data of the event, as webhooks have it
}

// occasion is the cause of one or several notices.
type occasion struct {
	kind    Kind
	account toksta.AccountID // "": it is about a person alone
	seq     int64
	at      time.Time
	data    data
	token   string // the same on every node that sees the occasion
	origin  origin // of the member data.Actor
}

// origin describes the client of an actor.
type origin struct{ address, browser string }

// toMembers returns a notice for each member of the account that the rule of the kind names,
// except the subject of the notice.
func (s *Service) toMembers(ctx context.Context, o occasion) ([]store.Notice, error) {
	members, err := s.config.Store.ListAccountMembers(ctx, o.account)
	if err != nil {
		return nil, fmt.Errorf("list the members of account %s: %w", o.account, err)
	}
	var out []store.Notice
	for _, m := range members {
		if !m.CanAct() || m.ID == o.data.Member || !rules[o.kind].allows(m.Membership.Role) {
			continue
		}
		n, err := s.draft(o, m.ID)
		if err != nil {
			return nil, err
		}
		// People need no hint at their own action on the page. They still get the mail, since
		// another person could have acted in their session.
		if m.ID == o.data.Actor {
			n.ReadAt = n.At
		}
		out = append(out, n)
	}
	return out, nil
}

// toPerson returns the notice for one person. A person without an address, because the sign-up
// has expired or the data was erased, gets none.
func (s *Service) toPerson(ctx context.Context, o occasion, id toksta.MemberID) ([]store.Notice, error) {
	m, err := s.config.Store.Member(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Email == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := s.draft(o, id)
	return []store.Notice{n}, err
}

// draft returns the notice of an occasion for one recipient.
func (s *Service) draft(o occasion, to toksta.MemberID) (store.Notice, error) {
	d := o.data
	if d.Actor == to {
		d.Actor, d.Address, d.Browser = "", o.origin.address, o.origin.browser
		if rules[o.kind].account {
			d.Actor = to
		}
	}
	encoded, err := json.Marshal(d)
	if err != nil {
		return store.Notice{}, fmt.Errorf("encode a notice: %w", err)
	}
	return store.Notice{
		ID: toksta.NewID(toksta.PrefixNotice, o.at), MemberID: to, AccountID: o.account, Kind: string(o.kind), Seq: o.seq, At: o.at,
		Data: encoded, Token: o.token + " " + string(to), Mail: s.mails(), NextAt: s.config.Now(),
	}, nil
}

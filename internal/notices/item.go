package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Item is a notice with the names of today. A name is "" if the notice has none.
type Item struct {
	ID        string
	Kind      Kind
	At        time.Time
	Read      bool
	AccountID toksta.AccountID // "": it is about the recipient alone
	Account   string
	Actor     string // "": the recipient, or with Vendor the vendor
	ActedSelf bool   // the recipient made the change
	Vendor    bool
	KeyID     toksta.KeyID
	Key       string
	Keys      int
	Member    string
	Left      bool
	Role      toksta.MemberRole
	Address   string // IP address of the recipient's client
	Browser   string
	Old, New  string // e-mail addresses
	Reason    toksta.Reason
	Date      time.Time
	Days      int
	Credits   *mail.Credits
	Limit     *mail.Limit
}

// formerMember is the name of a person whose data was erased.
const formerMember = "A former member"

// item reads the names of a notice. A key or person that does not exist any more has a phrase
// instead of a name.
func (s *Service) item(ctx context.Context, n store.Notice) (Item, error) {
	var d data
	if err := json.Unmarshal(n.Data, &d); err != nil {
		return Item{}, fmt.Errorf("decode notice %s: %w", n.ID, err)
	}
	out := Item{
		ID: n.ID, Kind: Kind(n.Kind), At: n.At, Read: !n.ReadAt.IsZero(), AccountID: n.AccountID, Vendor: d.Vendor, ActedSelf: !d.Vendor && (d.Actor == "" || d.Actor == n.MemberID),
		KeyID: d.Key, Keys: d.Keys, Left: d.Left, Role: d.Role, Address: d.Address, Browser: d.Browser, Old: d.Old, New: d.New,
		Reason: d.Reason, Date: d.Date, Days: d.Days,
	}
	var errs []error
	name := func(to *string, id toksta.MemberID) {
		if id == "" {
			return
		}
		m, err := s.config.Store.Member(ctx, id)
		if *to = m.Name; errors.Is(err, store.ErrNotFound) || err == nil && m.Name == "" {
			*to, err = formerMember, nil
		}
		errs = append(errs, err)
	}
	name(&out.Actor, d.Actor)
	name(&out.Member, d.Member)
	if d.Key != "" {
		k, err := s.config.Store.Key(ctx, n.AccountID, d.Key)
		if out.Key = k.Name; errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		errs = append(errs, err)
	}
	if n.AccountID != "" {
		a, err := s.config.Store.Account(ctx, n.AccountID)
		out.Account, errs = a.Name, append(errs, err)
	}
	return out, errors.Join(append(errs, out.readEvent(d.Event))...)
}

// readEvent reads the data of an event, which has the form of the webhook.
func (i *Item) readEvent(event json.RawMessage) error {
	switch i.Kind {
	case CreditsLow, CreditsExhausted:
		var c client.CreditsData
		err := json.Unmarshal(event, &c)
		i.Credits = &mail.Credits{Remaining: c.Remaining, Included: c.Included, ResetsAt: c.ResetsAt, Overage: c.Beyond == "overage"}
		return err
	case RateLimitHit:
		var l client.RateLimitData
		err := json.Unmarshal(event, &l)
		i.Limit = &mail.Limit{PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay, Concurrent: l.Concurrent, Refused: l.Refused, Since: l.Since}
		return err
	default:
		return nil
	}
}

// Path returns the path of the page about the notice.
func (i Item) Path() string {
	switch {
	case i.KeyID != "":
		return "/account/keys/" + url.PathEscape(string(i.KeyID))
	case i.Kind == KeysRevoked, i.Kind == KeysExpiring, i.Kind == KeysUnused:
		return "/account#api-keys"
	case rules[i.Kind].topic == TopicMembers, i.Kind == OwnerChanged:
		return "/account/members"
	case rules[i.Kind].account || slices.Contains([]Kind{RoleChanged, AccessRemoved, AccessDisabled, AccessEnabled}, i.Kind):
		return "/account"
	default:
		return "/account/security"
	}
}

// Why returns the cause of refused calls as a clause after "because".
func (i Item) Why() string {
	switch i.Reason {
	case toksta.ReasonBillingPastDue:
		return "a payment is past due"
	case toksta.ReasonSubscriptionInactive:
		return "the subscription is not active"
	default:
		return ""
	}
}

// letter returns the values of the mail about the notice.
func (i Item) letter() mail.NoticeLetter {
	return mail.NoticeLetter{
		Account: i.Account, Actor: i.Actor, Vendor: i.Vendor, Key: i.Key, Keys: i.Keys, Member: i.Member, Left: i.Left, Role: string(i.Role),
		Address: i.Address, Browser: i.Browser, Old: i.Old, New: i.New, Why: i.Why(), At: i.At, Date: i.Date, Days: i.Days,
		Credits: i.Credits, Limit: i.Limit,
	}
}

package keys

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// CreatedByOperator is the value of Selection.CreatedBy that selects the keys
// which the operator created or imported.
const CreatedByOperator = string(toksta.ActorOperator)

// Selection selects the live keys that meet all of its conditions. A condition
// with a zero value is not checked. At least one condition must be set.
type Selection struct {
	Account       toksta.AccountID
	CreatedBy     string     // a member's id, or CreatedByOperator
	CreatedBefore *time.Time // nil: any
	IDs           []toksta.KeyID
	Digests       []toksta.Digest // of current secrets; the digest of an earlier secret selects nothing
	SkipUnknown   bool            // ignore ids and digests that do not exist
}

// RevokeManyRequest revokes the selected keys. With DryRun it returns them and
// changes nothing.
type RevokeManyRequest struct {
	Selection
	DryRun bool
}

// RevokedMany is the result of RevokeMany. Unknown is the number of ids and
// digests that do not exist.
type RevokedMany struct {
	Keys    []toksta.Key
	Unknown int
	Receipt toksta.Receipt
}

// RevokeMany revokes all selected keys in one change. When it returns, no node
// admits any of them. It ignores revoked keys, so a request can be repeated.
//
// If the account, the member, an id or a digest is unknown, or no key meets the
// conditions, RevokeMany returns an error and changes nothing: after a leak, the
// caller would take an empty result for success.
func (s *Service) RevokeMany(ctx context.Context, by toksta.Actor, req RevokeManyRequest) (RevokedMany, error) {
	// An empty selection must never mean all keys.
	if req.Selection.isEmpty() {
		return RevokedMany{}, toksta.Invalid("selection", "Say which keys: by account, creator, age, ids or digests.")
	}
	if _, err := toksta.ValidateTime("created_before", req.CreatedBefore); err != nil {
		return RevokedMany{}, err
	}
	now := s.now()
	var out RevokedMany
	decide := func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		selected, unknown, err := req.Selection.read(ctx, r)
		out = RevokedMany{Unknown: unknown}
		if err != nil || len(selected) == 0 {
			return store.Mutation{}, err
		}
		for i := range selected {
			selected[i].RevokedAt = now
		}
		out.Keys = selected
		return store.Mutation{
			Kind: toksta.ChangeKeysRevoked, AccountID: req.Account, Keys: selected,
			Detail: map[string]string{"keys": strconv.Itoa(len(selected)), "selected": req.Selection.String()},
		}, nil
	}
	if req.DryRun {
		_, err := decide(ctx, s.Store)
		// A dry run returns the keys unchanged.
		for i := range out.Keys {
			out.Keys[i].RevokedAt = time.Time{}
		}
		return out, err
	}
	var err error
	out.Receipt, err = s.Log.Commit(ctx, by, decide)
	for i := range out.Keys {
		out.Keys[i].Seq = out.Receipt.Change.Seq
	}
	return out, err
}

// isEmpty reports whether no condition is set.
func (s Selection) isEmpty() bool {
	return s.Account == "" && s.CreatedBy == "" && s.CreatedBefore == nil && len(s.IDs) == 0 && len(s.Digests) == 0
}

// String returns the conditions as text for the change log, without digests.
func (s Selection) String() string {
	var out string
	add := func(isSet bool, format string, v any) {
		if !isSet {
			return
		}
		if out != "" {
			out += ", "
		}
		out += fmt.Sprintf(format, v)
	}
	add(s.Account != "", "account %s", s.Account)
	add(s.CreatedBy != "", "created by %s", s.CreatedBy)
	if s.CreatedBefore != nil {
		add(true, "created before %s", timeText(*s.CreatedBefore))
	}
	add(len(s.IDs) > 0, "%d ids", len(s.IDs))
	add(len(s.Digests) > 0, "%d digests", len(s.Digests))
	return out
}

package keys

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// CreatedByOperator as Selection.CreatedBy selects the keys that the operator
// created or imported.
const CreatedByOperator = string(toksta.ActorOperator)

// Selection is the live keys that meet every condition stated; one at least
// must be. Keys already revoked are never selected.
type Selection struct {
	Account       toksta.AccountID
	CreatedBy     string     // a member's id, or CreatedByOperator
	CreatedBefore *time.Time // nil: any
	IDs           []toksta.KeyID
	Digests       []toksta.Digest // of secrets in force; that of an earlier secret of a key selects nothing
	SkipUnknown   bool            // passes over ids and digests that do not exist
}

// RevokeManyRequest revokes a selection. DryRun says which keys it holds and
// changes nothing.
type RevokeManyRequest struct {
	Selection
	DryRun bool
}

// RevokedMany answers RevokeMany. Unknown counts the ids and digests that do not
// exist.
type RevokedMany struct {
	Keys    []toksta.Key
	Unknown int
	Receipt toksta.Receipt
}

// RevokeMany revokes all selected keys as one change: when it returns, no
// node admits any of them. Keys that are revoked already are passed over, so a
// request can be repeated. On the day of a leak an empty selection would be
// believed, so what names nothing is an error, and nothing is changed: an
// unknown account, member, id or digest, and conditions that no key meets.
func (s *Service) RevokeMany(ctx context.Context, by toksta.Actor, req RevokeManyRequest) (RevokedMany, error) {
	// An empty form must never mean every key there is.
	if req.Selection.empty() {
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
		// As they are, not as they would be.
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

// empty reports whether no condition is stated.
func (s Selection) empty() bool {
	return s.Account == "" && s.CreatedBy == "" && s.CreatedBefore == nil && len(s.IDs) == 0 && len(s.Digests) == 0
}

// String says the conditions in words, naming no digest.
func (s Selection) String() string {
	var out string
	say := func(stated bool, format string, v any) {
		if !stated {
			return
		}
		if out != "" {
			out += ", "
		}
		out += fmt.Sprintf(format, v)
	}
	say(s.Account != "", "account %s", s.Account)
	say(s.CreatedBy != "", "created by %s", s.CreatedBy)
	if s.CreatedBefore != nil {
		say(true, "created before %s", timeText(*s.CreatedBefore))
	}
	say(len(s.IDs) > 0, "%d ids", len(s.IDs))
	say(len(s.Digests) > 0, "%d digests", len(s.Digests))
	return out
}

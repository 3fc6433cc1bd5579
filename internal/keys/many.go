package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// Selection is the live keys that meet every condition stated; one at least
// must be. Keys already revoked are never selected.
type Selection struct {
	Account       toksta.AccountID
	CreatedBy     string     // as Key.CreatedBy has it
	CreatedBefore *time.Time // nil: any
	IDs           []toksta.KeyID
	Digests       []toksta.Digest // of secrets in force; that of an earlier secret of a key selects nothing
}

// RevokeManyRequest revokes a selection. DryRun says which keys it holds and
// changes nothing.
type RevokeManyRequest struct {
	Selection
	DryRun bool
}

// RevokedMany answers RevokeMany.
type RevokedMany struct {
	Keys    []toksta.Key
	Receipt toksta.Receipt
}

// RevokeMany revokes all selected keys as one change: when it returns, no
// node admits any of them. An id or a digest that is unknown or whose key is
// revoked already is passed over.
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
		selected, err := req.Selection.read(ctx, r)
		if err != nil || len(selected) == 0 {
			out.Keys = nil
			return store.Mutation{}, err
		}
		for i := range selected {
			selected[i].RevokedAt = now
		}
		out.Keys = selected
		return store.Mutation{
			Kind: toksta.KeysRevokedTogether, AccountID: req.Account, Keys: selected,
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

// read returns the selected keys, in id order.
func (s Selection) read(ctx context.Context, r store.Reader) ([]toksta.Key, error) {
	f := filter{Selection: s, ids: setOf(s.IDs), digests: setOf(s.Digests)}
	if len(s.IDs) == 0 && len(s.Digests) == 0 {
		return f.scan(ctx, r)
	}
	ids := s.IDs
	if len(ids) == 0 {
		found, err := r.KeysByDigest(ctx, s.Digests)
		if err != nil {
			return nil, fmt.Errorf("look for the digests' keys: %w", err)
		}
		ids = slices.Collect(maps.Values(found))
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var out []toksta.Key
	for _, id := range ids {
		k, err := r.Key(ctx, s.Account, id)
		switch {
		case errors.Is(err, store.ErrNotFound): // nobody's, or somebody else's
		case err != nil:
			return nil, fmt.Errorf("read key %s: %w", id, err)
		case f.holds(k):
			out = append(out, k)
		}
	}
	return out, nil
}

// filter is a selection that can be asked about one key after another.
type filter struct {
	Selection
	ids     map[toksta.KeyID]bool
	digests map[toksta.Digest]bool
}

// scanPage is how many keys are read at a time.
const scanPage = 1000

// scan goes through all keys of the account, or of all accounts.
func (f filter) scan(ctx context.Context, r store.Reader) ([]toksta.Key, error) {
	var out []toksta.Key
	// Under the store's lock: no key can slip in behind the scan.
	q := store.KeyQuery{Account: f.Account, Page: store.Page{Limit: scanPage}}
	for {
		page, err := r.ListKeys(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		for _, k := range page {
			if f.holds(k) {
				out = append(out, k)
			}
		}
		if len(page) < scanPage {
			return out, nil
		}
		q.Page.After = string(page[len(page)-1].ID)
	}
}

// holds reports whether a key meets every condition stated. Only the newest
// secret of a key counts: an earlier one is refused everywhere already, and a
// list of leaked digests must not cost a customer the secret in use.
func (f filter) holds(k toksta.Key) bool {
	return k.RevokedAt.IsZero() &&
		(f.Account == "" || k.AccountID == f.Account) &&
		(f.CreatedBy == "" || k.CreatedBy == f.CreatedBy) &&
		(f.CreatedBefore == nil || k.CreatedAt.Before(*f.CreatedBefore)) &&
		(len(f.ids) == 0 || f.ids[k.ID]) &&
		(len(f.digests) == 0 || f.digests[k.Current().Digest])
}

// setOf makes membership cheap: a list of leaked digests can be long.
func setOf[T comparable](values []T) map[T]bool {
	set := make(map[T]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return set
}

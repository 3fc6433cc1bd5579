package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// read returns the selected keys, in id order, and how many ids and digests do
// not exist. Keys that meet the conditions and are all revoked are no error.
func (s Selection) read(ctx context.Context, r store.Reader) (selected []toksta.Key, unknown int, err error) {
	if err := s.validReferences(ctx, r); err != nil {
		return nil, 0, err
	}
	f := filter{Selection: s, ids: setOf(s.IDs), digests: setOf(s.Digests)}
	if len(s.IDs) == 0 && len(s.Digests) == 0 {
		selected, err = f.scan(ctx, r)
		return selected, 0, err
	}
	named, missing, err := s.named(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	if len(missing) > 0 && !s.SkipUnknown {
		return nil, 0, unknownKeys(missing)
	}
	named = slices.DeleteFunc(named, func(k toksta.Key) bool { return !f.meets(k) })
	if len(named) == 0 {
		return nil, 0, noKey()
	}
	return slices.DeleteFunc(named, func(k toksta.Key) bool { return !f.selects(k) }), len(missing), nil
}

// validReferences rejects an account or a member that does not exist.
func (s Selection) validReferences(ctx context.Context, r store.Reader) error {
	if s.Account != "" {
		if _, err := r.Account(ctx, s.Account); err != nil {
			return store.Missing("account", err)
		}
	}
	if s.CreatedBy == "" || s.CreatedBy == CreatedByOperator {
		return nil
	}
	_, err := r.Member(ctx, toksta.MemberID(s.CreatedBy))
	if errors.Is(err, store.ErrNotFound) {
		invalid := toksta.Invalid("created_by", fmt.Sprintf("There is no member %q. Give a member's id, or %s.", s.CreatedBy, CreatedByOperator))
		invalid.Hint = "toksta accounts show lists the members of an account"
		return invalid
	}
	return err
}

// named returns the keys that the ids, or without ids the digests, name, in id
// order and each once, and a text for each id and digest that does not exist.
func (s Selection) named(ctx context.Context, r store.Reader) (keys []toksta.Key, missing []string, err error) {
	owner, err := r.KeysByDigest(ctx, s.Digests)
	if err != nil {
		return nil, nil, fmt.Errorf("look for the digests' keys: %w", err)
	}
	ids, text := s.IDs, map[toksta.KeyID]string{} // what names a key in an error
	for _, digest := range s.Digests {
		name := fmt.Sprintf("SHA-256 %x…", digest[:6])
		id, known := owner[digest]
		switch {
		case !known:
			missing = append(missing, name)
		case len(s.IDs) == 0:
			ids, text[id] = append(ids, id), name
		}
	}
	seen := map[toksta.KeyID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		k, err := r.Key(ctx, s.Account, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			missing = append(missing, cmp.Or(text[id], fmt.Sprintf("%.60q", string(id))))
		case err != nil:
			return nil, nil, fmt.Errorf("read key %s: %w", id, err)
		default:
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b toksta.Key) int { return cmp.Compare(a.ID, b.ID) })
	return keys, missing, nil
}

// shownUnknown is how many keys that do not exist an error names.
const shownUnknown = 5

// unknownKeys is the error about ids and digests that do not exist.
func unknownKeys(missing []string) error {
	text := "No such key: " + strings.Join(missing[:min(len(missing), shownUnknown)], ", ")
	if more := len(missing) - shownUnknown; more > 0 {
		text += fmt.Sprintf(", and %d more of the list", more)
	}
	e := toksta.Invalid("keys", text+". Nothing was revoked.")
	e.Hint = "correct the list; --skip-unknown (skip_unknown in a request) passes over what does not exist"
	return e
}

// noKey is the error about conditions that no key meets, live or revoked.
func noKey() error {
	return &toksta.Error{Code: toksta.CodeNotFound, Message: "No key meets these conditions. Nothing was revoked."}
}

// filter is a selection that can be asked about one key after another.
type filter struct {
	Selection
	ids     map[toksta.KeyID]bool
	digests map[toksta.Digest]bool
}

// scan returns the live keys of the account, or of all accounts, that meet the
// conditions. Without any, it reads the revoked keys too: an error reports
// conditions that no key meets.
func (f filter) scan(ctx context.Context, r store.Reader) ([]toksta.Key, error) {
	live := store.KeyQuery{Account: f.Account}
	selected, err := f.matches(ctx, r, live)
	if err != nil || len(selected) > 0 {
		return selected, err
	}
	all := live
	all.Revoked = true
	matching, err := f.matches(ctx, r, all)
	if err == nil && len(matching) == 0 {
		err = noKey()
	}
	return nil, err
}

// matches reads the keys of q that meet the conditions. Under the store's lock
// no key is created meanwhile.
func (f filter) matches(ctx context.Context, r store.Reader, q store.KeyQuery) ([]toksta.Key, error) {
	var out []toksta.Key
	for k, err := range store.EachKey(ctx, r, q) {
		if err != nil {
			return nil, err
		}
		if f.meets(k) {
			out = append(out, k)
		}
	}
	return out, nil
}

// meets reports whether a key, live or not, meets every condition stated.
func (f filter) meets(k toksta.Key) bool {
	return (f.Account == "" || k.AccountID == f.Account) &&
		(f.CreatedBy == "" || createdBy(k) == f.CreatedBy) &&
		(f.CreatedBefore == nil || k.CreatedAt.Before(*f.CreatedBefore)) &&
		(len(f.ids) == 0 || f.ids[k.ID]) &&
		(len(f.digests) == 0 || slices.ContainsFunc(k.Generations, func(g toksta.Generation) bool { return f.digests[g.Digest] }))
}

// selects reports whether a key that meets the conditions is to be revoked.
// Only the newest secret of a key counts: an earlier one is rejected everywhere
// already, and a list of leaked digests must not cost a customer the secret in
// use.
func (f filter) selects(k toksta.Key) bool {
	return k.RevokedAt.IsZero() && (len(f.digests) == 0 || f.digests[k.Current().Digest])
}

// createdBy is a key's creator as Selection.CreatedBy has it.
func createdBy(k toksta.Key) string { return cmp.Or(string(k.CreatedByID), k.CreatedBy) }

// setOf makes membership cheap: a list of leaked digests can be long.
func setOf[T comparable](values []T) map[T]bool {
	set := make(map[T]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return set
}

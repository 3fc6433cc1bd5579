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

// read returns the selected keys, in id order, and the number of unknown ids and
// digests. If keys meet the conditions but all are revoked, it returns no key and
// no error.
func (s Selection) read(ctx context.Context, r store.Reader) (selected []toksta.Key, unknown int, err error) {
	if err := s.validReferences(ctx, r); err != nil {
		return nil, 0, err
	}
	f := filter{Selection: s, ids: setOf(s.IDs), digests: setOf(s.Digests)}
	if len(s.IDs) == 0 && len(s.Digests) == 0 {
		selected, err = f.scan(ctx, r)
		return selected, 0, err
	}
	named, missing, err := s.readNamed(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	if len(missing) > 0 && !s.SkipUnknown {
		return nil, 0, unknownKeysError(missing)
	}
	named = slices.DeleteFunc(named, func(k toksta.Key) bool { return !f.meets(k) })
	if len(named) == 0 {
		return nil, 0, noMatchError()
	}
	return slices.DeleteFunc(named, func(k toksta.Key) bool { return !f.selects(k) }), len(missing), nil
}

// validReferences returns an error if the account or the member does not exist.
func (s Selection) validReferences(ctx context.Context, r store.Reader) error {
	if s.Account != "" {
		if _, err := r.Account(ctx, s.Account); err != nil {
			return store.Missing("account", s.Account, err)
		}
	}
	if s.CreatedBy == "" || s.CreatedBy == CreatedByOperator {
		return nil
	}
	_, err := r.Member(ctx, toksta.MemberID(s.CreatedBy))
	if errors.Is(err, store.ErrNotFound) {
		invalid := toksta.Invalid("created_by", fmt.Sprintf("There is no member %q. Give a member's id or e-mail address, or %s.", s.CreatedBy, CreatedByOperator))
		invalid.Hint = "toksta accounts show lists the members of an account"
		return invalid
	}
	return err
}

// readNamed returns the keys with the selection's ids or, if there are no ids, with
// its digests, in id order without duplicates. For each unknown id and digest it
// returns a text in missing.
func (s Selection) readNamed(ctx context.Context, r store.Reader) (keys []toksta.Key, missing []string, err error) {
	owner, err := r.KeysByDigest(ctx, s.Digests)
	if err != nil {
		return nil, nil, fmt.Errorf("find the keys of the digests: %w", err)
	}
	ids, digestText := s.IDs, map[toksta.KeyID]string{}
	for _, digest := range s.Digests {
		name := fmt.Sprintf("SHA-256 %x…", digest[:6])
		id, known := owner[digest]
		switch {
		case !known:
			missing = append(missing, name)
		case len(s.IDs) == 0:
			ids, digestText[id] = append(ids, id), name
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
			missing = append(missing, cmp.Or(digestText[id], fmt.Sprintf("%.60q", string(id))))
		case err != nil:
			return nil, nil, fmt.Errorf("read key %s: %w", id, err)
		default:
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b toksta.Key) int { return cmp.Compare(a.ID, b.ID) })
	return keys, missing, nil
}

// maxUnknownShown is the largest number of unknown keys that an error lists.
const maxUnknownShown = 5

// unknownKeysError returns the error about ids and digests that do not exist.
func unknownKeysError(missing []string) error {
	text := "No such key: " + strings.Join(missing[:min(len(missing), maxUnknownShown)], ", ")
	if more := len(missing) - maxUnknownShown; more > 0 {
		text += fmt.Sprintf(", and %d more of the list", more)
	}
	e := toksta.Invalid("keys", text+". Nothing was revoked.")
	e.Hint = "correct the list; --skip-unknown (skip_unknown in a request) ignores keys that do not exist"
	return e
}

// noMatchError returns the error for conditions that no key, live or revoked,
// meets.
func noMatchError() error {
	return &toksta.Error{Code: toksta.CodeNotFound, Message: "No key meets these conditions. Nothing was revoked."}
}

// filter is a selection whose ids and digests are sets, so that many keys can be
// checked fast.
type filter struct {
	Selection
	ids     map[toksta.KeyID]bool
	digests map[toksta.Digest]bool
}

// scan returns the live keys of the account, or of all accounts, that meet the
// conditions. If no live key meets them, it also reads the revoked keys. If no
// revoked key meets them either, it returns an error.
func (f filter) scan(ctx context.Context, r store.Reader) ([]toksta.Key, error) {
	live := store.KeyQuery{Account: f.Account}
	selected, err := f.readMatches(ctx, r, live)
	if err != nil || len(selected) > 0 {
		return selected, err
	}
	all := live
	all.Revoked = true
	matching, err := f.readMatches(ctx, r, all)
	if err == nil && len(matching) == 0 {
		err = noMatchError()
	}
	return nil, err
}

// readMatches reads the keys of q that meet the conditions.
func (f filter) readMatches(ctx context.Context, r store.Reader, q store.KeyQuery) ([]toksta.Key, error) {
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

// meets reports whether a key, live or revoked, meets all conditions.
func (f filter) meets(k toksta.Key) bool {
	return (f.Account == "" || k.AccountID == f.Account) &&
		(f.CreatedBy == "" || createdBy(k) == f.CreatedBy) &&
		(f.CreatedBefore == nil || k.CreatedAt.Before(*f.CreatedBefore)) &&
		(len(f.ids) == 0 || f.ids[k.ID]) &&
		(len(f.digests) == 0 || slices.ContainsFunc(k.Generations, func(g toksta.Generation) bool { return f.digests[g.Digest] }))
}

// selects reports whether a key that meets the conditions must be revoked. A
// digest selects a key only if it belongs to the current secret. Earlier secrets
// are already rejected, and their leak must not end the current secret.
func (f filter) selects(k toksta.Key) bool {
	return k.RevokedAt.IsZero() && (len(f.digests) == 0 || f.digests[k.Current().Digest])
}

// createdBy returns a key's creator in the form of Selection.CreatedBy.
func createdBy(k toksta.Key) string { return cmp.Or(string(k.CreatedByID), k.CreatedBy) }

func setOf[T comparable](values []T) map[T]bool {
	set := make(map[T]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return set
}

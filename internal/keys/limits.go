package keys

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxPerMinute is the largest rate limit of one key.
const maxPerMinute = 1_000_000

// LimitsRequest changes the limits of a key. A nil field keeps its limit; a
// pointer to an empty list or to 0 removes it.
type LimitsRequest struct {
	Ref
	Scopes    *[]toksta.Family
	Networks  *[]netip.Prefix
	PerMinute *int
}

// SetLimits changes the limits of a key. A family that the plan no longer includes
// can stay in the scopes, but cannot be added. If the key is revoked, the error is
// CONFLICT.
func (s *Service) SetLimits(ctx context.Context, by toksta.Actor, req LimitsRequest) (Changed, error) {
	var networks []netip.Prefix
	var networksErr, scopesErr, perMinuteErr error
	if req.Networks != nil {
		networks, networksErr = text.Networks("networks", *req.Networks)
	}
	if req.Scopes != nil {
		scopesErr = s.knownFamilies(*req.Scopes)
	}
	if req.PerMinute != nil {
		perMinuteErr = validPerMinute(*req.PerMinute)
	}
	if err := toksta.InvalidFields(scopesErr, networksErr, perMinuteErr); err != nil {
		return Changed{}, err
	}
	return s.edit(ctx, by, target{Ref: req.Ref}, func(ctx context.Context, r store.Reader, k *toksta.Key) (store.Mutation, error) {
		if !k.RevokedAt.IsZero() {
			return store.Mutation{}, conflict("The key is revoked; its limits cannot be changed.")
		}
		next := k.Limits
		if req.Scopes != nil {
			scopes, err := s.rescope(ctx, r, k, *req.Scopes)
			if err != nil {
				return store.Mutation{}, err
			}
			next.Scopes = scopes
		}
		if req.Networks != nil {
			next.Networks = networks
		}
		if req.PerMinute != nil {
			next.PerMinute = *req.PerMinute
		}
		detail := limitsDetail(k.Limits, next)
		if len(detail) == 0 {
			return store.Mutation{}, nil
		}
		k.Limits = next
		return store.Mutation{Kind: toksta.ChangeKeyLimitsSet, Detail: detail}, nil
	})
}

// rescope checks that each of the scopes is in the account's plan or is already a
// scope of k. It returns the scopes in the form in which they are stored.
func (s *Service) rescope(ctx context.Context, r store.Reader, k *toksta.Key, scopes []toksta.Family) ([]toksta.Family, error) {
	account, err := r.Account(ctx, k.AccountID)
	if err != nil {
		return nil, fmt.Errorf("read the key's account: %w", err)
	}
	return s.validScopes(scopes, slices.Concat(s.Catalog.Standing(account).Families, k.Limits.Scopes))
}

// validScopes checks that all requested families are allowed. It returns them in
// the catalog's order without duplicates.
func (s *Service) validScopes(requested, allowed []toksta.Family) ([]toksta.Family, error) {
	if err := s.knownFamilies(requested); err != nil {
		return nil, err
	}
	for _, f := range requested {
		if !slices.Contains(allowed, f) {
			return nil, toksta.Invalid("scopes", fmt.Sprintf("The account's plan does not include the endpoint family %q.", f))
		}
	}
	var out []toksta.Family
	for _, info := range s.Catalog.Families {
		if slices.Contains(requested, info.Name) {
			out = append(out, info.Name)
		}
	}
	return out, nil
}

// knownFamilies returns an error if a family is not in the catalog.
func (s *Service) knownFamilies(requested []toksta.Family) error {
	for _, f := range requested {
		if !s.Catalog.HasFamily(f) {
			return toksta.Invalid("scopes", fmt.Sprintf("There is no endpoint family %q. Choose from: %s.", f, s.familyNames()))
		}
	}
	return nil
}

// familyNames returns the catalog's families, separated by commas.
func (s *Service) familyNames() string {
	names := make([]string, len(s.Catalog.Families))
	for i, f := range s.Catalog.Families {
		names[i] = string(f.Name)
	}
	return strings.Join(names, ", ")
}

// validPerMinute returns an error for a negative or excessive rate limit. A limit
// above the account's is valid: it has no effect until the account's limit is
// raised.
func validPerMinute(n int) error {
	if n < 0 || n > maxPerMinute {
		return toksta.Invalid("per_minute", fmt.Sprintf("A key's rate limit is between 1 and %d calls a minute, or 0 for none.", maxPerMinute))
	}
	return nil
}

// limitsDetail returns the changed limits as text for the change log.
func limitsDetail(old, next toksta.Limits) map[string]string {
	detail := map[string]string{}
	compare := func(field, before, after string) {
		if before != after {
			detail[field] = before + " → " + after
		}
	}
	compare("scopes", scopeText(old.Scopes), scopeText(next.Scopes))
	compare("networks", networkText(old.Networks), networkText(next.Networks))
	compare("per_minute", perMinuteText(old.PerMinute), perMinuteText(next.PerMinute))
	return detail
}

// The functions below format limits for the change log. A missing limit has its
// own word, so that the log also shows when a limit was removed.

func scopeText(scopes []toksta.Family) string {
	if len(scopes) == 0 {
		return "all"
	}
	names := make([]string, len(scopes))
	for i, f := range scopes {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

func networkText(networks []netip.Prefix) string {
	if len(networks) == 0 {
		return "any"
	}
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.String()
	}
	return strings.Join(names, ", ")
}

func perMinuteText(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

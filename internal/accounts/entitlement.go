package accounts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// The names of the entitlements that exist with every catalog.
const (
	EntitlementAPIAccess  = "api_access_enabled"
	EntitlementPerMinute  = "rate_limit_per_minute"
	EntitlementPerHour    = "rate_limit_per_hour"
	EntitlementPerDay     = "rate_limit_per_day"
	EntitlementConcurrent = "concurrent_calls"
	EntitlementPurchased  = "purchased_credits"
	EntitlementOverageCap = "overage_cap" // with "_usd" in the default currency
)

// Default is the value that removes an exception, so that the plan applies.
const Default = "default"

// Upper limits of the entitlements of one account.
const (
	// The first and the last limit prevent an overflow when a value is multiplied by a price.
	maxPerMinute  = 1_000_000
	maxPerHour    = 60 * maxPerMinute
	maxPerDay     = 1_000_000_000
	maxConcurrent = 1_000_000
	maxCredits    = 1_000_000_000_000
)

// EntitlementRequest sets one exception of an account from its plan.
type EntitlementRequest struct {
	Account toksta.AccountID
	Name    string
	// Value is true or false, a number, an amount such as 12.50, or "default".
	// For purchased_credits it is the total of all purchases, or an addition such as "+500".
	Value string
	Token string // idempotency token: a repeated request does not add "+500" again; "": none
}

// SetEntitlement sets or removes one exception of an account from its plan.
func (s *Service) SetEntitlement(ctx context.Context, by toksta.Actor, req EntitlementRequest) (Changed, error) {
	e, known := s.entitlement(req.Name)
	if !known {
		return Changed{}, unknownValue("entitlement", req.Name, s.EntitlementNames())
	}
	on := target{req.Account, store.Token(toksta.ChangeEntitlementSet, string(req.Account), req.Token)}
	return s.edit(ctx, by, on, func(a *toksta.Account) (store.Mutation, error) {
		next := a.Entitlements
		// Change a copy: the decision can run again on the same map.
		next.Families = maps.Clone(next.Families)
		if err := e.set(&next, req.Value); err != nil {
			return store.Mutation{}, toksta.Invalid("value", req.Name+" "+err.Error()+".")
		}
		detail := change(req.Name, e.text(a.Entitlements), e.text(next))
		a.Entitlements = next
		return store.Mutation{Kind: toksta.ChangeEntitlementSet, Detail: detail}, nil
	})
}

// EntitlementNames returns all names that SetEntitlement accepts, sorted.
func (s *Service) EntitlementNames() []string {
	names := []string{
		EntitlementAPIAccess, EntitlementPerMinute, EntitlementPerHour, EntitlementPerDay, EntitlementConcurrent,
		s.overageCapName(), EntitlementPurchased,
	}
	for _, f := range s.Catalog.EntitledFamilies() {
		names = append(names, toksta.FamilyEntitlement(f))
	}
	slices.Sort(names)
	return names
}

// entitlement has two functions: set parses and stores the value of one
// entitlement, and text formats the value for the change log. The caller puts the
// entitlement's name before the text of an error from set.
type entitlement struct {
	set  func(*toksta.Entitlements, string) error
	text func(toksta.Entitlements) string
}

// entitlement returns the entitlement with a name of the API, and whether it
// exists.
func (s *Service) entitlement(name string) (entitlement, bool) {
	if !slices.Contains(s.EntitlementNames(), name) {
		return entitlement{}, false
	}
	switch name {
	case EntitlementAPIAccess:
		return entitlement{setAPIAccess, apiAccessText}, true
	case EntitlementPerMinute:
		return limitEntitlement(maxPerMinute, func(e *toksta.Entitlements) *int { return &e.PerMinute }), true
	case EntitlementPerHour:
		return limitEntitlement(maxPerHour, func(e *toksta.Entitlements) *int { return &e.PerHour }), true
	case EntitlementPerDay:
		return limitEntitlement(maxPerDay, func(e *toksta.Entitlements) *int { return &e.PerDay }), true
	case EntitlementConcurrent:
		return limitEntitlement(maxConcurrent, func(e *toksta.Entitlements) *int { return &e.Concurrent }), true
	case s.overageCapName():
		return entitlement{setOverageCap, overageCapText}, true
	case EntitlementPurchased:
		return entitlement{setPurchased, purchasedText}, true
	default:
		return familyEntitlement(toksta.EntitledFamily(name)), true
	}
}

// setAPIAccess sets the access to the API, or removes the exception for Default.
// The value false is not Default: it stays in force when the plan changes.
func setAPIAccess(e *toksta.Entitlements, value string) error {
	if value == Default {
		e.APIAccess = nil
		return nil
	}
	on, err := parseBool(value)
	e.APIAccess = &on
	return err
}

func apiAccessText(e toksta.Entitlements) string {
	if e.APIAccess == nil {
		return Default
	}
	return strconv.FormatBool(*e.APIAccess)
}

// familyEntitlement returns the entitlement to one endpoint family. It has an
// effect only under a plan that requires an entitlement for this family.
func familyEntitlement(f toksta.Family) entitlement {
	return entitlement{
		set: func(e *toksta.Entitlements, value string) error {
			delete(e.Families, f)
			if value == Default {
				return nil
			}
			on, err := parseBool(value)
			if e.Families == nil {
				e.Families = map[toksta.Family]bool{}
			}
			e.Families[f] = on
			return err
		},
		text: func(e toksta.Entitlements) string {
			on, set := e.Families[f]
			if !set {
				return Default
			}
			return strconv.FormatBool(on)
		},
	}
}

// limitEntitlement returns the entitlement to a limit above or below the plan's, in a
// field of Entitlements. A limit cannot be removed, only be set up to highest: an
// account cannot be without a rate limit.
func limitEntitlement(highest int, field func(*toksta.Entitlements) *int) entitlement {
	return entitlement{
		set: func(e *toksta.Entitlements, value string) error {
			limit := field(e)
			*limit = 0
			if value == Default {
				return nil
			}
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > highest {
				return fmt.Errorf("is a number from 1 to %d, or %q", highest, Default)
			}
			*limit = n
			return nil
		},
		text: func(e toksta.Entitlements) string {
			if limit := *field(&e); limit != 0 {
				return strconv.Itoa(limit)
			}
			return Default
		},
	}
}

// setPurchased sets the total of all purchases, not the balance: calls that use
// credits at the same time do not change the total.
func setPurchased(e *toksta.Entitlements, value string) error {
	if value == Default {
		value = "0"
	}
	digits, adds := strings.CutPrefix(value, "+")
	n, err := strconv.ParseUint(digits, 10, 63)
	if adds {
		n += uint64(e.PurchasedCredits)
	}
	if err != nil || n > maxCredits {
		return fmt.Errorf("is the total of purchased credits, up to %d, or +n to add to it", int64(maxCredits))
	}
	e.PurchasedCredits = int64(n)
	return nil
}

func purchasedText(e toksta.Entitlements) string { return strconv.FormatInt(e.PurchasedCredits, 10) }

// parseBool accepts only "true" and "false". Words such as "yes" are rejected,
// because access must not depend on a guess.
func parseBool(value string) (bool, error) {
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, fmt.Errorf("is true, false or %q", Default)
	}
}

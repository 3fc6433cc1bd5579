package toksta_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Authorize is a pure function: the same grant, standing and call give the same
// decision.
func ExampleAuthorize() {
	standing := &toksta.Standing{Families: []toksta.Family{"data"}}
	call := &toksta.Call{Route: &toksta.Route{Family: "data"}, Now: time.Now()}
	fmt.Println(toksta.Authorize(&toksta.Grant{}, standing, call).Rejected())
	fmt.Println(toksta.Authorize(&toksta.Grant{Revoked: true}, standing, call))
	// Output:
	// false
	// {UNAUTHORIZED key_revoked}
}

// An error is compared by its code, and by its reason where the target has one.
func ExampleError_Is() {
	err := fmt.Errorf("create the key: %w", &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree})
	fmt.Println(errors.Is(err, &toksta.Error{Code: toksta.CodeForbidden}))
	fmt.Println(errors.Is(err, &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonBillingPastDue}))
	// Output:
	// true
	// false
}

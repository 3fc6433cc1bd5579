package httpauth

import "github.com/toksta/toksta/sdk/toksta"

// Rejection returns the error that a rejected caller may see, or nil if the call
// is admitted. An error about scopes names the family that the route requires.
func Rejection(d *toksta.Decision) error {
	e := d.Err()
	if e == nil {
		return nil
	}
	if d.Reason == toksta.ReasonScopeInsufficient && d.Route != nil {
		e.Details = map[string]any{"required_family": string(d.Route.Family)}
	}
	return e
}

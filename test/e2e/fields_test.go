package e2e

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a request to the operator API with several invalid fields reports
// each of them, by the name that it has in the request.
func TestEveryInvalidFieldIsReported(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	ref := client.AccountRef{Account: apptest.NewAccount(t, api, "Careless")}
	key := apptest.NewKey(t, api, ref.Account, "one").Key.ID
	limit, scopes := -1, []toksta.Family{"nothing"}
	for name, c := range map[string]struct {
		send func() error
		want string
	}{
		"credits/reserve": {func() error {
			_, err := api.ReserveCredits(t.Context(), client.ReserveRequest{
				AccountRef: ref, Family: "nothing", CostKey: "Job!", Credits: -1, ExpiresIn: -1, Reason: "\x07",
			})
			return err
		}, "cost_key credits expires_in_seconds family idempotency_key reason"},
		"credits/settle": {func() error {
			_, err := api.SettleCredits(t.Context(), client.CloseRequest{AccountRef: ref, Credits: -1, Reason: "\x07"})
			return err
		}, "credits idempotency_key reason"},
		"credits/top-up": {func() error {
			_, err := api.TopUpCredits(t.Context(), client.PurchaseRequest{AccountRef: ref, Credits: -1, Reason: "\x07"})
			return err
		}, "credits idempotency_key reason"},
		"accounts/create": {func() error {
			_, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Plan: "X", Status: "x", Cadence: "x"})
			return err
		}, "cadence name plan status"},
		"accounts/set-plan": {func() error {
			_, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "X", Cadence: "x"})
			return err
		}, "cadence plan"},
		"members/create": {func() error {
			_, err := api.AddMember(t.Context(), client.AddMemberRequest{AccountRef: ref, Email: "x", Password: "short"})
			return err
		}, "email name password"},
		"keys/create": {func() error {
			_, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: ref.Account, Scopes: scopes, PerMinute: limit})
			return err
		}, "name per_minute scopes"},
		"keys/limits": {func() error {
			_, err := api.SetKeyLimits(t.Context(), client.SetLimitsRequest{KeyRef: client.KeyRef{Key: key}, Scopes: &scopes, PerMinute: &limit})
			return err
		}, "per_minute scopes"},
		"keys/revoke-many": {func() error {
			_, err := api.RevokeKeys(t.Context(), client.RevokeManyRequest{Digests: []string{"x", "y"}})
			return err
		}, "digests[0] digests[1]"},
		"events/list": {func() error {
			_, err := api.ListEvents(t.Context(), client.ListEventsRequest{Limit: -1, State: "x"})
			return err
		}, "limit state"},
	} {
		e, _ := errors.AsType[*toksta.Error](c.send())
		if e == nil {
			t.Errorf("%s: no error that a caller may see", name)
			continue
		}
		if got := strings.Join(slices.Sorted(maps.Keys(e.Fields())), " "); e.Code != toksta.CodeValidation || got != c.want {
			t.Errorf("%s: %s about %q, want %q", name, e.Code, got, c.want)
		}
	}
}

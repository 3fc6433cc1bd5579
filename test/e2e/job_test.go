package e2e

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/sdk/client"
)

// Guarantee: a job whose price is known at its end is paid once, by its reservation and not
// by its call. A caller that cannot pay the highest price gets 402, and a job that never
// starts is free.
func TestJobPaysByReservation(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) {
		api := client.New(filepath.Join(c.Data, "toksta.sock"))
		backend := httptest.NewServer(demo.ReservingUpstream(api))
		t.Cleanup(backend.Close)
		for name, u := range c.Upstreams {
			u.URL = backend.URL
			c.Upstreams[name] = u
		}
	})
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Analyst")
	ref := client.AccountRef{Account: owner}
	if _, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	apptest.Entitle(t, api, owner, "purchased_credits=+100")
	key := apptest.NewKey(t, api, owner, "jobs").Secret
	find := func(body string) apptest.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL+"/v1/creators/thought-leaders", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		return apptest.Do(t, r)
	}
	for body, want := range map[string]int{
		`{"mode":"strict","max_candidates_to_analyze":34}`: http.StatusPaymentRequired,
		`{"mode":"lax"}`: http.StatusBadRequest,
	} {
		if got := find(body); got.Status != want || strings.Contains(string(got.Body), "hint") || want == 402 && got.Error(t).Error.Details["reason"] != "insufficient_credits" {
			t.Errorf("%s: %d %s", body, got.Status, got.Body)
		}
	}
	got := find(`{"mode":"strict","max_candidates_to_analyze":30}`)
	if got.Status != http.StatusAccepted || got.Header.Get("X-Toksta-Credit-Cost") != "0" {
		t.Fatalf("%d %v %s", got.Status, got.Header, got.Body)
	}
	open, err := api.Reservations(t.Context(), client.ReservationsRequest{Account: owner})
	if err != nil || len(open.Reservations) != 1 || open.Reservations[0].Reserved.Total != 90 {
		t.Fatalf("while the job runs: %+v, %v", open, err)
	}
	var page client.CreditEntryPage
	apptest.Eventually(t, "the job is not settled", func() bool {
		page, err = api.CreditEntries(t.Context(), client.CreditEntriesRequest{AccountRef: ref, Reservation: open.Reservations[0].ID})
		return err == nil && len(page.Entries) == 2
	})
	charged := 90 - page.Entries[0].Credits.Total
	var usage struct {
		Charged int64 `json:"total_credits_charged"`
	}
	apptest.Usage(t, api, owner, &usage)
	if charged < 3 || charged > 90 || charged%3 != 0 || usage.Charged != charged {
		t.Errorf("charged %d by the credit entries, %d by the usage", charged, usage.Charged)
	}
}

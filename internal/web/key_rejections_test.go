package web

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the page of a key names the endpoints of its rejections and the hour of the last
// one, also on the first days of a month, and leaves out rejections older than a week.
func TestRejectionsNameEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Catalog.Routes = []toksta.Route{
		{Method: "POST", Pattern: "/v1/search", Operation: "search", CostKey: "paid_search"},
		{Method: "GET", Pattern: "/v1/jobs/{id}", Operation: "getJob"},
	}
	k := w.create(t, "CRM sync")
	now := w.Now().UTC()
	total := func(costKey string, age time.Duration, reason toksta.Reason) store.UsageTotal {
		return store.UsageTotal{Calls: 2, UsageSlot: store.UsageSlot{
			AccountID: w.account, KeyID: k.ID, Family: "data", CostKey: costKey, Reason: reason, Hour: now.Add(-age).Unix() / 3600,
		}}
	}
	err := w.store.Flush(t.Context(), store.UsageBatch{Epoch: "epoch", Totals: []store.UsageTotal{
		total("paid_search", 50*time.Hour, toksta.ReasonRateLimited),
		total("getJob", 30*time.Hour, toksta.ReasonRateLimited),
		total("gone", 6*24*time.Hour, toksta.ReasonScopeInsufficient),
		total("getJob", 9*24*time.Hour, toksta.ReasonAddressNotAllowed),
		total("getJob", time.Hour, ""),
	}})
	if err != nil {
		t.Fatal(err)
	}
	hour := now.Add(-30 * time.Hour).Truncate(time.Hour)
	page := w.get(t, "/account/keys/"+string(k.ID))
	page.shows(t, 200, "<code>GET /v1/jobs/{id}</code>, <code>POST /v1/search</code>", "<code>gone</code>", "6 in the last 7 days",
		"4 times, last "+hour.Format("2 Jan 2006, 15:04")+"–"+hour.Add(time.Hour).Format("15:04"))
}

package demo

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the usage of the past is made of operations and prices of the shipped
// configuration, by whole hours, and each plan that is not blocked pays for it with its
// included credits.
func TestHistoryFitsTheOffer(t *testing.T) {
	t.Parallel()
	offer := config.Default()
	prices := map[string]int64{}
	for _, r := range offer.Catalog().Routes {
		prices[r.Operation] = r.Credits
	}
	for _, w := range works() {
		if price, found := prices[w.operation]; !found || price != w.credits {
			t.Errorf("%s costs %d credits in the history, %d in the offer (known: %v)", w.operation, w.credits, price, found)
		}
	}
	now := time.Date(2026, 11, 30, 12, 34, 56, 0, time.UTC)
	for _, a := range tenants() {
		var admitted, refused, credits int64
		for name, h := range a.habits {
			d := newRand(a.name + name)
			for hour := now.Unix()/3600 - historyDays*24; hour < now.Unix()/3600; hour++ {
				for _, total := range h.hour(d, store.UsageSlot{Hour: hour}, now) {
					if total.Hour != hour || total.Calls <= 0 || total.Reason != "" && total.Charge != (toksta.Charge{}) {
						t.Fatalf("%s: %+v in hour %d", name, total, hour)
					}
					if total.Reason != "" {
						refused += total.Calls
						continue
					}
					admitted, credits = admitted+total.Calls, credits+total.Charge.Credits
				}
			}
		}
		for _, p := range offer.Plans {
			if p.ID == a.plan && credits > p.IncludedCredits {
				t.Errorf("%s charges %d credits, %s includes %d", a.name, credits, p.ID, p.IncludedCredits)
			}
		}
		if a.name == "Scale Studio" && (admitted < 20_000 || refused < 50 || credits < 1000) {
			t.Errorf("%s has %d admitted calls, %d refused ones and %d credits", a.name, admitted, refused, credits)
		}
		t.Logf("%s: %d admitted, %d refused, %d credits", a.name, admitted, refused, credits)
	}
}

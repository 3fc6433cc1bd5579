package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// historyDays is the number of days of usage before the first start of the demo.
const historyDays = 30

// work is a kind of call in the history, with its share of all calls.
type work struct {
	operation, costKey string
	family             toksta.Family
	credits            int64
	share              float64
}

// works returns the calls of a usual integration, in operations of the shipped offer.
func works() []work {
	return []work{
		{"getJobStatus", "getJobStatus", "job", 0, .48},
		{"getCreator", "getCreator", "data", 0, .40},
		{"searchCreators", "creator_search", "data", 1, .06},
		{"getAccountUsage", "getAccountUsage", toksta.FamilyAccount, 0, .05},
		{"startContentMatch", "content_match", "data", 3, .008},
		{"startAudienceMatch", "audience_match", "data", 10, .002},
	}
}

// habit describes the calls of one key.
type habit struct {
	perDay  int           // admitted calls on a busy day
	only    toksta.Family // "": all
	refused toksta.Reason // "": none
	// share is the refused share of the calls on the days on which calls are refused: every
	// ninth day, or each of the last days if last is not 0.
	share float64
	last  int
	agent string
}

// writeHistory gives the keys of an account the usage of the last historyDays days. It writes
// them like a meter of another node: as totals by hour under an epoch that is closed at the
// end. A repetition changes nothing.
func (v SeedConfig) writeHistory(ctx context.Context, account toksta.AccountID, t tenant) error {
	page, err := v.API.ListKeys(ctx, client.ListKeysRequest{Account: account, Revoked: true, Limit: 100})
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("demo " + account))
	batch := store.UsageBatch{Epoch: hex.EncodeToString(sum[:16]), Close: true}
	now := time.Now().UTC()
	for _, k := range page.Keys {
		h, found := t.habits[k.Name]
		if !found {
			continue
		}
		d := newRand(t.name + k.Name)
		for at := now.Add(-historyDays * 24 * time.Hour).Truncate(time.Hour); at.Before(now.Truncate(time.Hour)); at = at.Add(time.Hour) {
			batch.Totals = append(batch.Totals, h.hour(d, store.UsageSlot{AccountID: account, KeyID: k.ID, Hour: at.Unix() / 3600}, now)...)
		}
		batch.LastUses = append(batch.LastUses, store.LastUse{
			KeyID: k.ID, AccountID: account, At: now.Add(-time.Duration(2+d.IntN(50)) * time.Minute).Truncate(time.Second),
			Address: "203.0.113.0/24", Agent: h.agent, Operation: "searchCreators",
		})
	}
	return v.Flush(ctx, batch)
}

// hour returns the totals of one hour: more calls at day than at night, and fewer at weekends.
func (h habit) hour(d *rand.Rand, slot store.UsageSlot, now time.Time) (out []store.UsageTotal) {
	at := time.Unix(slot.Hour*3600, 0).UTC()
	busy := 0.02
	if hour := at.Hour(); hour >= 6 && hour < 20 {
		busy = 0.055
	}
	if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
		busy *= .45
	}
	calls := float64(h.perDay) * busy * (.75 + d.Float64()/2)
	age := int(now.Sub(at) / (24 * time.Hour))
	refusing := h.refused != "" && (age < h.last || h.last == 0 && at.YearDay()%9 == 4 && at.Hour() >= 13 && at.Hour() < 16)
	for _, w := range works() {
		if h.only != "" && w.family != h.only {
			continue
		}
		n := int64(calls*w.share + d.Float64())
		refused := int64(0)
		if refusing {
			refused = int64(float64(n)*h.share + d.Float64())
		}
		slot.Family, slot.CostKey = w.family, w.costKey
		if n -= refused; n > 0 {
			slot.Reason = ""
			out = append(out, store.UsageTotal{UsageSlot: slot, Calls: n, Charge: toksta.Charge{Credits: n * w.credits}})
		}
		if refused > 0 {
			slot.Reason = h.refused
			out = append(out, store.UsageTotal{UsageSlot: slot, Calls: refused})
		}
	}
	return out
}

// histories writes the history of all accounts at the first start. Later starts leave the
// usage as it is: the demo ages like any other installation.
func (v SeedConfig) histories(ctx context.Context, accounts map[string]toksta.AccountID) error {
	if v.Flush == nil {
		return nil
	}
	done := filepath.Join(v.Data, "demo-usage")
	if _, err := os.Stat(done); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, t := range tenants() {
		if len(t.habits) == 0 {
			continue
		}
		if err := v.writeHistory(ctx, accounts[t.name], t); err != nil {
			return fmt.Errorf("write the usage of %s: %w", t.name, err)
		}
	}
	return os.WriteFile(done, []byte("The usage before the first start was written.\n"), 0o600)
}

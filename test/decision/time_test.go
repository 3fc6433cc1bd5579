package decision_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a time that a list could not encode is rejected before it is
// stored, in any zone, and the zero time of a program is not stored as a date.
func TestValidateTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-30T01:00:00.1239+01:00":    "2026-11-30T00:00:00.123Z",
		"1970-01-01T00:00:00Z":              "1970-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z":              "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59.9999999Z":      "9999-12-31T23:59:59.999Z",
		"9999-12-31T23:59:59-12:00":         "",
		"9999-12-31T23:59:59.9999999-05:00": "",
		"0000-01-01T00:00:00+12:00":         "",
		"0001-01-01T00:00:00Z":              "",
		"0001-01-01T01:00:00+01:00":         "",
		"0001-01-01T00:00:00.0001Z":         "",
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := toksta.ValidateTime("expires_at", &at)
		if want == "" {
			if toksta.ErrorCode(err) != toksta.CodeValidation {
				t.Errorf("%s is accepted as %s, %v", text, got, err)
			}
			continue
		}
		encoded, failed := json.Marshal(got)
		if string(encoded) != `"`+want+`"` || err != nil || failed != nil || got.Location() != time.UTC {
			t.Errorf("%s is %s, %v, %v", text, encoded, err, failed)
		}
	}
	if got, err := toksta.ValidateTime("expires_at", nil); !got.IsZero() || err != nil {
		t.Errorf("no time is %v, %v", got, err)
	}
}

// Guarantee: the list shows a key as live exactly as long as the gateway admits
// it, to the millisecond, and every expiry ends the key.
func TestStateMatchesDecisions(t *testing.T) {
	t.Parallel()
	account := &toksta.Standing{Families: []toksta.Family{"data"}}
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]int64{0, now.UnixMilli(), -5000, now.Add(time.Hour).Truncate(time.Second).UnixMilli()}).Draw(t, "base")
		at := time.UnixMilli(base + rapid.Int64Range(-1500, 1500).Draw(t, "expires"))
		asked := time.UnixMilli(base).Add(time.Duration(rapid.Int64Range(-2_000_000, 2_000_000).Draw(t, "now")) * time.Microsecond)
		k := toksta.Key{ExpiresAt: at, Generations: []toksta.Generation{{Number: 1}}}
		rejection := toksta.Authorize(&k.Grants()[0], account, &toksta.Call{Now: asked, Route: &toksta.Route{Family: "data"}})
		if at.UnixMilli() == 0 {
			return // one millisecond late, see UnixMillis
		}
		if live := k.State(asked) == toksta.KeyLive; live == rejection.Rejected() {
			t.Fatalf("live %v, decision %v", live, rejection)
		}
	})
	first := toksta.Key{ExpiresAt: time.Unix(0, 0), Generations: []toksta.Generation{{Number: 1}}}
	if r := toksta.Authorize(&first.Grants()[0], account, &toksta.Call{Now: now, Route: &toksta.Route{Family: "data"}}); r.Reason != toksta.ReasonKeyExpired {
		t.Errorf("a key that expired at the start of 1970 is admitted: %+v", r)
	}
}

// Guarantee: ids sort by time of creation, including those of keys that another
// system created before 1970.
func TestOldIDsSortFirst(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, at := range []time.Time{time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(1, 0), now} {
		ids = append(ids, toksta.NewID("key_", at))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("%q is not sorted", ids)
	}
}

package verify

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// discardSink discards flushed totals.
type discardSink struct{}

func (discardSink) Flush(context.Context, store.UsageBatch) error { return nil }

// newMeteredEngine returns an engine with a real journal.
func newMeteredEngine(tb testing.TB) (*Engine, Deps) {
	m, err := meter.Open(meter.Config{Dir: tb.TempDir(), Sink: discardSink{}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close() })
	return newFundedEngine(m)
}

// newFundedEngine returns an engine whose accounts can make any number of calls.
func newFundedEngine(m Meter) (*Engine, Deps) {
	deps := newDeps(fakeLease(true), m)
	deps.Index.PutAccount(toksta.Account{ID: "acct_1", Plan: "BUILD", Status: "active", Entitlements: toksta.Entitlements{PerMinute: 1 << 40, PurchasedCredits: 1 << 40}})
	deps.Index.PutAccount(toksta.Account{ID: "acct_poor", Plan: "BUILD", Status: "active", Entitlements: toksta.Entitlements{PerMinute: 1 << 40}})
	deps.Index.PutGrant(digest("poor"), "acct_poor", toksta.Grant{KeyID: "key_poor"})
	return New(deps), deps
}

// Guarantee: a decision of any kind allocates no memory, so garbage collection does not slow it
// down under load.
func TestVerifyAllocatesNothing(t *testing.T) {
	e, _ := newMeteredEngine(t)
	for name, c := range map[string]struct {
		call toksta.Call
		want toksta.Code
	}{
		"free":     {call("live", free), ""},
		"billed":   {call("live", search), ""},
		"unknown":  {call("typo", search), toksta.CodeUnauthorized},
		"revoked":  {call("dead", search), toksta.CodeUnauthorized},
		"scope":    {call("narrow", search), toksta.CodeForbidden},
		"entitled": {call("live", workspace), toksta.CodeForbidden},
		"billing":  {call("due", search), toksta.CodeForbidden},
		"limited":  {call("slow", free), toksta.CodeRateLimited},
		"poor":     {call("poor", search), toksta.CodeInsufficientCredits},
	} {
		var last toksta.Code
		ctx := context.Background()
		if n := testing.AllocsPerRun(100, func() {
			d := e.Verify(ctx, c.call)
			e.Charge(&d, c.call, d.Hold)
			last = d.Code
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if last != c.want {
			t.Errorf("%s: code %q, want %q", name, last, c.want)
		}
	}
}

const secret = "tk_live_0123456789abcdef0123456789abcdef0123456789abcdef"

// BenchmarkSHA256 measures the hash of a secret, for comparison.
func BenchmarkSHA256(b *testing.B) {
	b.ReportAllocs()
	text := []byte(secret)
	for b.Loop() {
		_ = sha256.Sum256(text)
	}
}

// BenchmarkVerify measures a decision with a real journal, also in multiples of the time to hash
// the secret.
func BenchmarkVerify(b *testing.B) {
	e, _ := newMeteredEngine(b)
	ctx := context.Background()
	for name, c := range map[string]toksta.Call{
		"admitted": call("live", free), "billed": call("live", search), "unknown": call("typo", free), "scope": call("narrow", search),
	} {
		b.Run(name, func(b *testing.B) {
			hash := hashTime()
			b.ReportAllocs()
			for b.Loop() {
				d := e.Verify(ctx, c)
				e.Charge(&d, c, d.Hold)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/hash, "x-sha256")
		})
	}
}

// hashTime returns the time of a SHA-256 of the secret in nanoseconds, measured just before the
// compared code.
func hashTime() float64 {
	const rounds = 200_000
	text, start := []byte(secret), time.Now()
	for range rounds {
		sum := sha256.Sum256(text)
		text[0] ^= sum[0]
	}
	return float64(time.Since(start).Nanoseconds()) / rounds
}

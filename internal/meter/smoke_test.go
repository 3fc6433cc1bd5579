package meter

import (
	"context"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
)

type memory struct{ b []store.UsageBatch }

func (m *memory) Flush(_ context.Context, b store.UsageBatch) error { m.b = append(m.b, b); return nil }

func TestSmoke(t *testing.T) {
	s := &memory{}
	m, err := Open(Config{Dir: t.TempDir(), Sink: s})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := m.Count(Event{AccountID: "acct_1", KeyID: "key_1", Family: "data", CostKey: "x", Calls: 1, Now: time.Now(), Agent: "curl/8"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", s.b)
}

func BenchmarkCount(b *testing.B) {
	m, err := Open(Config{Dir: b.TempDir(), Sink: &memory{}})
	if err != nil {
		b.Fatal(err)
	}
	e := Event{AccountID: "acct_01ARZ3NDEKTSV4RRFFQ69G5FAV", KeyID: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV", Family: "data", CostKey: "profile_enrichment", Calls: 1, Now: time.Now(), Agent: "curl/8"}
	b.ReportAllocs()
	for b.Loop() {
		m.Count(e)
	}
}

package export_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/export"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// BenchmarkExport measures the export of one row of usage, in batches of 100 on SQLite.
func BenchmarkExport(b *testing.B) {
	db, err := sqlstore.Open(b.Context(), sqlstore.Config{URL: filepath.Join(b.TempDir(), "toksta.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	hour := time.Now().Unix()/3600 - 2
	totals := make([]store.UsageTotal, b.N)
	for i := range totals {
		totals[i] = store.UsageTotal{
			UsageSlot: store.UsageSlot{AccountID: "acct_a", KeyID: toksta.KeyID(fmt.Sprintf("key_%08d", i)), Family: "data", CostKey: "search", Hour: hour},
			Calls:     1,
		}
	}
	if err := db.Flush(b.Context(), store.UsageBatch{Epoch: "e1", Totals: totals}); err != nil {
		b.Fatal(err)
	}
	e := export.New(export.Config{Store: db, URL: receiver.URL, Type: "toksta.usage", Source: "https://api.acme.example", Batch: 100, From: time.Unix(0, 0)})
	b.ResetTimer()
	if err := e.Export(b.Context()); err != nil {
		b.Fatal(err)
	}
}

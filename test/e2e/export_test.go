package e2e

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a server exports the usage of its database, the operator API reports the
// progress, and the CSV has the same sums.
func TestExport(t *testing.T) {
	bodies := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		bodies <- r.Header.Get("Authorization") + b.String()
	}))
	defer receiver.Close()
	yesterday := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	n := apptest.Start(t, func(c *config.Config) {
		c.Export.URL, c.Export.Authorization, c.Export.Interval = receiver.URL, "Bearer hunter2", 10*time.Millisecond
		seed(t, c.Store.URL, store.UsageTotal{
			UsageSlot: store.UsageSlot{AccountID: "acct_a", KeyID: "key_a", Family: "data", CostKey: "=cmd()", Hour: yesterday.Unix()/3600 + 5},
			Calls:     7, Charge: toksta.Charge{Credits: 21, OverageMicros: 25_000},
		})
	})
	select {
	case body := <-bodies:
		for _, want := range []string{"Bearer hunter2", `"source":"http://localhost:8080"`, `"type":"toksta.usage"`, `"subject":"acct_a"`, `"calls":7`} {
			if !strings.Contains(body, want) {
				t.Errorf("the receiver got no %s in %s", want, body)
			}
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was exported")
	}

	api := client.New(n.Socket())
	var table bytes.Buffer
	request := client.UsageTableRequest{From: yesterday, To: yesterday.AddDate(0, 0, 1)}
	if err := api.UsageTable(t.Context(), request, &table); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	want := "acct_a," + yesterday.Add(5*time.Hour).Format(time.RFC3339) + ",key_a,data,'=cmd(),admitted,7,21,0,0,0.025,"
	if err != nil || len(rows) != 2 || strings.Join(rows[1], ",") != want {
		t.Errorf("%v, %v\nwant %s", rows, err, want)
	}
	request.Daily, request.To = true, yesterday.Add(time.Hour)
	if err := api.UsageTable(t.Context(), request, &table); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("half a day: %v", err)
	}
	request.To, request.Account = yesterday.AddDate(0, 0, 1), "acct_none"
	if err := api.UsageTable(t.Context(), request, &table); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("an unknown account: %v", err)
	}

	for deadline := time.Now().Add(20 * time.Second); ; {
		status, err := api.ExportStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status.On && status.Delivered == 1 && status.Waiting == 0 && status.Failure == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("status %+v", status)
		}
	}
	if off, err := client.New(apptest.Start(t).Socket()).ExportStatus(t.Context()); err != nil || off.On {
		t.Errorf("without a receiver: %+v, %v", off, err)
	}
}

// seed writes usage into a database before a server opens it.
func seed(t *testing.T, url string, totals ...store.UsageTotal) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(t.Context(), store.UsageBatch{Epoch: "e1", Totals: totals}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

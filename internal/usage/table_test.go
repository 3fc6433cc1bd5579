package usage_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the table of all accounts, by hour and by day, has the same numbers as each customer's
// month.
func TestTable(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.fillMonth()
	w.setExternalID("=crm-42")
	report, err := w.reader.Month(t.Context(), ours, "2026-05")
	if err != nil {
		t.Fatal(err)
	}
	q := usage.TableQuery{From: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	for _, q.Daily = range []bool{false, true} {
		if err := w.reader.CheckTable(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := w.reader.Table(t.Context(), &text, q); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&text).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		calls, credits, rejected := map[string]int64{}, map[string]int64{}, int64(0)
		for _, row := range rows[1:] {
			n, c := number(t, row[6]), number(t, row[7])
			if id := row[len(row)-1]; (id == "'=crm-42") != (row[0] == string(theirs)) {
				t.Errorf("the external id of %s is %q", row[0], id)
			}
			if credits[row[0]] += c; row[5] == "admitted" {
				calls[row[0]] += n
			} else {
				rejected += n
			}
		}
		if calls[string(ours)] != report.TotalCalls || credits[string(ours)] != report.TotalCredits || rejected == 0 || calls[string(theirs)] == 0 {
			t.Errorf("daily %v: calls %v, credits %v, rejected %d; the report has %d and %d", q.Daily, calls, credits, rejected, report.TotalCalls, report.TotalCredits)
		}
	}
	full := errors.New("the disk is full")
	if err := w.reader.Table(t.Context(), failingWriter{full}, q); !errors.Is(err, full) {
		t.Errorf("Table on a failing writer returned %v", err)
	}
}

// setExternalID gives the account theirs an external id.
func (w *testEnv) setExternalID(id string) {
	w.Helper()
	_, err := w.store.Commit(w.Context(), toksta.Actor{Kind: toksta.ActorSystem}, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		a, err := r.Account(ctx, theirs)
		a.ExternalID = id
		return store.Mutation{Kind: toksta.ChangeAccountExternalID, AccountID: theirs, Accounts: []toksta.Account{a}}, err
	})
	if err != nil {
		w.Fatal(err)
	}
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n
}

// failingWriter fails every write.
type failingWriter struct{ error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.error }

// Guarantee: a range that includes part of an hour or of a rolled-up day, or time that is no longer
// kept, is rejected and not billed in part.
func TestCheckTable(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, q := range []usage.TableQuery{
		{From: day, To: day},
		{From: day.Add(time.Hour), To: day},
		{To: day},
		{From: day},
		{From: day.Add(time.Minute), To: day.Add(2 * time.Hour)},
		{From: day, To: day.Add(time.Hour), Daily: true},
		{From: w.reader.Kept.FirstMonth(today()).AddDate(0, 0, -1), To: day},
		{From: day.AddDate(0, -6, 0).Add(6 * time.Hour), To: day}, // a day without its hours
		{From: day.AddDate(0, -6, 0), To: day.AddDate(0, -6, 0).Add(6 * time.Hour)},
		{From: day.AddDate(1, 0, 0), To: day.AddDate(1, 1, 0)},
	} {
		if err := w.reader.CheckTable(t.Context(), q); toksta.ErrorCode(err) != toksta.CodeValidation {
			t.Errorf("%+v: %v", q, err)
		}
	}
	first := w.reader.Kept.FirstMonth(today())
	for _, q := range []usage.TableQuery{
		{From: first, To: day}, {From: first, To: day, Daily: true}, {From: day, To: day.AddDate(1, 0, 0)},
	} {
		if err := w.reader.CheckTable(t.Context(), q); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
	err := w.reader.CheckTable(t.Context(), usage.TableQuery{From: first.AddDate(0, -1, 0), To: day})
	if err == nil || !strings.Contains(err.Error(), first.Format(time.DateOnly)) {
		t.Errorf("the error does not name the first kept day: %v", err)
	}
	if err := w.reader.CheckTable(t.Context(), usage.TableQuery{From: day, To: day.Add(time.Hour), Account: "acct_none"}); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("an unknown account: %v", err)
	}
}

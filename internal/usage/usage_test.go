package usage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	ours   toksta.AccountID = "acct_ours"
	theirs toksta.AccountID = "acct_theirs"

	live    toksta.KeyID = "key_1live"
	idle    toksta.KeyID = "key_2idle"
	revoked toksta.KeyID = "key_3revoked"
	retired toksta.KeyID = "key_4retired"
	foreign toksta.KeyID = "key_5foreign"
)

func today() time.Time { return time.Date(2026, 5, 14, 12, 30, 0, 0, time.UTC) }

func catalog() *toksta.Catalog {
	return &toksta.Catalog{
		Families: []toksta.FamilyInfo{{Name: "data"}, {Name: "account"}, {Name: "workspace"}},
		Plans: []toksta.Plan{{
			ID: "API_BUILD", Source: "dedicated_api", API: toksta.APIAlways, Families: []toksta.Family{"data", "account"},
			IncludedCredits: 1000, OverageMicros: 25_000, PerMinute: 30,
		}, {ID: "PRO", Entitled: []toksta.Family{"workspace"}}},
		Routes: []toksta.Route{
			{Operation: "searchCreators", Family: "data", CostKey: "creator_search", Credits: 1},
			{Operation: "startCreatorEnrichment", Family: "data", Credits: 1},
			{Operation: "getCreator", Family: "data"},
			{Operation: "searchByVolume", Family: "data"}, // the response states the price
		},
		Statuses: map[toksta.Status]toksta.Reason{toksta.StatusActive: ""},
	}
}

// testEnv is a store with two accounts, a meter, and a reader.
type testEnv struct {
	*testing.T
	store  *sqlstore.Store
	meter  *meter.Meter
	reader *usage.Reader
}

func newTestEnv(t *testing.T) *testEnv {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := meter.Open(meter.Config{Dir: t.TempDir(), Sink: db})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(m.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	key := func(id toksta.KeyID, account toksta.AccountID, name string, revokedAt time.Time) toksta.Key {
		secret := toksta.Generation{Digest: sha256.Sum256([]byte(id)), Number: 1, CreatedAt: today(), RevokedAt: revokedAt}
		return toksta.Key{
			ID: id, AccountID: account, Name: name, CreatedAt: today(), RevokedAt: revokedAt,
			Generations: []toksta.Generation{secret},
		}
	}
	account := func(id toksta.AccountID) toksta.Account {
		return toksta.Account{ID: id, Name: string(id), Plan: "API_BUILD", Status: toksta.StatusActive, StatusSince: today(), CycleAnchor: today(), CreatedAt: today()}
	}
	_, err = db.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorSystem}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{
			Kind: toksta.ChangeKeysImported, AccountID: ours,
			Accounts: []toksta.Account{account(ours), account(theirs)},
			Keys: []toksta.Key{
				key(live, ours, "Live", time.Time{}), key(idle, ours, "=cmd()", time.Time{}),
				key(revoked, ours, "Revoked", today()), key(retired, ours, "Retired", today()), key(foreign, theirs, "Foreign", time.Time{}),
			},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refresh := func(ctx context.Context, _ *toksta.Standing) error { return m.Flush(ctx) }
	return &testEnv{t, db, m, &usage.Reader{
		Store: db, Catalog: catalog(), Refresh: refresh, Now: today, Kept: usage.Retention{HourlyDays: 62, KeepMonths: 25},
		Balance: func(*toksta.Standing, time.Time) credits.Balance {
			return credits.Balance{Included: 1000, IncludedUsed: 4, Purchased: 50, ResetsAt: today().AddDate(0, 1, 0)}
		},
	}}
}

// count adds e to the usage of a key; reason "" admits it.
func (w *testEnv) count(key toksta.KeyID, costKey string, reason toksta.Reason, e meter.Increment) {
	w.Helper()
	e.KeyID, e.CostKey, e.Reason = key, costKey, reason
	if e.AccountID == "" {
		e.AccountID = ours
	}
	if e.Family == "" {
		e.Family = "data"
	}
	if e.Now.IsZero() {
		e.Now = today()
	}
	if err := w.meter.Count(e); err != nil {
		w.Fatal(err)
	}
}

// fillMonth counts calls of all kinds in a month.
func (w *testEnv) fillMonth() {
	w.count(live, "creator_search", "", meter.Increment{Calls: 3, Charge: toksta.Charge{Credits: 3, Overage: 1, OverageMicros: 25_000}})
	w.count(live, "creator_search", "", meter.Increment{Calls: 2, Now: today().AddDate(0, 0, -2), Charge: toksta.Charge{Credits: 2, Overage: 2, OverageMicros: 50_000}})
	w.count(live, "startCreatorEnrichment", "", meter.Increment{Calls: 1}) // the upstream failed: admitted, not charged
	w.count(live, "getCreator", "", meter.Increment{Calls: 10})
	w.count(live, "searchByVolume", "", meter.Increment{Calls: 1, Charge: toksta.Charge{Credits: 12}})
	w.count(live, "getAccountUsage", "", meter.Increment{Calls: 4, Family: "account"})
	w.count(live, "creator_search", toksta.ReasonRateLimited, meter.Increment{Calls: 6})
	w.count(revoked, "getCreator", toksta.ReasonKeyRevoked, meter.Increment{Calls: 5})
	w.count(live, "creator_search", "", meter.Increment{Calls: 100, Now: today().AddDate(0, -1, 0)})
	w.count(foreign, "creator_search", "", meter.Increment{AccountID: theirs, Calls: 1000})
}

// Guarantee: GET /v1/account/usage has the documented shape, with the numbers of this month and
// account only, up to the latest call, and with exact money.
func TestMonth(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.fillMonth()
	report, err := w.reader.Month(t.Context(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"period":"2026-05","total_calls":21,"total_credits_charged":17,"total_overage_usd":0.075,
		"plan_source":"dedicated_api","subscription_plan":"API_BUILD","subscription_status":"active",
		"operations":{"creator_search":{"calls":5,"credits_charged":5,"overage_amount_usd":0.075},
			"searchByVolume":{"calls":1,"credits_charged":12,"overage_amount_usd":0},
			"startCreatorEnrichment":{"calls":1,"credits_charged":0,"overage_amount_usd":0}},
		"entitlements":{"api_access_enabled":true,"workspace_endpoints_enabled":false,"rate_limit_per_minute":30,
			"included_credits":1000,"overage_usd_per_credit":0.025},
		"credits":{"included":1000,"included_used":4,"purchased_credits":50,"remaining":1046,"resets_at":"2026-06-14T12:30:00Z"},
		"keys":[{"id":"key_1live","name":"Live","calls":21,"credits":17,"last_used_at":"2026-05-14T12:30:00Z"},
			{"id":"key_2idle","name":"=cmd()","calls":0,"credits":0,"last_used_at":null},
			{"id":"key_3revoked","name":"Revoked","calls":0,"credits":0,"last_used_at":null}],
		"refused":{"key_revoked":5,"rate_limited":6}}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(compact.String(), string(got)); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: in another currency than the default one, no name in a document or table states
// dollars, and each states the currency. The numbers stay.
func TestOtherCurrency(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.reader.Catalog.Currency = "EUR"
	w.fillMonth()
	report, err := w.reader.Month(t.Context(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var month, all bytes.Buffer
	q := usage.TableQuery{From: today().Truncate(24 * time.Hour), To: today().Truncate(24*time.Hour).AddDate(0, 0, 1), Daily: true}
	if err := errors.Join(w.reader.CSV(t.Context(), &month, ours, ""), w.reader.Table(t.Context(), &all, q)); err != nil {
		t.Fatal(err)
	}
	for text, parts := range map[string][]string{
		string(document): {`"total_overage":0.075,"currency":"EUR",`, `"overage_amount":0.075`, `"overage_per_credit":0.025`},
		month.String():   {",credits,overage_amount,currency\n", ",3,0.025,EUR\n"},
		all.String():     {",overage,overage_amount,currency,external_id\n", ",1,0.025,EUR,\n"},
	} {
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in %s", part, text)
			}
		}
		if strings.Contains(text, "usd") {
			t.Errorf("dollars in %s", text)
		}
	}
}

// Guarantee: the report of an account without calls has the same shape, with empty objects and not
// null.
func TestMonthWithoutCalls(t *testing.T) {
	t.Parallel()
	report, err := newTestEnv(t).reader.Month(t.Context(), theirs, "2024-04")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"period":"2024-04"`, `"total_calls":0`, `"total_overage_usd":0`, `"operations":{}`, `"refused":{}`} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
}

// Guarantee: on every view, a malformed, future or deleted month is rejected with an error that
// names the field. Zeros would be taken for true.
func TestBadMonth(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t).reader
	for _, month := range []string{"2026-06", "2027-01", "2024-03", "1970-01", "2026-5", "2026-13", "2026-00", "26-05", "2026-05-01", "2026/05", " 2026-05", "2026-05 ", "May", "-", "２０２６-05", "2026-05\x00"} {
		_, monthErr := r.Month(t.Context(), ours, month)
		_, daysErr := r.Days(t.Context(), ours, "", month)
		for _, err := range []error{monthErr, daysErr, r.CSV(t.Context(), &bytes.Buffer{}, ours, month)} {
			e, ok := errors.AsType[*toksta.Error](err)
			if !ok || e.Code != toksta.CodeValidation || e.Details["field"] != "month" {
				t.Errorf("month %q: %v", month, err)
			}
		}
	}
}

// Guarantee: a key of another account and an unknown key give the same error, and no number is
// shown.
func TestForeignIsNotFound(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.fillMonth()
	for _, key := range []toksta.KeyID{foreign, "key_unknown"} {
		if b, err := w.reader.Days(t.Context(), ours, key, ""); toksta.ErrorCode(err) != toksta.CodeNotFound || b.Total.Admitted != 0 {
			t.Errorf("%s: %v, %+v", key, err, b)
		}
	}
	if _, err := w.reader.Month(t.Context(), "acct_unknown", ""); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("unknown account: %v", err)
	}
}

// Guarantee: the keys of a report add up to its total, also when a key is created and used while
// the report is read.
func TestKeyCreatedDuringReport(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	const late toksta.KeyID = "key_6late"
	w.reader.Refresh = func(ctx context.Context, _ *toksta.Standing) error {
		_, err := w.store.Commit(ctx, toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: toksta.ChangeKeyCreated, Keys: []toksta.Key{{
				ID: late, AccountID: ours, Name: "Late", CreatedAt: today(),
				Generations: []toksta.Generation{{Digest: sha256.Sum256([]byte(late)), Number: 1, CreatedAt: today()}},
			}}}, nil
		})
		w.count(late, "getCreator", "", meter.Increment{Calls: 7})
		return errors.Join(err, w.meter.Flush(ctx))
	}
	report, err := w.reader.Month(t.Context(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	if last := report.Keys[len(report.Keys)-1]; last.ID != late || last.Calls != report.TotalCalls {
		t.Errorf("%d calls in all, keys %+v", report.TotalCalls, report.Keys)
	}
}

// Guarantee: if the flush fails, no outdated numbers are shown.
func TestFlushFailureIsReported(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	unavailable := errors.New("unavailable")
	w.reader.Refresh = func(context.Context, *toksta.Standing) error { return unavailable }
	if _, err := w.reader.Month(t.Context(), ours, ""); !errors.Is(err, unavailable) {
		t.Errorf("Month returned %v", err)
	}
}

// Guarantee: the chart has a bar for each day of the month so far with the calls of that day. The
// view of one key includes only that key.
func TestDays(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.fillMonth()
	b, err := w.reader.Days(t.Context(), ours, live, "2026-05")
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Days) != 14 || b.Days[11].Admitted != 2 || b.Days[13].Admitted != 19 || b.Days[13].Rejected != 6 {
		t.Errorf("days: %+v", b.Days)
	}
	if len(b.Keys) != 1 || b.Keys[0].Daily[11] != 2 || b.Keys[0].ID != live {
		t.Errorf("keys: %+v", b.Keys)
	}
	if len(b.Families) != 2 || b.Families[0].Family != "data" || b.Families[1].Admitted != 4 {
		t.Errorf("families: %+v", b.Families)
	}
	if diff := cmp.Diff(map[toksta.Reason]int64{toksta.ReasonRateLimited: 6}, b.Total.Reasons); diff != "" {
		t.Error(diff)
	}
	if april, err := w.reader.Days(t.Context(), ours, "", "2026-04"); err != nil || len(april.Days) != 30 || april.Total.Admitted != 100 {
		t.Errorf("april: %v, %+v", err, april)
	}
}

// Guarantee: a name that a customer chose cannot become a formula in the vendor's spreadsheet.
func TestCSV(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.count(idle, "creator_search", "", meter.Increment{Calls: 2, Charge: toksta.Charge{Credits: 2, OverageMicros: 50_000}})
	w.count(idle, "creator_search", toksta.ReasonRateLimited, meter.Increment{Calls: 1, Now: today().AddDate(0, 0, -1)})
	var out bytes.Buffer
	if err := w.reader.CSV(t.Context(), &out, ours, ""); err != nil {
		t.Fatal(err)
	}
	const want = "day,key_id,key_name,family,cost_key,outcome,calls,credits,overage_usd\n" +
		"2026-05-13,key_2idle,'=cmd(),data,creator_search,rate_limited,1,0,0\n" +
		"2026-05-14,key_2idle,'=cmd(),data,creator_search,admitted,2,2,0.05\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: API, page and download never differ by a call, a credit or a millionth of money.
func TestViewsAgree(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 20).Draw(rt, "events") {
			reason := rapid.SampledFrom([]toksta.Reason{"", "", toksta.ReasonRateLimited, toksta.ReasonKeyRevoked}).Draw(rt, "reason")
			w.count(
				rapid.SampledFrom([]toksta.KeyID{live, idle, revoked, retired}).Draw(rt, "key"),
				rapid.SampledFrom([]string{"creator_search", "getCreator", "searchByVolume"}).Draw(rt, "cost key"), reason,
				meter.Increment{
					Calls: rapid.Int64Range(0, 3).Draw(rt, "calls"),
					Now:   today().Add(-time.Duration(rapid.IntRange(0, 24*13).Draw(rt, "hours ago")) * time.Hour),
					Charge: toksta.Charge{
						Credits: rapid.Int64Range(0, 9).Draw(rt, "credits"), OverageMicros: rapid.Int64Range(0, 99_999).Draw(rt, "micros"),
					},
				})
		}
		checkViewsAgree(rt, w.reader)
	})
}

func checkViewsAgree(t *rapid.T, r *usage.Reader) {
	report, err := r.Month(context.Background(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Days(context.Background(), ours, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var rejected int64
	for _, n := range report.Refused {
		rejected += n
	}
	want := totals{report.TotalCalls, rejected, report.TotalCredits, int64(report.TotalOverage)}
	var days, keys, families totals
	for _, d := range b.Days {
		days.add(d.Sum)
	}
	for _, k := range b.Keys {
		keys.add(k.Sum)
	}
	for _, f := range b.Families {
		families.add(f.Sum)
	}
	if days != want || keys != want || families != want || sumCSV(t, r) != want {
		t.Fatalf("report %v, days %v, keys %v, families %v, table %v", want, days, keys, families, sumCSV(t, r))
	}
}

// totals are admitted and rejected calls, credits and millionths of money.
type totals [4]int64

func (s *totals) add(o usage.Sum) {
	for i, n := range []int64{o.Admitted, o.Rejected, o.Credits, int64(o.Overage)} {
		s[i] += n
	}
}

// sumCSV sums the download, as a customer would.
func sumCSV(t *rapid.T, r *usage.Reader) (sum totals) {
	var out bytes.Buffer
	if err := r.CSV(context.Background(), &out, ours, ""); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		calls, callsErr := strconv.ParseInt(row[6], 10, 64)
		credits, creditsErr := strconv.ParseInt(row[7], 10, 64)
		money, ok := new(big.Rat).SetString(row[8])
		if err := errors.Join(callsErr, creditsErr); err != nil || !ok {
			t.Fatal(row, err)
		}
		micros := money.Mul(money, big.NewRat(1_000_000, 1))
		if !micros.IsInt() {
			t.Fatal("not whole millionths", row)
		}
		if row[5] == "admitted" {
			sum[0] += calls
		} else {
			sum[1] += calls
		}
		sum[2], sum[3] = sum[2]+credits, sum[3]+micros.Num().Int64()
	}
	return sum
}

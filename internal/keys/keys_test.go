package keys_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// world is a service on a real database, with one account on a paid plan.
type world struct {
	*keys.Service
	store   store.Store
	account toksta.Account
	now     time.Time
}

var (
	operator = toksta.Actor{Kind: toksta.ActorOperator, Name: "ops"}
	ada      = toksta.Actor{Kind: toksta.ActorMember, ID: "mem_1", Name: "Ada"}
)

func newWorld(tb testing.TB) *world {
	tb.Helper()
	s := sqlitetest.Open(tb)
	w := &world{store: s, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.account = toksta.Account{ID: "acct_1", Name: "Acme", Plan: "BUILD", Status: toksta.StatusActive}
	w.put(tb, w.account)
	w.Service = &keys.Service{
		Log: s.DirectLog(), Store: s, Now: func() time.Time { return w.now },
		Catalog: &toksta.Catalog{
			Shape:    toksta.KeyShape{Prefix: "tk_live_"},
			Families: []toksta.FamilyInfo{{Name: "data"}, {Name: "job"}, {Name: "account"}, {Name: "workspace"}},
			Plans: []toksta.Plan{
				{ID: "FREE", API: toksta.APINever},
				{ID: "BUILD", API: toksta.APIAlways, Families: []toksta.Family{"data", "job", "account"}, Entitled: []toksta.Family{"workspace"}},
			},
			Statuses: map[toksta.Status]toksta.Reason{toksta.StatusActive: "", toksta.StatusPastDue: toksta.ReasonBillingPastDue},
			FreePlan: "FREE", PerMinute: 60, MaxKeys: 100,
		},
	}
	return w
}

func (w *world) put(tb testing.TB, a toksta.Account) {
	tb.Helper()
	_, err := w.store.Commit(tb.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangePlanSet, AccountID: a.ID, Accounts: []toksta.Account{a}}, nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func (w *world) create(tb testing.TB, name string) keys.Created {
	tb.Helper()
	c, err := w.Create(tb.Context(), ada, keys.CreateRequest{Account: "acct_1", Name: name})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func (w *world) changes(tb testing.TB) []toksta.Change {
	tb.Helper()
	cs, err := w.store.ListChanges(tb.Context(), store.ChangeQuery{})
	if err != nil {
		tb.Fatal(err)
	}
	return cs
}

func ref(c keys.Created) keys.Ref { return keys.Ref{Account: c.Key.AccountID, Key: c.Key.ID} }

// parseTime parses an RFC 3339 time; it panics if the text is invalid.
func parseTime(text string) *time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return &at
}

func wantError(t *testing.T, err error, code toksta.Code, text string) {
	t.Helper()
	if toksta.ErrorCode(err) != code || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s with the text %q", err, code, text)
	}
}

// The returned key equals the stored one, its secret has the stored digest, and
// the change log contains no more of the secret than its preview.
func TestCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.Create(t.Context(), ada, keys.CreateRequest{
		Account: "acct_1", Name: "  Production  ", Scopes: []toksta.Family{"job", "data", "job"},
		Networks:  []netip.Prefix{netip.MustParsePrefix("::ffff:203.0.113.9/120"), netip.MustParsePrefix("203.0.113.0/24")},
		ExpiresAt: new(w.now.Add(time.Hour)), PerMinute: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Get(t.Context(), "acct_1", c.Key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Key, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("stored key (-returned +stored):\n%s", diff)
	}
	want := toksta.Limits{Scopes: []toksta.Family{"data", "job"}, Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, PerMinute: 10}
	if diff := cmp.Diff(want, got.Limits, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if got.Name != "Production" || got.CreatedBy != "Ada" || c.Receipt.Change.Actor.Name != "Ada" {
		t.Errorf("name %q, by %q, receipt %+v", got.Name, got.CreatedBy, c.Receipt)
	}
	secret := c.Secret.Reveal()
	if found, err := w.store.KeysByDigest(t.Context(), []toksta.Digest{sum(secret)}); err != nil || found[sum(secret)] != c.Key.ID {
		t.Errorf("the secret's digest leads to %v, %v", found, err)
	}
	for _, change := range w.changes(t) {
		for field, text := range change.Detail {
			if strings.Contains(text, secret[12:40]) {
				t.Errorf("the change log holds the secret in %q", field)
			}
		}
	}
}

// If the keys of an account are rejected, neither a member nor the operator can
// create one. The error has the reason that the API gives.
func TestCreateNeedsAPIAccess(t *testing.T) {
	t.Parallel()
	off := false
	for name, c := range map[string]struct {
		alter  func(*toksta.Account)
		reason toksta.Reason
	}{
		"free":     {func(a *toksta.Account) { a.Plan = "FREE" }, toksta.ReasonPlanFree},
		"past due": {func(a *toksta.Account) { a.Status = toksta.StatusPastDue }, toksta.ReasonBillingPastDue},
		"unknown":  {func(a *toksta.Account) { a.Status = "odd" }, toksta.ReasonSubscriptionInactive},
		"off":      {func(a *toksta.Account) { a.Entitlements.APIAccess = &off }, toksta.ReasonAPIAccessDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.alter(&w.account)
			w.put(t, w.account)
			for _, by := range []toksta.Actor{ada, operator} {
				_, err := w.Create(t.Context(), by, keys.CreateRequest{Account: "acct_1", Name: "k"})
				if !errors.Is(err, &toksta.Error{Code: toksta.CodeForbidden, Reason: c.reason}) {
					t.Errorf("%s: %v", by.Kind, err)
				}
			}
		})
	}
}

// Invalid input changes nothing, and the error names the problem.
func TestCreateRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := len(w.changes(t))
	for name, c := range map[string]struct {
		req  keys.CreateRequest
		code toksta.Code
		text string
	}{
		"no name":         {keys.CreateRequest{Account: "acct_1"}, toksta.CodeValidation, "name"},
		"rtl mark":        {keys.CreateRequest{Account: "acct_1", Name: "a\u202eb"}, toksta.CodeValidation, "U+202E"},
		"unknown scope":   {keys.CreateRequest{Account: "acct_1", Name: "k", Scopes: []toksta.Family{"data", "nope"}}, toksta.CodeValidation, `"nope"`},
		"scope not had":   {keys.CreateRequest{Account: "acct_1", Name: "k", Scopes: []toksta.Family{"workspace"}}, toksta.CodeValidation, `"workspace"`},
		"past expiry":     {keys.CreateRequest{Account: "acct_1", Name: "k", ExpiresAt: &w.now}, toksta.CodeValidation, "future"},
		"past year 9999":  {keys.CreateRequest{Account: "acct_1", Name: "k", ExpiresAt: parseTime("9999-12-31T23:59:59-12:00")}, toksta.CodeValidation, "9999"},
		"no time":         {keys.CreateRequest{Account: "acct_1", Name: "k", ExpiresAt: &time.Time{}}, toksta.CodeValidation, "not a valid time"},
		"bad network":     {keys.CreateRequest{Account: "acct_1", Name: "k", Networks: make([]netip.Prefix, 1)}, toksta.CodeValidation, "network"},
		"too many":        {keys.CreateRequest{Account: "acct_1", Name: "k", Networks: make([]netip.Prefix, 101)}, toksta.CodeValidation, "100"},
		"mapped too wide": {keys.CreateRequest{Account: "acct_1", Name: "k", Networks: []netip.Prefix{netip.MustParsePrefix("::ffff:1.2.3.4/90")}}, toksta.CodeValidation, "IPv4"},
		"negative rate":   {keys.CreateRequest{Account: "acct_1", Name: "k", PerMinute: -1}, toksta.CodeValidation, "rate"},
		"no such account": {keys.CreateRequest{Account: "acct_2", Name: "k"}, toksta.CodeNotFound, "account"},
	} {
		_, err := w.Create(t.Context(), ada, c.req)
		t.Run(name, func(t *testing.T) { wantError(t, err, c.code, c.text) })
	}
	if after := len(w.changes(t)); after != before {
		t.Errorf("%d changes were written", after-before)
	}
}

// 200 simultaneous creates on an account with a limit of 100 live keys make exactly
// 100 keys.
func TestMaxKeysHoldsUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	var made, full atomic.Int64
	for range 200 {
		wg.Go(func() {
			_, err := w.Create(t.Context(), ada, keys.CreateRequest{Account: "acct_1", Name: "k"})
			switch {
			case err == nil:
				made.Add(1)
			case toksta.ErrorCode(err) == toksta.CodeConflict && strings.Contains(err.Error(), "Revoke a key first"):
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	live, err := w.Live(t.Context(), "acct_1")
	if err != nil || made.Load() != 100 || full.Load() != 100 || live != 100 {
		t.Errorf("made %d, rejected %d, live %d, %v", made.Load(), full.Load(), live, err)
	}
}

// A resubmitted form must not make a second key, and the error names the first.
// The same token in another account is another request.
func TestCreateTwiceWithOneToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.account
	other.ID = "acct_2"
	w.put(t, other)
	req := keys.CreateRequest{Account: "acct_1", Name: "k", Token: "form-1"}
	first, err := w.Create(t.Context(), ada, req)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Create(t.Context(), ada, req)
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok || e.Code != toksta.CodeConflict || e.Reason != toksta.ReasonRepeated || e.Details["key_id"] != string(first.Key.ID) {
		t.Errorf("repeat: %v", err)
	}
	req.Account = "acct_2"
	if _, err := w.Create(t.Context(), ada, req); err != nil {
		t.Errorf("another account: %v", err)
	}
	if all, err := w.store.ListKeys(t.Context(), store.KeyQuery{Account: "acct_1"}); err != nil || len(all) != 1 {
		t.Errorf("%d keys, %v", len(all), err)
	}
}

// Guarantee: a closed account gets no key: by creation, also while its plan allows calls, or by an import.
func TestClosedAccountGetsNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	closed := w.account
	closed.ID, closed.ClosedAt = "acct_closed", w.now
	w.put(t, closed)
	_, err := w.Create(t.Context(), operator, keys.CreateRequest{Account: closed.ID, Name: "k"})
	wantError(t, err, toksta.CodeConflict, "closed")
	out, err := w.Import(t.Context(), operator, keys.ImportRequest{Rows: []keys.ImportRow{
		{Digest: toksta.Digest{1}, Account: closed.ID}, {Digest: toksta.Digest{2}, Account: w.account.ID},
	}})
	if err != nil || out.Results[0].State != keys.RowInvalid || !strings.Contains(out.Results[0].Reason, "closed") || out.Results[1].State != keys.RowImported {
		t.Errorf("got %+v, %v", out.Results, err)
	}
}

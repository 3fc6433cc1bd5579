package e2e

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: while the database is unavailable, every read and change of each API and page
// fails with an error that says so and that nothing was changed, not with an internal
// error. Changes succeed once the database is back.
func TestDatabaseUnavailable(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url := server.NewDatabase(t)
	n := apptest.Start(t, func(c *config.Config) { c.Store.URL = url })
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Patient")
	secret := apptest.NewKey(t, api, owner, "live").Secret
	browser := signIn(t, api, n.URL, owner)

	server.Stop()
	checkStillDecides(t, n, secret)
	checkHoldDuringOutage(t, api, secret)
	checkHealthDuringOutage(t, api)
	calls := map[string]func() error{
		"list":   func() error { _, err := api.ListAccounts(t.Context(), client.ListAccountsRequest{}); return err },
		"change": func() error { return rename(t, api, owner, "Hasty") },
		"top up": func() error { return topUp(t, api, owner) },
		"usage": func() error {
			_, err := api.Usage(t.Context(), client.UsageRequest{AccountRef: client.AccountRef{Account: owner}})
			return err
		},
	}
	for range 2 { // on the connections that broke, then without any
		for name, call := range calls {
			if err := call(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	res, err := browser.Get(n.URL + "/account")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
		!strings.Contains(string(page), "nothing was changed") {
		t.Errorf("the page responds %s, %v\n%s", res.Status, err, page)
	}
	got := apptest.Send(t, n.URL, "GET /v1/account/usage", secret)
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("a customer's usage responds %d %v", got.Status, got.Header)
	}
	if !strings.Contains(string(n.Log.Bytes()), "dial") {
		t.Error("the log does not have the cause")
	}

	server.Resume(t)
	apptest.Eventually(t, "no change succeeds once the database is back", func() bool { return rename(t, api, owner, "Patient") == nil })
}

// checkStillDecides fails t unless /ready and calls succeed while the lease lasts.
func checkStillDecides(t *testing.T, n *apptest.Node, secret string) {
	t.Helper()
	if got := apptest.Send(t, n.URL, "GET /ready", ""); got.Status != http.StatusOK || !strings.Contains(string(got.Body), "away") {
		t.Errorf("/ready responds %d %s", got.Status, got.Body)
	}
	if got := apptest.Send(t, n.URL, "GET /v1/creators/7", secret); got.Status != http.StatusOK {
		t.Errorf("a call during the lease gets %d", got.Status)
	}
}

// checkHoldDuringOutage fails t unless a call that needs a reservation is rejected with 503, and
// other verified calls are decided while the lease lasts.
func checkHoldDuringOutage(t *testing.T, api *client.Client, secret string) {
	t.Helper()
	ask := client.VerifyRequest{Key: secret, Operation: "searchCreators"}
	if d := verify(t, api, ask); !d.Admitted {
		t.Errorf("a verified call during the lease: %+v", d)
	}
	ask.Hold = &client.VerifyHold{Job: "patient"}
	if d := verify(t, api, ask); d.Code != toksta.CodeUnavailable || d.Response.Status != http.StatusServiceUnavailable || d.Response.Headers["Retry-After"] != "1" {
		t.Errorf("a hold without the database: %+v", d)
	}
}

// checkHealthDuringOutage fails t unless only the checks that the outage affects fail. An
// operator who restores a backup because of another failed check loses data.
func checkHealthDuringOutage(t *testing.T, api *client.Client) {
	t.Helper()
	health, err := api.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range health.Checks {
		if failed := c.Level == client.LevelFail; failed != (c.Name == "store" || c.Name == "nodes") {
			t.Errorf("%s: %s, %s", c.Name, c.Level, c.Detail)
		}
	}
}

// Guarantee: a change is not reported as failed if the database ended before it confirmed the
// commit; repeating the change with its idempotency key makes it once. The error of a
// report does not ask to repeat the request.
func TestDatabaseLostAtCommit(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url := server.NewDatabase(t)
	database, _, _ := strings.Cut(strings.TrimPrefix(url, "postgres:///"), "?")
	n := apptest.Start(t, func(c *config.Config) { c.Store.URL = url })
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Unsure")
	secret := apptest.NewKey(t, api, owner, "live").Secret

	// The commit is on disk and waits for a standby that does not exist.
	server.Exec(t, "postgres", `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	server.Exec(t, "postgres", `SELECT pg_reload_conf()`)
	const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
	apptest.Eventually(t, "no renewal waits for the standby", func() bool { return server.Exec(t, "postgres", waiting) > 0 })
	const change = ` AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'clock'::regclass AND mode = 'RowExclusiveLock')`
	outcome := make(chan error, 1)
	go func() { outcome <- topUp(t, api, owner) }()
	apptest.Eventually(t, "the commit does not wait", func() bool { return server.Exec(t, database, waiting+change) > 0 })
	report := make(chan apptest.Response, 1)
	go func() { report <- apptest.Send(t, n.URL, "GET /v1/account/usage", secret) }()
	const counts = ` AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'usage'::regclass AND mode = 'RowExclusiveLock')`
	apptest.Eventually(t, "no counts are written", func() bool { return server.Exec(t, database, waiting+counts) > 0 })
	server.Stop()
	if err := <-outcome; !errors.Is(err, store.ErrUncertain) {
		t.Errorf("the change whose outcome is unknown: %v", err)
	}
	if got := <-report; got.Status != http.StatusServiceUnavailable || strings.Contains(string(got.Body), "epeat the request") {
		t.Errorf("the report responds %d %s", got.Status, got.Body)
	}

	server.Resume(t)
	server.Exec(t, "postgres", `ALTER SYSTEM RESET synchronous_standby_names`)
	server.Exec(t, "postgres", `SELECT pg_reload_conf()`)
	apptest.Eventually(t, "the repeat does not succeed", func() bool { return topUp(t, api, owner) == nil })
	page, err := api.CreditEntries(t.Context(), client.CreditEntriesRequest{AccountRef: client.AccountRef{Account: owner}})
	if err != nil || len(page.Entries) != 1 {
		t.Errorf("after the repeat: %+v, %v", page.Entries, err)
	}
}

func rename(t *testing.T, api *client.Client, owner toksta.AccountID, name string) error {
	_, err := api.RenameAccount(t.Context(), client.RenameAccountRequest{AccountRef: client.AccountRef{Account: owner}, Name: name})
	return err
}

// topUp makes the same purchase each time.
func topUp(t *testing.T, api *client.Client, owner toksta.AccountID) error {
	_, err := api.TopUpCredits(t.Context(), client.PurchaseRequest{
		AccountRef: client.AccountRef{Account: owner}, Credits: 100, Reason: "order 1", IdempotencyKey: "order-1",
	})
	return err
}

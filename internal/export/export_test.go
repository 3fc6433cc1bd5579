package export_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/export"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// received is an event as the receiver decodes it.
type received struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Data            struct {
		ExternalID    string        `json:"external_id"`
		KeyID         toksta.KeyID  `json:"key_id"`
		Family        toksta.Family `json:"family"`
		CostKey       string        `json:"cost_key"`
		Calls         int64         `json:"calls"`
		Credits       int64         `json:"credits"`
		Purchased     int64         `json:"purchased"`
		Overage       int64         `json:"overage"`
		OverageMicros int64         `json:"overage_micros"`
	} `json:"data"`
}

// The reactions of a receiver to a request.
const (
	accept       = "accept"
	reject       = "reject"
	loseResponse = "accept, respond 500"
	hangUp       = "accept, close the connection"
	hang         = "accept, never respond"
)

// receiver is a billing system that keeps the first event of each id.
type receiver struct {
	*httptest.Server
	t rapid.TB

	mu        sync.Mutex
	responses []string // reactions to the next requests; later ones are accepted
	kept      map[string]received
	texts     map[string]string // JSON by id
	requests  []*http.Request
}

func newReceiver(t rapid.TB) *receiver {
	r := &receiver{t: t, kept: map[string]received{}, texts: map[string]string{}}
	r.Server = httptest.NewServer(r)
	return r
}

// respondWith sets the reactions to the next requests.
func (r *receiver) respondWith(responses ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.responses = responses
}

// ServeHTTP receives a batch. A repeated event must have the same content.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	switch r.take(request, body) {
	case reject:
		w.WriteHeader(http.StatusServiceUnavailable)
	case loseResponse:
		w.WriteHeader(http.StatusInternalServerError)
	case hangUp:
		panic(http.ErrAbortHandler)
	case hang:
		<-request.Context().Done()
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// take stores the events, unless it rejects them, and returns the reaction.
func (r *receiver) take(request *http.Request, body []byte) (response string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	response = accept
	if len(r.responses) > 0 {
		response, r.responses = r.responses[0], r.responses[1:]
	}
	if response == reject {
		return response
	}
	var events []json.RawMessage
	if err := json.Unmarshal(body, &events); err != nil || len(events) == 0 {
		r.t.Errorf("not a batch: %s", body)
	}
	for _, text := range events {
		var e received
		if err := json.Unmarshal(text, &e); err != nil || e.ID == "" {
			r.t.Errorf("not an event: %s", text)
		}
		if earlier, known := r.texts[e.ID]; known && earlier != string(text) {
			r.t.Errorf("repeated with different content:\n%s\n%s", earlier, text)
		} else if !known {
			r.texts[e.ID], r.kept[e.ID] = string(text), e
		}
	}
	return response
}

// bill sums the received events by account, key and hour.
func (r *receiver) bill() map[store.UsageSlot]store.UsageTotal {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[store.UsageSlot]store.UsageTotal{}
	for _, e := range r.kept {
		at, err := time.Parse(time.RFC3339, e.Time)
		if err != nil {
			r.t.Errorf("time: %v", err)
		}
		d := e.Data
		slot := store.UsageSlot{
			AccountID: toksta.AccountID(e.Subject), KeyID: d.KeyID, Family: d.Family, CostKey: d.CostKey, Hour: at.Unix() / 3600,
		}
		sum := out[slot]
		sum.UsageSlot, sum.Calls = slot, sum.Calls+d.Calls
		sum.Charge = sum.Charge.Plus(toksta.Charge{Credits: d.Credits, Purchased: d.Purchased, Overage: d.Overage, OverageMicros: d.OverageMicros})
		out[slot] = sum
	}
	return out
}

// vendor is a store whose usage is exported to a receiver.
type vendor struct {
	rapid.TB
	store    *sqlstore.Store
	receiver *receiver
	hour     int64 // two hours ago, so it is over
}

func newVendor(t rapid.TB, dir string) *vendor {
	db, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: filepath.Join(dir, "toksta.db")})
	if err != nil {
		t.Fatal(err)
	}
	return &vendor{TB: t, store: db, receiver: newReceiver(t), hour: time.Now().Unix()/3600 - 2}
}

func (v *vendor) close() {
	v.receiver.Close()
	if err := v.store.Close(); err != nil {
		v.Error(err)
	}
}

// newTestVendor returns a vendor that is closed at the end of the test.
func newTestVendor(t *testing.T) *vendor {
	v := newVendor(t, t.TempDir())
	t.Cleanup(v.close)
	return v
}

// flush flushes a total of an epoch.
func (v *vendor) flush(epoch string, key toksta.KeyID, hour, calls int64) {
	total := store.UsageTotal{
		UsageSlot: store.UsageSlot{AccountID: "acct_a", KeyID: key, Family: "data", CostKey: "search", Hour: hour},
		Calls:     calls, Charge: toksta.Charge{Credits: 3 * calls, Purchased: calls, Overage: 2 * calls, OverageMicros: 25_001 * calls},
	}
	refused := total
	refused.Reason = toksta.ReasonRateLimited
	if err := v.store.Flush(context.Background(), store.UsageBatch{Epoch: epoch, Totals: []store.UsageTotal{total, refused}}); err != nil {
		v.Fatal(err)
	}
}

// setExternalID writes the account with the external id.
func (v *vendor) setExternalID(id string) {
	v.Helper()
	account := toksta.Account{
		ID: "acct_a", Name: "Acme", Plan: "p", Status: toksta.StatusActive, ExternalID: id,
		StatusSince: time.Unix(0, 0), CycleAnchor: time.Unix(0, 0), CreatedAt: time.Unix(0, 0),
	}
	_, err := v.store.Commit(context.Background(), toksta.Actor{Kind: toksta.ActorSystem}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeAccountExternalID, AccountID: account.ID, Accounts: []toksta.Account{account}}, nil
	})
	if err != nil {
		v.Fatal(err)
	}
}

// flakyStore simulates a process that dies before it stores a delivery (dies), and a database that
// gives the claim to every node.
type flakyStore struct {
	export.Store
	dies bool
}

var errDied = errors.New("died")

func (f flakyStore) DeliveredUsage(ctx context.Context, ids []string) error {
	if f.dies {
		return errDied
	}
	return f.Store.DeliveredUsage(ctx, ids)
}

func (f flakyStore) Claim(context.Context, store.Claim) (time.Time, error) { return time.Now(), nil }

// exporter returns the exporter of a new process with a small batch size, so that there are many
// batches.
func (v *vendor) exporter(s export.Store) *export.Exporter {
	return export.New(export.Config{
		Store: s, URL: v.receiver.URL + "/events", Authorization: "Bearer hunter2", Type: "toksta.usage", Source: "https://api.acme.example",
		Interval: time.Millisecond, Settle: 30 * time.Minute, Batch: 2, From: time.Unix(0, 0), Log: slog.New(slog.DiscardHandler),
	})
}

// checkBill compares the received events with the usage of all hours that are over.
func (v *vendor) checkBill() {
	v.Helper()
	rows, err := v.store.ListUsage(context.Background(), store.UsageQuery{
		Account: "acct_a", From: time.Unix(0, 0), To: time.Unix((v.hour+1)*3600, 0),
	})
	if err != nil {
		v.Fatal(err)
	}
	want := map[store.UsageSlot]store.UsageTotal{}
	for _, row := range rows {
		if row.Reason == "" {
			want[row.UsageSlot] = row
		}
	}
	if d := cmp.Diff(want, v.receiver.bill()); d != "" {
		v.Errorf("the bill is not the usage (-usage +bill)\n%s", d)
	}
}

// Guarantee: after any sequence of failures, the sums of the receiver by id equal the usage table.
// Nothing is billed twice or left out.
func TestBillIsUsage(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	newVendor(t, parent).close()
	empty, err := os.ReadFile(filepath.Join(parent, "toksta.db"))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "toksta.db"), empty, 0o600); err != nil {
			t.Fatal(err)
		}
		v := newVendor(t, dir)
		defer v.close()
		key := rapid.SampledFrom([]toksta.KeyID{"key_1", "key_2", "key_3"})
		epoch := rapid.SampledFrom([]string{"e1", "e2", "e3"})
		t.Repeat(map[string]func(*rapid.T){
			"a flush, early or late": func(t *rapid.T) {
				v.flush(epoch.Draw(t, "epoch"), key.Draw(t, "key"), v.hour-rapid.Int64Range(0, 3).Draw(t, "ago"), rapid.Int64Range(1, 50).Draw(t, "calls"))
			},
			"calls in this hour": func(t *rapid.T) { v.flush(epoch.Draw(t, "epoch"), key.Draw(t, "key"), v.hour+2, 7) },
			"an export": func(t *rapid.T) {
				v.receiver.respondWith(rapid.SliceOfN(rapid.SampledFrom([]string{accept, accept, reject, loseResponse, hangUp}), 0, 4).Draw(t, "responses")...)
				_ = v.exporter(v.store).Export(context.Background())
			},
			"an export that ends without an response": func(*rapid.T) {
				v.receiver.respondWith(hang)
				defer v.receiver.respondWith() // there may have been nothing to send
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				defer cancel()
				_ = v.exporter(flakyStore{v.store, false}).Export(ctx)
			},
			"a process that dies before it stores the delivery": func(*rapid.T) {
				_ = v.exporter(flakyStore{v.store, true}).Export(context.Background())
			},
			"two nodes at once": func(*rapid.T) {
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() { _ = v.exporter(flakyStore{v.store, false}).Export(context.Background()) })
				}
				both.Wait()
			},
		})
		v.receiver.respondWith()
		if err := v.exporter(flakyStore{v.store, false}).Export(context.Background()); err != nil {
			t.Fatal(err)
		}
		v.checkBill()
	})
}

// Guarantee: a batch whose response was lost is repeated unchanged, even if its hour has grown. The
// growth is a separate event.
func TestLateGrowthIsSeparateEvent(t *testing.T) {
	t.Parallel()
	v := newTestVendor(t)
	v.flush("e1", "key_1", v.hour, 5)
	v.receiver.responses = []string{loseResponse}
	if err := v.exporter(v.store).Export(t.Context()); err == nil {
		t.Fatal("500 was taken for success")
	}
	v.flush("e1", "key_1", v.hour, 9)
	if err := v.exporter(flakyStore{v.store, false}).Export(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.checkBill()
	if len(v.receiver.kept) != 2 || len(v.receiver.requests) != 3 {
		t.Errorf("%d events in %d requests, want 2 in 3", len(v.receiver.kept), len(v.receiver.requests))
	}
	if err := v.exporter(flakyStore{v.store, false}).Export(t.Context()); err != nil || len(v.receiver.requests) != 3 {
		t.Errorf("with nothing new: %v, %d requests", err, len(v.receiver.requests))
	}
}

// Guarantee: an event has the account's external id, and a repeat after a lost response the same
// one, although the id has changed in the meantime.
func TestExternalIDOfRepeat(t *testing.T) {
	t.Parallel()
	v := newTestVendor(t)
	v.setExternalID("crm-42")
	v.flush("e1", "key_1", v.hour, 5)
	v.receiver.responses = []string{loseResponse}
	if err := v.exporter(v.store).Export(t.Context()); err == nil {
		t.Fatal("500 was taken for success")
	}
	v.setExternalID("crm-43")
	v.flush("e1", "key_1", v.hour, 9)
	if err := v.exporter(flakyStore{v.store, false}).Export(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.checkBill()
	calls := map[string]int64{}
	for _, e := range v.receiver.kept {
		calls[e.Data.ExternalID] += e.Data.Calls
	}
	if d := cmp.Diff(map[string]int64{"crm-42": 5, "crm-43": 4}, calls); d != "" || len(v.receiver.requests) != 3 {
		t.Errorf("%d requests, calls by external id (-want +got)\n%s", len(v.receiver.requests), d)
	}
}

// Guarantee: receivers of CloudEvents 1.0 accept the events, which have the account and the time of
// the usage.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	v := newTestVendor(t)
	v.flush("e1", "key_1", v.hour, 5)
	if err := v.exporter(v.store).Export(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(v.receiver.requests) != 1 || len(v.receiver.kept) != 1 {
		t.Fatalf("%d events in %d requests", len(v.receiver.kept), len(v.receiver.requests))
	}
	r := v.receiver.requests[0]
	if r.Method != http.MethodPost || r.URL.Path != "/events" || r.Header.Get("Content-Type") != "application/cloudevents-batch+json" || r.Header.Get("Authorization") != "Bearer hunter2" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	for id, text := range v.receiver.texts {
		var attributes map[string]any
		if err := json.Unmarshal([]byte(text), &attributes); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"specversion": "1.0", "id": id, "source": "https://api.acme.example", "type": "toksta.usage", "subject": "acct_a",
			"time": time.Unix(v.hour*3600, 0).UTC().Format(time.RFC3339), "datacontenttype": "application/json",
			"data": map[string]any{
				"key_id": "key_1", "family": "data", "cost_key": "search", "calls": 5.0,
				"credits": 15.0, "purchased": 5.0, "overage": 10.0, "overage_micros": 125005.0,
			},
		}
		if d := cmp.Diff(want, attributes); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
}

// Guarantee: while one node exports, the others do not. When its claim expires, the next node
// continues.
func TestOneNodeAtATime(t *testing.T) {
	t.Parallel()
	v := newTestVendor(t)
	v.flush("e1", "key_1", v.hour, 5)
	v.receiver.responses = []string{reject}
	if err := v.exporter(flakyStore{v.store, false}).Export(t.Context()); err == nil {
		t.Fatal("503 was taken for success")
	}
	if at, err := v.store.Claim(t.Context(), store.Claim{Name: "export", Holder: "another", For: time.Hour}); err != nil || at.IsZero() {
		t.Fatal(at, err)
	}
	mine := v.exporter(v.store)
	if err := mine.Export(t.Context()); err != nil || len(v.receiver.requests) != 1 {
		t.Errorf("beside another node: %v, %d requests", err, len(v.receiver.requests))
	}
	if _, err := v.store.Claim(t.Context(), store.Claim{Name: "export", Holder: "another", For: -time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := mine.Export(t.Context()); err != nil {
		t.Error(err)
	}
	v.checkBill()
}

// Guarantee: the operator sees the reason of a failure until a delivery succeeds. It contains
// neither the credential nor the URL.
func TestFailureIsReported(t *testing.T) {
	t.Parallel()
	v := newTestVendor(t)
	v.flush("e1", "key_1", v.hour, 5)
	elsewhere := newReceiver(t)
	defer elsewhere.Close()
	redirect := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirect.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = conn.Write([]byte("Bearer hunter2\r\n\r\n"))
		_ = conn.Close()
	}))
	defer echo.Close()
	for url, want := range map[string]string{redirect.URL: "307", gone.URL + "/hunter2": "refused", echo.URL: "not HTTP"} {
		e := v.exporter(flakyStore{v.store, false})
		e.URL = url
		if err := e.Export(t.Context()); err == nil {
			t.Errorf("delivered to %s", url)
		}
		status, err := e.Status(t.Context())
		if err != nil || !status.On || status.Waiting != 1 || !strings.Contains(status.Failure, want) || strings.Contains(status.Failure, "hunter2") {
			t.Errorf("status %+v, %v; want %q", status, err, want)
		}
	}
	if len(elsewhere.requests) > 0 {
		t.Error("the credential was sent to the target of a redirect")
	}
	mine := v.exporter(flakyStore{v.store, false})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- mine.Run(ctx) }()
	deadline := time.After(20 * time.Second)
	for delivered := int64(0); delivered == 0; {
		status, err := mine.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if delivered = status.Delivered; delivered > 0 && (status.Failure != "" || status.Waiting != 0) {
			t.Errorf("delivered, and the status is %+v", status)
		}
		select {
		case <-deadline:
			t.Fatal("Run delivered nothing within 20 seconds")
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	v.checkBill()
}

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

// received is an event as the receiver reads it, by the names of CloudEvents.
type received struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Data            struct {
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

// The ways in which a receiver answers one request.
const (
	takes   = "takes it"
	refuses = "refuses it"
	loses   = "takes it, and answers 500"
	hangsUp = "takes it, and hangs up"
	hangs   = "takes it, and says nothing"
)

// receiver is a billing engine: it keeps the first event of each id.
type receiver struct {
	*httptest.Server
	t rapid.TB

	mu       sync.Mutex
	answers  []string // to the next requests; then it takes all
	kept     map[string]received
	texts    map[string]string // as they came
	requests []*http.Request
}

func newReceiver(t rapid.TB) *receiver {
	r := &receiver{t: t, kept: map[string]received{}, texts: map[string]string{}}
	r.Server = httptest.NewServer(r)
	return r
}

// answer says how the next requests are answered.
func (r *receiver) answer(answers ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = answers
}

// ServeHTTP takes a batch. An event that came before must be the very same.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	switch r.take(request, body) {
	case refuses:
		w.WriteHeader(http.StatusServiceUnavailable)
	case loses:
		w.WriteHeader(http.StatusInternalServerError)
	case hangsUp:
		panic(http.ErrAbortHandler)
	case hangs:
		<-request.Context().Done()
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// take keeps what came, unless it refuses it, and says how to answer.
func (r *receiver) take(request *http.Request, body []byte) (answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	answer = takes
	if len(r.answers) > 0 {
		answer, r.answers = r.answers[0], r.answers[1:]
	}
	if answer == refuses {
		return answer
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
			r.t.Errorf("came again as another:\n%s\n%s", earlier, text)
		} else if !known {
			r.texts[e.ID], r.kept[e.ID] = string(text), e
		}
	}
	return answer
}

// bill adds up what was received, by account, key and hour.
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

// vendor is a store whose usage goes to a receiver.
type vendor struct {
	rapid.TB
	store    *sqlstore.Store
	receiver *receiver
	hour     int64 // two hours ago: it is over
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

// start is newVendor for an ordinary test.
func start(t *testing.T) *vendor {
	v := newVendor(t, t.TempDir())
	t.Cleanup(v.close)
	return v
}

// used flushes a total of an epoch.
func (v *vendor) used(epoch string, key toksta.KeyID, hour, calls int64) {
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

// forgetful is a process that dies before it can note what it delivered, or a
// database that hands the same claim to everybody.
type forgetful struct {
	export.Store
	dies bool
}

var errDied = errors.New("died")

func (f forgetful) DeliveredUsage(ctx context.Context, ids []string) error {
	if f.dies {
		return errDied
	}
	return f.Store.DeliveredUsage(ctx, ids)
}

func (f forgetful) Claim(context.Context, store.Claim) (time.Time, error) { return time.Now(), nil }

// exporter is a new process with so small a batch that there are many.
func (v *vendor) exporter(s export.Store) *export.Exporter {
	return export.New(export.Config{
		Store: s, URL: v.receiver.URL + "/events", Authorization: "Bearer hunter2", Type: "toksta.usage", Source: "https://api.acme.example",
		Interval: time.Millisecond, Settle: 30 * time.Minute, Batch: 2, From: time.Unix(0, 0), Log: slog.New(slog.DiscardHandler),
	})
}

// billed compares what was received with the usage of all hours that are over.
func (v *vendor) billed() {
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

// Guarantee: whatever happens between the two, the receiver's sums by id are
// the usage table's: nothing billed twice, nothing left out.
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
				v.used(epoch.Draw(t, "epoch"), key.Draw(t, "key"), v.hour-rapid.Int64Range(0, 3).Draw(t, "ago"), rapid.Int64Range(1, 50).Draw(t, "calls"))
			},
			"calls in this hour": func(t *rapid.T) { v.used(epoch.Draw(t, "epoch"), key.Draw(t, "key"), v.hour+2, 7) },
			"an export": func(t *rapid.T) {
				v.receiver.answer(rapid.SliceOfN(rapid.SampledFrom([]string{takes, takes, refuses, loses, hangsUp}), 0, 4).Draw(t, "answers")...)
				_ = v.exporter(v.store).Export(context.Background())
			},
			"an export that ends without an answer": func(*rapid.T) {
				v.receiver.answer(hangs)
				defer v.receiver.answer() // there may have been nothing to send
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				defer cancel()
				_ = v.exporter(forgetful{v.store, false}).Export(ctx)
			},
			"a process that dies before it notes": func(*rapid.T) {
				_ = v.exporter(forgetful{v.store, true}).Export(context.Background())
			},
			"two nodes at once": func(*rapid.T) {
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() { _ = v.exporter(forgetful{v.store, false}).Export(context.Background()) })
				}
				both.Wait()
			},
		})
		v.receiver.answer()
		if err := v.exporter(forgetful{v.store, false}).Export(context.Background()); err != nil {
			t.Fatal(err)
		}
		v.billed()
	})
}

// Guarantee: a batch that arrived while the answer was lost comes again as it
// was, though its hour has grown meanwhile; what it grew by comes by itself.
func TestLateGrowthIsItsOwnEvent(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.used("e1", "key_1", v.hour, 5)
	v.receiver.answers = []string{loses}
	if err := v.exporter(v.store).Export(t.Context()); err == nil {
		t.Fatal("500 was taken for success")
	}
	v.used("e1", "key_1", v.hour, 9)
	if err := v.exporter(forgetful{v.store, false}).Export(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.billed()
	if len(v.receiver.kept) != 2 || len(v.receiver.requests) != 3 {
		t.Errorf("%d events in %d requests, want 2 in 3", len(v.receiver.kept), len(v.receiver.requests))
	}
	if err := v.exporter(forgetful{v.store, false}).Export(t.Context()); err != nil || len(v.receiver.requests) != 3 {
		t.Errorf("with nothing new: %v, %d requests", err, len(v.receiver.requests))
	}
}

// Guarantee: receivers of CloudEvents 1.0 take what is sent, and know whose
// usage it is and when it was.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.used("e1", "key_1", v.hour, 5)
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

// Guarantee: while one node exports the others leave it alone, and the next one
// goes on when it is gone.
func TestOneNodeAtATime(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.used("e1", "key_1", v.hour, 5)
	v.receiver.answers = []string{refuses}
	if err := v.exporter(forgetful{v.store, false}).Export(t.Context()); err == nil {
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
	v.billed()
}

// Guarantee: the operator learns why nothing arrives, until something does, and
// neither the credential nor the address stands in it.
func TestFailureIsSaid(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.used("e1", "key_1", v.hour, 5)
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
	for url, want := range map[string]string{redirect.URL: "307", gone.URL + "/hunter2": "refused", echo.URL: "no HTTP"} {
		e := v.exporter(forgetful{v.store, false})
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
		t.Error("the credential was sent to where a redirect led")
	}
	mine := v.exporter(forgetful{v.store, false})
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
			t.Fatal("Run delivers nothing")
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	v.billed()
}

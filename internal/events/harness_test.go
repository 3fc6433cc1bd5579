package events

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// safeBuffer is a log buffer that is safe for concurrent use.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// arrivedWebhook is a webhook as the receiver got it.
type arrivedWebhook struct {
	id, timestamp string
	signatures    []string
	header        http.Header
	body          []byte
}

// signedBy reports whether one of the signatures was made with the secret. It computes the
// signature from the published specification and not with the code under test.
func (g arrivedWebhook) signedBy(t *testing.T, secret string) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, g.id+"."+g.timestamp+".")
	mac.Write(g.body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, s := range g.signatures {
		if s == want {
			return true
		}
	}
	return false
}

// receiver is a vendor's server. It responds 204 unless a test sets another handler.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	arrived []arrivedWebhook
	handler http.HandlerFunc
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost {
			t.Errorf("%s: %v", req.Method, err)
		}
		r.mu.Lock()
		r.arrived = append(r.arrived, arrivedWebhook{
			req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp"),
			strings.Split(req.Header.Get("webhook-signature"), " "), req.Header, body,
		})
		handler := r.handler
		r.mu.Unlock()
		handler(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) respondWith(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func (r *receiver) all() []arrivedWebhook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrivedWebhook{}, r.arrived...)
}

func secret(t *testing.T, text string) toksta.SigningSecret {
	t.Helper()
	s, err := toksta.ParseSigningSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testNode is one node's service with a webhook named billing.
type testNode struct {
	*Service
	log safeBuffer
}

func newTestNode(t *testing.T, s Store, c *clock, url string) *testNode {
	t.Helper()
	n := &testNode{}
	hook := NewWebhook(WebhookConfig{URL: url, Secrets: []toksta.SigningSecret{secret(t, oldSecret), secret(t, newSecret)}, Now: c.now})
	n.Service = New(Config{
		Store: s, Channels: []Channel{{Name: "billing", Sender: hook}}, Now: c.now,
		Log: slog.New(slog.NewJSONHandler(&n.log, nil)),
	})
	return n
}

// deliver makes one attempt of every due delivery.
func (n *testNode) deliver(t *testing.T) {
	t.Helper()
	for {
		made, err := n.deliverDue(t.Context(), n.config.Channels[0])
		if err != nil {
			t.Fatal(err)
		}
		if made == 0 {
			return
		}
	}
}

// raise raises an occurrence with the token and returns the id of its event.
func (n *testNode) raise(t *testing.T, token string) string {
	t.Helper()
	err := n.Raise(t.Context(), Occurrence{
		Kind: toksta.EventCreditsLow, AccountID: "acct_a", Token: token, Data: map[string]string{"name": "Ädä <&> Co"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n.newest(t).ID
}

func (n *testNode) newest(t *testing.T) store.Event {
	t.Helper()
	page, err := n.List(context.Background(), store.EventQuery{Limit: 1})
	if err != nil || len(page) != 1 {
		t.Fatalf("%v, %v", page, err)
	}
	return page[0]
}

func (n *testNode) delivery(t *testing.T, id string) store.Delivery {
	t.Helper()
	e, err := n.Get(t.Context(), id)
	if err != nil || len(e.Deliveries) != 1 {
		t.Fatalf("%v, %v", e, err)
	}
	return e.Deliveries[0]
}

func decode(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

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
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
)

// openStore returns a real database, which nodes of one test share.
func openStore(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: filepath.Join(t.TempDir(), "toksta.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// clock is a time that a test moves.
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

// logs is a log that can be read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// got is a webhook as it arrived.
type got struct {
	id, timestamp string
	signatures    []string
	header        http.Header
	body          []byte
}

// signedBy reports whether one of the signatures is that of a secret, computed
// here from the published text and not by the code under test.
func (g got) signedBy(t *testing.T, secret string) bool {
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

// receiver is a vendor's server. It answers 204 unless a test says otherwise.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	arrived []got
	answer  http.HandlerFunc
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost {
			t.Errorf("%s: %v", req.Method, err)
		}
		r.mu.Lock()
		r.arrived = append(r.arrived, got{
			req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp"),
			strings.Split(req.Header.Get("webhook-signature"), " "), req.Header, body,
		})
		answer := r.answer
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func (r *receiver) all() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got{}, r.arrived...)
}

func secret(t *testing.T, text string) toksta.SigningSecret {
	t.Helper()
	s, err := toksta.ParseSigningSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// station is one node's service with a webhook named billing.
type station struct {
	*Service
	log logs
}

func newStation(t *testing.T, s Store, c *clock, url string) *station {
	t.Helper()
	n := &station{}
	hook := NewWebhook(WebhookConfig{URL: url, Secrets: []toksta.SigningSecret{secret(t, oldSecret), secret(t, newSecret)}, Now: c.now})
	n.Service = New(Config{
		Store: s, Channels: []Channel{{Name: "billing", Carrier: hook}}, Now: c.now,
		Log: slog.New(slog.NewJSONHandler(&n.log, nil)),
	})
	return n
}

// deliver makes one attempt of everything that is due.
func (n *station) deliver(t *testing.T) {
	t.Helper()
	for {
		made, err := n.round(t.Context(), n.config.Channels[0])
		if err != nil {
			t.Fatal(err)
		}
		if made == 0 {
			return
		}
	}
}

// raise raises an occurrence of its own and returns its event's id.
func (n *station) raise(t *testing.T, token string) string {
	t.Helper()
	err := n.Raise(t.Context(), Occurrence{
		Kind: toksta.EventCreditsLow, AccountID: "acct_a", Token: token, Data: map[string]string{"name": "Ädä <&> Co"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n.newest(t).ID
}

func (n *station) newest(t *testing.T) store.Event {
	t.Helper()
	page, err := n.List(context.Background(), store.EventQuery{Limit: 1})
	if err != nil || len(page) != 1 {
		t.Fatalf("%v, %v", page, err)
	}
	return page[0]
}

func (n *station) delivery(t *testing.T, id string) store.Delivery {
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

package operator

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// serving answers at keys/show with fn, as the real API answers.
func serving(t *testing.T, fn endpoint[client.KeyRef, client.Key]) (*client.Client, string) {
	t.Helper()
	mux := http.NewServeMux()
	handle(mux, "keys/show", fn)
	mux.HandleFunc("/", missing)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return client.New(server.URL), server.URL
}

// Who makes a change is known to whoever carries it out, under the name that
// the operator gave: the audit trail is made of it.
func TestActorIsTheOperator(t *testing.T) {
	t.Parallel()
	var by toksta.Actor
	api, _ := serving(t, func(_ context.Context, actor toksta.Actor, r client.KeyRef) (client.Key, error) {
		by = actor
		return client.Key{ID: r.Key}, nil
	})
	api.Operator = "olga"
	k, err := api.Key(t.Context(), client.KeyRef{Key: "key_1"})
	if err != nil || k.ID != "key_1" {
		t.Fatalf("got %v, %v", k, err)
	}
	if by.Kind != toksta.ActorOperator || by.Name != "olga" {
		t.Errorf("acted as %+v", by)
	}
	api.Operator = strings.Repeat("o", 101)
	if _, err := api.Key(t.Context(), client.KeyRef{}); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("a name too long for the audit trail: %v", err)
	}
}

// An error crosses the wire whole, so that a program can tell causes apart
// and a person is told what to do.
func TestErrorCrossesTheWire(t *testing.T) {
	t.Parallel()
	want := &toksta.Error{
		Code: toksta.CodeConflict, Reason: "request_repeated", Message: "It was done before.",
		Hint: "look at the audit trail", Details: map[string]any{"key_id": "key_1"},
	}
	api, _ := serving(t, func(context.Context, toksta.Actor, client.KeyRef) (client.Key, error) { return client.Key{}, want })
	_, err := api.Key(t.Context(), client.KeyRef{})
	got, ok := errors.AsType[*toksta.Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	delete(got.Details, "reason")
	delete(got.Details, "hint")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An answer that cannot be encoded is a failure whose cause the log has: the caller's hint leads there.
func TestUnencodableAnswerIsLogged(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	handle(mux, "keys/show", func(context.Context, toksta.Actor, client.KeyRef) (client.Key, error) {
		return client.Key{CreatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, nil
	})
	var cause error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.FromContext(r.Context())
		mux.ServeHTTP(w, r.WithContext(exchange.NewContext(r.Context(), x)))
		cause = x.Err
	}))
	defer server.Close()
	if _, err := client.New(server.URL).Key(t.Context(), client.KeyRef{}); toksta.ErrorCode(err) != toksta.CodeInternal {
		t.Errorf("got %v", err)
	}
	if cause == nil || !strings.Contains(cause.Error(), "year outside of range") {
		t.Errorf("the log has the cause %v", cause)
	}
}

// What went wrong inside stays inside: its text may name files and hosts.
func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	api, _ := serving(t, func(context.Context, toksta.Actor, client.KeyRef) (client.Key, error) {
		return client.Key{}, errors.New("open /var/lib/secret: no such file")
	})
	_, err := api.Key(t.Context(), client.KeyRef{})
	if toksta.ErrorCode(err) != toksta.CodeInternal || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// Every answer is the envelope, from every layer: a client that reads JSON is
// never handed a page of text.
func TestEveryAnswerIsTheEnvelope(t *testing.T) {
	t.Parallel()
	_, url := serving(t, nil)
	for path, want := range map[string]int{
		client.PathPrefix + "keys/show":    http.StatusMethodNotAllowed,
		client.PathPrefix + "keys/explode": http.StatusNotFound,
		"/":                                http.StatusNotFound,
	} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("GET %s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}

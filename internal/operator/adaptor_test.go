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

// startAPI serves fn at keys/show as the real API does.
func startAPI(t *testing.T, fn endpoint[client.KeyRef, client.KeyDetail]) (*client.Client, string) {
	t.Helper()
	listener := httptest.NewServer(showKeyWith(fn))
	t.Cleanup(listener.Close)
	return client.New(listener.URL), listener.URL
}

// showKeyWith returns the handler of the socket with fn as its only operation, keys/show.
func showKeyWith(fn endpoint[client.KeyRef, client.KeyDetail]) http.Handler {
	s := server{identify: byName}
	mux := http.NewServeMux()
	mux.HandleFunc(client.PathPrefix+"keys/show", define(s, Operation{Name: "keys/show"}, fn).handler)
	mux.HandleFunc("/", s.notFound)
	return mux
}

// Guarantee: a change is recorded with the name that the operator gave.
func TestActorIsTheOperator(t *testing.T) {
	t.Parallel()
	var by toksta.Actor
	api, _ := startAPI(t, func(_ context.Context, actor toksta.Actor, r client.KeyRef) (client.KeyDetail, error) {
		by = actor
		return client.KeyDetail{Key: client.Key{ID: r.Key}}, nil
	})
	api.Operator = "olga"
	k, err := api.Key(t.Context(), client.KeyRef{Key: "key_1"})
	if err != nil || k.ID != "key_1" {
		t.Fatalf("got %v, %v", k, err)
	}
	if by.Kind != toksta.ActorOperator || by.Name != "olga" {
		t.Errorf("acted as %+v", by)
	}
	for _, name := range []string{strings.Repeat("o", 101), "op_01M857YSDJWMWN1AN6VYG9EYCG"} {
		api.Operator = name
		if _, err := api.Key(t.Context(), client.KeyRef{}); toksta.ErrorCode(err) != toksta.CodeValidation {
			t.Errorf("%s: a name that would mislead readers of the audit trail: %v", name, err)
		}
	}
}

// Guarantee: an error reaches the client with code, reason, hint and details, so that
// programs can distinguish causes.
func TestErrorCrossesTheWire(t *testing.T) {
	t.Parallel()
	want := &toksta.Error{
		Code: toksta.CodeConflict, Reason: "request_repeated", Message: "It was done before.",
		Hint: "look at the audit trail", Details: map[string]any{"key_id": "key_1"},
	}
	api, _ := startAPI(t, func(context.Context, toksta.Actor, client.KeyRef) (client.KeyDetail, error) {
		return client.KeyDetail{}, want
	})
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

// Guarantee: the cause of a response that cannot be encoded is in the log.
func TestUnencodableResponseIsLogged(t *testing.T) {
	t.Parallel()
	handler := showKeyWith(func(context.Context, toksta.Actor, client.KeyRef) (client.KeyDetail, error) {
		return client.KeyDetail{Key: client.Key{CreatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}, nil
	})
	var cause error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.FromContext(r.Context())
		handler.ServeHTTP(w, r.WithContext(exchange.NewContext(r.Context(), x)))
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

// Guarantee: a response does not contain the text of an internal error, which may name
// files and hosts.
func TestInternalErrorsAreHidden(t *testing.T) {
	t.Parallel()
	api, _ := startAPI(t, func(context.Context, toksta.Actor, client.KeyRef) (client.KeyDetail, error) {
		return client.KeyDetail{}, errors.New("open /var/lib/secret: no such file")
	})
	_, err := api.Key(t.Context(), client.KeyRef{})
	if toksta.ErrorCode(err) != toksta.CodeInternal || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// Guarantee: every response of every layer has the JSON envelope.
func TestErrorsHaveEnvelope(t *testing.T) {
	t.Parallel()
	_, url := startAPI(t, nil)
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

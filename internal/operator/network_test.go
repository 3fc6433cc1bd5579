package operator

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/operatorauth"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// remote is a node whose operator keys have the names of their roles as secrets.
type remote struct{ revoked bool }

func (*remote) Valid(time.Time) bool { return true }

func (n *remote) Operator(d toksta.Digest) (toksta.OperatorGrant, bool) {
	for _, role := range toksta.Roles() {
		if d == sha256.Sum256([]byte(role)) {
			return toksta.OperatorGrant{ID: "op_" + toksta.OperatorKeyID(role), Name: "key " + string(role), Roles: []toksta.Role{role}, Revoked: n.revoked}, true
		}
	}
	return toksta.OperatorGrant{}, false
}

// access returns the access of clients at 192.0.2.7 to a node.
func (n *remote) access() Access {
	return Access{
		Used:          func(toksta.OperatorKeyID, time.Time, string) {},
		Keys:          operatorauth.New(n, n, time.Now),
		ClientAddress: func(*http.Request) (netip.Addr, error) { return netip.MustParseAddr("192.0.2.7"), nil },
	}
}

// send sends a request with a key to h, and returns the response and the exchange.
func send(h http.Handler, path, key string, body io.Reader) (*httptest.ResponseRecorder, *exchange.Exchange) {
	r := httptest.NewRequest(http.MethodPost, client.PathPrefix+path, body)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	x := exchange.New(exchange.IDs{}, "", 1, time.Now())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(exchange.NewContext(r.Context(), x)))
	return w, x
}

// Guarantee: a key may call exactly the operations of its roles, for every operation and
// every role. A rejection names the roles. The body is not even read before.
func TestEveryOperationChecksRoles(t *testing.T) {
	t.Parallel()
	h := Network(Config{}, (&remote{}).access())
	for _, o := range Operations() {
		if len(o.Roles) == 0 || !slices.Contains(o.Roles, toksta.RoleManage) {
			t.Errorf("%s: the roles are %v", o.Name, o.Roles)
		}
		for _, role := range toksta.Roles() {
			body := &counted{}
			w, x := send(h, o.Name, string(role), body)
			if x.Operator != "op_"+toksta.OperatorKeyID(role) || x.Address != netip.MustParseAddr("192.0.2.7") || x.Operation != o.Name {
				t.Errorf("%s: the log has %s, %s, %s", o.Name, x.Operator, x.Address, x.Operation)
			}
			if slices.Contains(o.Roles, role) {
				// The body of counted cannot be read, which the handler detects after the check.
				if w.Code != http.StatusBadRequest || body.reads == 0 {
					t.Errorf("%s with the role %s: %d %s", o.Name, role, w.Code, w.Body)
				}
				continue
			}
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"reason":"role_insufficient"`) || !strings.Contains(w.Body.String(), `"required_roles":["`) {
				t.Errorf("%s with the role %s: %d %s", o.Name, role, w.Code, w.Body)
			}
			if body.reads > 0 {
				t.Errorf("%s with the role %s: the body was read", o.Name, role)
			}
		}
		for _, key := range []string{"", "tk_live_unknown"} {
			body := &counted{}
			if w, _ := send(h, o.Name, key, body); w.Code != http.StatusUnauthorized && w.Code != http.StatusTooManyRequests || body.reads > 0 {
				t.Errorf("%s with the key %q: %d, %d reads", o.Name, key, w.Code, body.reads)
			}
		}
	}
}

// counted is a body that counts the attempts to read it, which fail.
type counted struct{ reads int }

func (c *counted) Read([]byte) (int, error) {
	c.reads++
	return 0, errors.New("no body")
}

// Guarantee: a key that only reads, reports or settles can neither change an account nor
// learn a secret. A key of the vendor's back end can create sessions, and only that.
func TestRolesAreNarrow(t *testing.T) {
	t.Parallel()
	for _, o := range Operations() {
		back := slices.Contains(o.Roles, toksta.RoleSessions)
		if back != (o.Name == "sessions/create" || o.Name == "whoami") {
			t.Errorf("%s is open to the role sessions: %v", o.Name, back)
		}
		secrets := []toksta.Role{toksta.RoleManage}
		if o.Name == "sessions/create" {
			secrets = []toksta.Role{toksta.RoleSessions, toksta.RoleManage}
		}
		if o.Reveals && !slices.Equal(o.Roles, secrets) {
			t.Errorf("%s reveals a secret to %v", o.Name, o.Roles)
		}
		for _, role := range o.Roles {
			if o.Changes && (role == toksta.RoleRead || role == toksta.RoleMetrics) {
				t.Errorf("%s changes something and is open to %s", o.Name, role)
			}
		}
	}
}

// Guarantee: an unknown path tells nothing to a client without a key.
func TestUnknownPathNeedsKey(t *testing.T) {
	t.Parallel()
	h := Network(Config{}, (&remote{}).access())
	for key, want := range map[string]int{"": http.StatusUnauthorized, "unknown": http.StatusUnauthorized, "metrics": http.StatusNotFound} {
		if w, _ := send(h, "keys/explode", key, nil); w.Code != want {
			t.Errorf("key %q: got %d, want %d", key, w.Code, want)
		}
	}
}

// Guarantee: the author of a change over the network is the key, whatever name the request
// states.
func TestActorIsTheKey(t *testing.T) {
	t.Parallel()
	var by toksta.Actor
	s := server{identify: (&remote{}).access().identify}
	h := define(s, Operation{Name: "keys/show"}, func(_ context.Context, actor toksta.Actor, _ client.KeyRef) (client.KeyDetail, error) {
		by = actor
		return client.KeyDetail{}, nil
	}).handler
	named := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(client.HeaderOperator, "olga")
		h(w, r)
	})
	if w, _ := send(named, "keys/show", "manage", strings.NewReader("{}")); w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	want := toksta.Actor{Kind: toksta.ActorOperator, ID: "op_manage", Name: "key manage", Address: "192.0.2.7", Agent: "operator API"}
	if by != want {
		t.Errorf("acted as %+v, want %+v", by, want)
	}
}

// Guarantee: a request whose key is revoked while its body arrives has no effect.
func TestRevokedWhileBodyArrives(t *testing.T) {
	t.Parallel()
	n := &remote{}
	s := server{identify: n.access().identify}
	called := false
	h := define(s, Operation{Name: "keys/show"}, func(context.Context, toksta.Actor, client.KeyRef) (client.KeyDetail, error) {
		called = true
		return client.KeyDetail{}, nil
	}).handler
	body := io.MultiReader(strings.NewReader("{"), revoking{n}, strings.NewReader("}"))
	if w, x := send(h, "keys/show", "manage", body); w.Code != http.StatusUnauthorized || x.Reason != toksta.ReasonKeyRevoked || called {
		t.Errorf("got %d, reason %s, called %v", w.Code, x.Reason, called)
	}
}

// revoking is a part of a body without bytes, which revokes the keys of a node when it is
// read.
type revoking struct{ node *remote }

func (r revoking) Read([]byte) (int, error) {
	r.node.revoked = true
	return 0, io.EOF
}

// Guarantee: guesses get 429 with the rest of the window in Retry-After.
func TestGuessesGetRetryAfter(t *testing.T) {
	t.Parallel()
	h := Network(Config{}, (&remote{}).access())
	for range 20 {
		if w, _ := send(h, "health", "guess", nil); w.Code == http.StatusTooManyRequests {
			if after := w.Header().Get("Retry-After"); after == "" || after == "1" {
				t.Errorf("Retry-After is %q", after)
			}
			return
		}
	}
	t.Error("guesses are not throttled")
}

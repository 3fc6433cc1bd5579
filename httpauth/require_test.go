package httpauth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta"
)

// gate admits "good" with a hold of 2 credits and notes what is settled.
type gate struct {
	calls   []toksta.Call
	settled []int64
}

func (g *gate) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	g.calls = append(g.calls, c)
	good, _ := Credential([]string{"Bearer good"})
	if c.Digest != good {
		return toksta.Decision{Refusal: toksta.Refusal{Code: toksta.CodeForbidden, Reason: toksta.ReasonScopeInsufficient}, Route: c.Route}
	}
	return toksta.Decision{Route: c.Route, Hold: 2, Principal: toksta.Principal{AccountID: "acct_1"}}
}

func (g *gate) Settle(_ *toksta.Decision, _ toksta.Call, credits int64) toksta.Charge {
	g.settled = append(g.settled, credits)
	return toksta.Charge{Credits: credits}
}

// A vendor's own handler behind Require runs for admitted calls only, knows
// who calls, and its calls are settled like the gateway's.
func TestRequire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key     string
		handler http.HandlerFunc
		status  int
		settled []int64
	}{
		"admitted": {"good", func(w http.ResponseWriter, r *http.Request) {
			who, ok := FromContext(r.Context())
			_, _ = fmt.Fprint(w, who.AccountID, ok)
		}, 200, []int64{2}},
		"silent":  {"good", func(http.ResponseWriter, *http.Request) {}, 200, []int64{2}},
		"failed":  {"good", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, []int64{0}},
		"flushed": {"good", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, 200, []int64{2}},
		"copied":  {"good", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("x")) }, 200, []int64{2}},
		"measured": {"good", func(w http.ResponseWriter, r *http.Request) {
			cost := int64(5)
			PassageFrom(r.Context()).Cost = &cost
			w.WriteHeader(201)
			w.WriteHeader(500)
		}, 201, []int64{5}},
		"refused": {"bad", func(http.ResponseWriter, *http.Request) { t.Error("a refused call was handled") }, 403, nil},
		"missing": {"", func(http.ResponseWriter, *http.Request) { t.Error("a call without a key was handled") }, 401, nil},
		"unknown": {"good", nil, 404, nil},
	} {
		g := &gate{}
		resolve := func(*http.Request) (*toksta.Route, error) {
			if c.handler == nil {
				return nil, toksta.NotFound("endpoint")
			}
			return &toksta.Route{Operation: "op", Family: "data"}, nil
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "[::ffff:9.9.9.9]:1"
		if c.key != "" {
			r.Header.Set("Authorization", "Bearer "+c.key)
		}
		w := httptest.NewRecorder()
		Require(g, resolve)(c.handler).ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if diff := cmp.Diff(c.settled, g.settled); diff != "" {
			t.Errorf("%s: settled (-want +got)\n%s", name, diff)
		}
		if name == "admitted" && (w.Body.String() != "acct_1true" || g.calls[0].Addr.String() != "9.9.9.9" || w.Header().Get("X-Toksta-Credit-Cost") != "2") {
			t.Errorf("%s %v %v", w.Body, g.calls, w.Header())
		}
		if name == "refused" && !strings.Contains(w.Body.String(), `"required_family":"data"`) {
			t.Errorf("%s", w.Body)
		}
	}
}

// A handler that panics costs the account nothing.
func TestRequirePanic(t *testing.T) {
	t.Parallel()
	g := &gate{}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer good")
	h := Require(g, func(*http.Request) (*toksta.Route, error) { return &toksta.Route{}, nil })
	func() {
		defer func() { _ = recover() }()
		h(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })).ServeHTTP(httptest.NewRecorder(), r)
	}()
	if diff := cmp.Diff([]int64{0}, g.settled); diff != "" {
		t.Error(diff)
	}
}

// Outside Require nobody is admitted.
func TestFromContextEmpty(t *testing.T) {
	t.Parallel()
	if who, ok := FromContext(t.Context()); ok || who.AccountID != "" {
		t.Errorf("%v", who)
	}
}

package doors

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/toksta"
)

// suite sends the cases to one door.
type suite struct {
	world    *World
	door     string
	discards bool // see Door
	address  string
	keys     keyring

	admitted map[string]int64 // calls that the back end received, by the name of their key
	rejected map[string]map[toksta.Reason]int64
}

// runCases runs all cases in their order.
func (s *suite) runCases(t *testing.T) {
	s.admitted, s.rejected = map[string]int64{}, map[string]map[toksta.Reason]int64{}
	for _, c := range cases() {
		d := deviations[s.door][c.Name]
		if d.Want != nil {
			c.Want, c.own = *d.Want, d.Own
		}
		t.Run(c.Name, func(t *testing.T) {
			if d.Skip {
				t.Skip(d.Why)
			}
			s.run(t, &c)
		})
	}
}

// run sends the request of a case and checks the response.
func (s *suite) run(t *testing.T, c *Case) {
	t.Helper()
	if c.Want.Status == 0 {
		c.Want.Status = http.StatusOK
	}
	got := s.send(t, c)
	for range 5 {
		if !c.Again || got.Status == c.Want.Status {
			break
		}
		got = s.send(t, c)
	}
	if got.Status != c.Want.Status {
		t.Fatalf("%d, want %d\n%v\n%.1000s", got.Status, c.Want.Status, got.Header, got.Body)
	}
	if strings.Contains(string(got.Body), s.keys["live"].Secret) && c.Want.Code != "" {
		t.Error("the response contains the key")
	}
	switch {
	case c.own:
	case c.Want.Code != "":
		s.checkRejected(t, c, got)
	default:
		s.checkAdmitted(t, c, got)
	}
}

// send sends the request of c over a connection of its own and counts its outcome.
func (s *suite) send(t *testing.T, c *Case) apptest.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, s.request(c)); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(c.Call, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%d, read the body: %v", res.StatusCode, err)
	}
	got := apptest.Response{Status: res.StatusCode, Header: res.Header, Body: body}
	s.count(c, got)
	return got
}

// request returns the bytes of the request of c.
func (s *suite) request(c *Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s HTTP/1.1\r\nHost: api.test\r\nUser-Agent: doors\r\n", c.Call)
	if c.Key != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", s.keys[c.Key].Secret)
	}
	for _, line := range c.Lines {
		b.WriteString(line + "\r\n")
	}
	if c.Body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(c.Body))
	}
	return strings.ReplaceAll(b.String(), "{live}", s.keys["live"].Secret) + "\r\n" + c.Body
}

// count adds the outcome of a call to those of its key.
func (s *suite) count(c *Case, got apptest.Response) {
	key := c.Key
	if key == "" {
		key = "live" // in the lines of some cases
	}
	switch {
	case s.admitted == nil || c.Want.Public:
	case got.Status == http.StatusOK:
		s.admitted[key]++
	case c.Want.Reason != "" && c.Want.Status == got.Status:
		if s.rejected[key] == nil {
			s.rejected[key] = map[toksta.Reason]int64{}
		}
		s.rejected[key][c.Want.Reason]++
	}
}

// checkRejected fails t unless the response is the whole one of Toksta.
func (s *suite) checkRejected(t *testing.T, c *Case, got apptest.Response) {
	t.Helper()
	h := got.Header
	if challenge, allow := h.Get("Www-Authenticate"), h.Get("Allow"); challenge != c.Want.Challenge || allow != c.Want.Allow {
		t.Errorf("challenge %q, allow %q; want %q, %q", challenge, allow, c.Want.Challenge, c.Want.Allow)
	}
	// A program that got no decision makes the 503 by itself.
	own := c.Want.Status == http.StatusServiceUnavailable
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || !own && h.Get("X-Toksta-Source") != "gateway" || h.Get(fieldBackEnd) != "" {
		t.Errorf("header %v", h)
	}
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); (c.Want.Status == 429 || c.Want.Status == 503) && (err != nil || seconds < 1 || seconds > 60) {
		t.Errorf("Retry-After: %q", h.Get("Retry-After"))
	}
	if c.Want.Status == 429 && (h.Get("X-Ratelimit-Limit") != "1" || h.Get("X-Ratelimit-Remaining") != "0") {
		t.Errorf("rate fields of %v", h)
	}
	if !own {
		s.checkID(t, c, h.Get("X-Request-Id"))
	}
	if strings.HasPrefix(c.Call, "HEAD ") {
		return
	}
	e := got.Error(t)
	if e.Success || e.Error.Code != c.Want.Code || e.Error.Message == "" || e.Meta.RequestID != h.Get("X-Request-Id") || e.Meta.TraceID != h.Get("X-Trace-Id") {
		t.Errorf("%s, want the code %s and the ids of %v", got.Body, c.Want.Code, h)
	}
	reason, _ := e.Error.Details["reason"].(string)
	if reason != string(c.Want.Reason) {
		t.Errorf("reason %q, want %q", reason, c.Want.Reason)
	}
	for name, value := range c.Want.Details {
		if e.Error.Details[name] != value {
			t.Errorf("details %v, want %s %v", e.Error.Details, name, value)
		}
	}
}

// checkID fails t unless the id is that of the client, or a new one if the client sent none
// or an unsafe one.
func (s *suite) checkID(t *testing.T, c *Case, id string) {
	t.Helper()
	if strings.Contains(strings.Join(c.Lines, "\n"), clientID) {
		if id != clientID {
			t.Errorf("request id %q, want that of the client", id)
		}
	} else if !strings.HasPrefix(id, "req_") {
		t.Errorf("request id %q", id)
	}
}

// checkAdmitted fails t unless the back end received the request with the identity of the
// key and nothing that the client made up, and the client received the fields of the
// decision.
func (s *suite) checkAdmitted(t *testing.T, c *Case, got apptest.Response) {
	t.Helper()
	h := got.Header
	if h.Get(fieldBackEnd) != "echo" || h.Get("X-Toksta-Source") == "gateway" {
		t.Errorf("header %v, want the back end's", h)
	}
	if !s.discards {
		s.checkFields(t, c, h)
	}
	method, target, _ := strings.Cut(c.Call, " ")
	if method == http.MethodHead {
		return
	}
	var e echo
	if err := json.Unmarshal(got.Body, &e); err != nil {
		t.Fatalf("%v: %.1000s", err, got.Body)
	}
	if e.Method != method || e.Target != target || e.Body != c.Body {
		t.Errorf("the back end received %s %s %q", e.Method, e.Target, e.Body)
	}
	if id := e.Header["x-request-id"]; id != h.Get("X-Request-Id") && !s.discards || e.Header["authorization"] != "" {
		t.Errorf("the back end received the id %q and the authorization %q", id, e.Header["authorization"])
	}
	if upgrade, settings := e.Header["upgrade"], e.Header["http2-settings"]; upgrade != "" && !strings.EqualFold(upgrade, "websocket") || settings != "" {
		t.Errorf("the back end received the upgrade %q with the settings %q", upgrade, settings)
	}
	s.checkID(t, c, e.Header["x-request-id"])
	s.checkIdentity(t, c, e.Header)
}

// checkFields checks the fields of the decision in the response to an admitted call.
func (s *suite) checkFields(t *testing.T, c *Case, h http.Header) {
	t.Helper()
	if cost := h.Get("X-Toksta-Credit-Cost"); cost != c.Want.Cost {
		t.Errorf("a cost of %q, want %q", cost, c.Want.Cost)
	}
	limit, _ := strconv.Atoi(h.Get("X-Ratelimit-Limit"))
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	reset, _ := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if known := limit > 0 && err == nil && remaining < limit && reset > time.Now().Unix()-2; known == c.Want.Public || c.Want.Public && limit+remaining+int(reset) > 0 {
		t.Errorf("the rate fields of %v", h)
	}
	if h.Get("X-Trace-Id") == "" {
		t.Error("no X-Trace-Id")
	}
	s.checkID(t, c, h.Get("X-Request-Id"))
}

// checkIdentity compares the identity that the back end received.
func (s *suite) checkIdentity(t *testing.T, c *Case, received map[string]string) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	if !c.Want.Public {
		key := s.keys["live"]
		if c.Key != "" {
			key = s.keys[c.Key]
		}
		want["x-toksta-account-id"], want["x-toksta-key-id"] = string(key.Account), string(key.Key)
		want["x-toksta-plan"], want["x-toksta-scopes"] = string(key.Plan), key.Scopes
	}
	for name, value := range received {
		if strings.HasPrefix(strings.NewReplacer("_", "-", ".", "-").Replace(name), "x-toksta-") || strings.Contains(value, "forged") {
			got[name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the back end received (-want +got)\n%s", diff)
	}
}

// checkCounts fails t unless the usage of the accounts is the sum of the responses.
func (s *suite) checkCounts(t *testing.T) {
	t.Helper()
	for _, name := range []string{"live", "paid", "broke", "slow", "scoped", "past due"} {
		var usage struct {
			Calls   int64                   `json:"total_calls"`
			Credits int64                   `json:"total_credits_charged"`
			Refused map[toksta.Reason]int64 `json:"refused"`
		}
		apptest.Usage(t, s.world.Node.Operator(), s.keys[name].Account, &usage)
		delete(usage.Refused, toksta.ReasonKeyExpired) // of another key of the account
		want := s.rejected[name]
		if want == nil {
			want = map[toksta.Reason]int64{}
		}
		if credits := int64(map[string]int{"paid": 4}[name]); usage.Calls != s.admitted[name] || usage.Credits != credits || !cmp.Equal(usage.Refused, want) {
			t.Errorf("%s: counted %d calls, %d credits and %v; the client saw %d, %d and %v",
				name, usage.Calls, usage.Credits, usage.Refused, s.admitted[name], credits, want)
		}
	}
}

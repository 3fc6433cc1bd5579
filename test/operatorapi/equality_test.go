package operatorapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// unprovoked are the codes that no request of the test can cause, with the reason.
var unprovoked = map[string]string{
	"whoami FORBIDDEN":             "every role may call it; the code is that of a peer that uses plain HTTP from another machine",
	"whoami INTERNAL_ERROR":        "it needs no database",
	"export/status INTERNAL_ERROR": "the node of this test has no export, and reports that",
	"mail/test INTERNAL_ERROR":     "without a mail server, it is CONFLICT",
}

// emptyAllowed are members that the document requires of a request, and that the server reads as
// 0 or "" if they are missing.
var emptyAllowed = map[string]string{
	"accounts/set-external-id external_id": "the empty id removes the external id",
	"keys/set-external-id external_id":     "the empty id removes the external id",
	"credits/settle credits":               "a job without a price",
	"credits/refund credits":               "all credits of the reservation",
}

// Guarantee: the document and the server are equal. Each operation of the server is in the
// document and the reverse. Every example request of the document succeeds. Every response has the
// status, the media type and the members that the document states, and no others. Every code
// of an error that the document states occurs, and no other does. A request without a required member, or
// with a member of another type, is rejected. Both listeners serve the document and its page without
// a credential.
func TestDocumentEqualsServer(t *testing.T) {
	t.Parallel()
	r := &runner{t: t, contract: loadContract(t), server: startServer(t), seen: map[string]map[toksta.Code]bool{}}
	var registered []string
	for _, o := range operator.Operations() {
		registered = append(registered, o.Name)
		r.seen[o.Name] = map[toksta.Code]bool{}
	}
	slices.Sort(registered)
	if described := r.contract.operations(); !slices.Equal(described, registered) {
		t.Fatalf("the document has %q\nthe server has %q", described, registered)
	}
	r.server.checkServed(t)
	called := map[string]bool{}
	for _, s := range scenario() {
		called[s.operation] = true
		r.succeed(s)
		for _, f := range s.failures {
			r.fail(s.operation, f.code, f.request)
		}
	}
	r.askBrokenNodes()
	for _, o := range operator.Operations() {
		if !called[o.Name] {
			t.Errorf("%s: the scenario has no step", o.Name)
		}
		r.rejectMalformed(o.Name)
		r.rejectMembers(o.Name)
		r.rejectUnauthorized(o)
		for _, code := range r.contract.codes(o.Name) {
			if !r.seen[o.Name][code] && unprovoked[o.Name+" "+string(code)] == "" {
				t.Errorf("%s: no request of this test causes the documented code %s", o.Name, code)
			}
		}
	}
}

// Guarantee: the document also describes the amounts of a server with another currency, and its
// usage export.
func TestAnotherCurrency(t *testing.T) {
	t.Parallel()
	r := &runner{t: t, contract: loadContract(t), server: startServer(t, func(c *config.Config) { c.Currency = "EUR" })}
	for _, s := range []step{
		{"usage", `{"account":"crm-poor"}`, nil},
		{"usage/by", `{"account":"crm-poor","by":"operation"}`, nil},
		{"accounts/set-entitlement", `{"account":"crm-poor","name":"overage_cap","value":"12.50"}`, nil},
	} {
		r.succeed(s)
	}
}

// runner sends requests and compares them, and the responses, with the document.
type runner struct {
	t        *testing.T
	contract *contract
	server   *server
	secret   string // of the operator key instead of the server's own, if it is set
	seen     map[string]map[toksta.Code]bool
}

// as calls send with another operator key.
func (r *runner) as(secret string, send func()) {
	r.secret = secret
	send()
	r.secret = ""
}

// post sends a request of an operation.
func (r *runner) post(operation, body string) apptest.Response {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.server.url+client.PathPrefix+operation, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	switch secret := r.secret; secret {
	case "":
		request.Header.Set("Authorization", "Bearer "+r.server.secret)
	case none:
	default:
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	return apptest.Do(r.t, request)
}

// none stands for a request without a credential.
const none = "none"

// succeed sends the example of an operation.
func (r *runner) succeed(s step) {
	r.t.Helper()
	body := r.server.replace(s.request)
	pointer, _ := r.contract.request(s.operation)
	if err := r.contract.validate(pointer, []byte(body)); err != nil {
		r.t.Errorf("%s: the request %s: %v", s.operation, body, err)
	}
	got := r.post(s.operation, body)
	if got.Status != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", s.operation, body, got.Status, got.Body)
	}
	r.compare(s.operation, got)
	r.server.keep(r.t, s.operation, got.Body)
}

// fail sends a request that must fail with the code.
func (r *runner) fail(operation string, code toksta.Code, body string) {
	r.t.Helper()
	if code != toksta.CodePayloadTooLarge {
		body = r.server.replace(body)
		r.checkRequest(operation, code, body)
	}
	got := r.post(operation, body)
	shown := body[:min(len(body), 300)]
	if got.Status != httpauth.Status(code) {
		r.t.Errorf("%s %s: %d %s, want %s", operation, shown, got.Status, got.Body, code)
		return
	}
	r.compare(operation, got)
	e := got.Error(r.t)
	if e.Error.Code != code {
		r.t.Errorf("%s %s: %s, want %s", operation, shown, got.Body, code)
	}
	r.seen[operation][e.Error.Code] = true
}

// checkRequest fails the test if the document permits a request that no operation can decode, or
// forbids one that only the state of the server rejects.
func (r *runner) checkRequest(operation string, code toksta.Code, body string) {
	r.t.Helper()
	pointer, _ := r.contract.request(operation)
	switch err := r.contract.validate(pointer, []byte(body)); code {
	case toksta.CodeNotFound, toksta.CodeConflict, toksta.CodeInsufficientCredits, toksta.CodeUpstreamError:
		if err != nil {
			r.t.Errorf("%s: the request %s: %v", operation, body, err)
		}
	case toksta.CodeBadRequest:
		if err == nil {
			r.t.Errorf("%s: the document permits the request %s, which is %s", operation, body, code)
		}
	}
}

// compare compares a response with the document.
func (r *runner) compare(operation string, got apptest.Response) {
	r.t.Helper()
	media, pointer, _, ok := r.contract.response(operation, got.Status)
	if !ok {
		r.t.Errorf("%s: the document has no status %d: %s", operation, got.Status, got.Body)
		return
	}
	if have := got.Header.Get("Content-Type"); have != media {
		r.t.Errorf("%s %d: the media type is %q, in the document %q", operation, got.Status, have, media)
	}
	text := got.Body
	if media != "application/json" {
		text, _ = json.Marshal(string(got.Body))
	}
	if err := r.contract.validate(pointer, text); err != nil {
		r.t.Errorf("%s: the response %d %s: %v", operation, got.Status, got.Body, err)
	}
	response, _ := r.contract.at("paths", client.PathPrefix+operation, "post", "responses", strconv.Itoa(got.Status))
	headers, _ := response["headers"].(map[string]any)
	for name := range headers {
		if got.Header.Get(name) == "" {
			r.t.Errorf("%s %d: the header field %s is missing", operation, got.Status, name)
		}
	}
}

// rejectMalformed sends bodies that no operation accepts.
func (r *runner) rejectMalformed(operation string) {
	r.t.Helper()
	r.fail(operation, toksta.CodeBadRequest, `[]`)
	r.fail(operation, invalid(operation), `{"no_such_member":1}`)
	r.fail(operation, toksta.CodePayloadTooLarge, `{}`+strings.Repeat(" ", 9<<20))
}

// invalid returns the code for a member that does not exist, or has another type. verify and
// verify/batch parse calls by themselves, with one code for each problem.
func invalid(operation string) toksta.Code {
	if operation == "verify" || operation == "verify/batch" {
		return toksta.CodeBadRequest
	}
	return toksta.CodeValidation
}

// rejectMembers sends the example of an operation once without each required member, and once with
// each member of another type.
func (r *runner) rejectMembers(operation string) {
	r.t.Helper()
	_, example := r.contract.request(operation)
	schema, _ := r.contract.at("paths", client.PathPrefix+operation, "post", "requestBody", "content", "application/json", "schema")
	required, _ := schema["required"].([]any)
	for _, name := range required {
		member := name.(string)
		if emptyAllowed[operation+" "+member] != "" {
			continue
		}
		body := r.alter(example, member, nil)
		if got := r.post(operation, r.server.replace(body)); got.Status < 400 || got.Status >= 500 {
			r.t.Errorf("%s without the required member %s: %d %s", operation, member, got.Status, got.Body)
		} else {
			r.compare(operation, got)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for member, p := range properties {
		var wrong any = map[string]int{"a": 1}
		if p, _ := p.(map[string]any); p["type"] == "object" || p["$ref"] != nil || p["type"] == nil {
			wrong = []int{1}
		}
		code := invalid(operation)
		if member == "calls" {
			code = toksta.CodeValidation
		}
		body := r.alter(example, member, wrong)
		pointer, _ := r.contract.request(operation)
		if err := r.contract.validate(pointer, []byte(body)); err == nil {
			r.t.Errorf("%s: the document permits the request %s, which is %s", operation, body, code)
		}
		r.fail(operation, code, body)
	}
}

// alter returns a JSON object with a member replaced, or without it if value is nil.
func (r *runner) alter(object json.RawMessage, member string, value any) string {
	r.t.Helper()
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		r.t.Fatal(err)
	}
	delete(members, member)
	if value != nil {
		members[member] = value
	}
	text, err := json.Marshal(members)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// rejectUnauthorized sends requests without a credential, with a key of a role that may not call
// the operation, and with more wrong keys than are permitted.
func (r *runner) rejectUnauthorized(o operator.Operation) {
	r.t.Helper()
	r.as(none, func() { r.fail(o.Name, toksta.CodeUnauthorized, "{}") })
	for role, secret := range r.server.byRole {
		if !slices.Contains(o.Roles, role) {
			r.as(secret, func() { r.fail(o.Name, toksta.CodeForbidden, "{}") })
			break
		}
	}
	r.as("tk_op_"+strings.Repeat("0", 48), func() {
		for range 20 {
			if got := r.post(o.Name, "{}"); got.Status == http.StatusTooManyRequests {
				break
			}
		}
		r.fail(o.Name, toksta.CodeRateLimited, "{}")
	})
}

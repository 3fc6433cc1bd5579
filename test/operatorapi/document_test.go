package operatorapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

var update = flag.Bool("update", false, "write docs/operator-openapi.json")

// documentFile is the document as the server serves it.
const documentFile = "docs/operator-openapi.json"

// Guarantee: the OpenAPI document of the operator API describes every operation, with the types
// and comments of the code.
func TestDocument(t *testing.T) {
	want := document(t)
	path := filepath.Join(root, documentFile)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s is out of date: go test ./test/operatorapi -run 'TestDocument$' -update (-want +got)\n%s", documentFile, diff)
	}
}

const introduction = `The API by which a vendor manages accounts and keys, and decides calls.

Every operation is ` + "`POST /operator/v1/<operation>`" + ` with a JSON object as request. Its response is an
envelope: ` + "`data`" + ` if ` + "`success`" + ` is true, otherwise ` + "`error`" + ` with a code, a sentence for people and, in
` + "`error.details`" + `, the reason and a hint for the operator. Quote ` + "`meta.request_id`" + ` when you ask for help.

The response to a change is sent once no node decides a call by the previous state. Its receipt lists the nodes
that confirmed the change.

On the listener ` + "`listen.operator`" + `, every operation needs an operator key with one of its roles. The Unix socket
needs no credential: opening the socket is the authorization. There, ` + "`X-Toksta-Operator`" + ` names the operator for the
audit trail.

A field ` + "`account`" + ` takes the id or the external id of an account, a field ` + "`key`" + ` that of a key, and a field
` + "`member`" + ` the id or the e-mail address of a member. A request with an unknown field, a repeated name or text that
is not UTF-8 is rejected. Any other method than POST is rejected with ` + "`METHOD_NOT_ALLOWED`" + ` and 405, and an unknown
operation with ` + "`NOT_FOUND`" + ` and 404.

This document and ` + "`GET /operator/v1/docs`" + ` need no credential: they are the same for every installation of a version.`

// document returns the document, generated from the table of operations.
func document(t *testing.T) []byte {
	t.Helper()
	d := newDescription(t)
	paths := object{}
	for _, o := range operator.Operations() {
		paths = append(paths, member{client.PathPrefix + o.Name, object{{"post", d.operation(o)}}})
	}
	doc := object{
		{"openapi", "3.1.1"},
		{"info", object{
			{"title", "Toksta operator API"},
			{"version", "1"},
			{"description", joinLines(introduction)},
		}},
		{"servers", []object{{{"url", "/"}, {"description", "The listener of the operator API."}}}},
		{"tags", d.tags},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{{"operatorKey", object{
				{"type", "http"},
				{"scheme", "bearer"},
				{"description", "An operator key. Each alternative of an operation names one role that may call it."},
			}}}},
			{"parameters", object{{"Operator", object{
				{"name", client.HeaderOperator},
				{"in", "header"},
				{"description", "The name of the operator, for the audit trail. It has an effect on the Unix socket only: over the network, the operator key names its author."},
				{"schema", object{{"type", "string"}, {"maxLength", 100}}},
			}}}},
			{"headers", responseHeaders()},
			{"responses", sortedMembers(d.responses)},
			{"schemas", sortedMembers(d.schemas.named)},
		}},
	}
	text, err := encode(doc)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// sortedMembers returns the components in the order of their names.
func sortedMembers(named map[string]object) (out object) {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		out = append(out, member{name, named[name]})
	}
	return out
}

// joinLines joins the lines of each paragraph.
func joinLines(text string) string {
	var paragraphs []string
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// responseHeaders describes the header fields of responses.
func responseHeaders() object {
	text := object{{"type", "string"}}
	return object{
		{"RequestId", object{{"description", "The id of the request, as in `meta.request_id`."}, {"schema", text}}},
		{"RetryAfter", object{{"description", "Seconds to wait before the next attempt."}, {"schema", object{{"type", "integer"}, {"minimum", 1}}}}},
		{"WWWAuthenticate", object{{"description", "The challenge of RFC 6750."}, {"schema", text}}},
	}
}

// description collects the parts of the document.
type description struct {
	t         *testing.T
	source    *source
	schemas   *schemas
	samples   sampler
	responses map[string]object
	tags      []object
}

func newDescription(t *testing.T) *description {
	s := readSource(t)
	d := &description{t: t, source: s, schemas: newSchemas(t, s), samples: newSampler(), responses: map[string]object{}}
	d.schemas.named["Meta"] = object{
		{"type", "object"},
		{"description", "The ids of the request, to quote when asking for help."},
		{"required", []string{"request_id"}},
		{"properties", object{{"request_id", object{{"type", "string"}}}, {"trace_id", object{{"type", "string"}}}}},
	}
	d.schemas.named["ErrorDetails"] = errorDetails()
	d.schemas.of(reflect.TypeFor[toksta.Role](), false)
	return d
}

// tagNames describes the groups of operations. The group of an operation is the part of its name
// before the slash.
var tagNames = map[string]string{
	"accounts":      "Customers of the vendor, their members, plans, billing states and exceptions.",
	"audit":         "The audit trail: every change with its author.",
	"credits":       "Purchased credits, and reservations for jobs with a price that is known at their end.",
	"events":        "Events of accounts and their deliveries.",
	"export":        "The export of usage for billing.",
	"health":        "The checks of the server.",
	"invitations":   "Open invitations of people to accounts.",
	"keys":          "API keys of accounts.",
	"mail":          "The mail server.",
	"members":       "The people of accounts: roles, removal, sessions.",
	"nodes":         "The processes that admit calls.",
	"operator-keys": "The credentials of this API.",
	"sessions":      "Sessions of people whom the vendor has signed in, on the account pages.",
	"usage":         "Counted calls and charged credits.",
	"verify":        "Decisions about calls, as the gateway makes them.",
	"whoami":        "The caller of this API.",
}

// operation describes an operation, and adds its tag.
func (d *description) operation(o operator.Operation) object {
	tag, _, _ := strings.Cut(o.Name, "/")
	described := object{{"name", tag}, {"description", tagNames[tag]}}
	if tagNames[tag] == "" {
		d.t.Errorf("the group %q has no description: add it to tagNames", tag)
	}
	if !slices.ContainsFunc(d.tags, func(o object) bool { return reflect.DeepEqual(o, described) }) {
		d.tags = append(d.tags, described)
	}
	called, ok := d.source.methods[o.Name]
	if !ok {
		d.t.Errorf("no method of the client calls %s", o.Name)
	}
	request := d.schemas.of(o.Request, true)
	example, ok := requestExample(o.Name)
	if !ok {
		d.t.Errorf("%s has no example: add one to the scenario", o.Name)
	}
	body := object{{"schema", request}, {"example", example}}
	out := object{
		{"operationId", strings.ToLower(called.name[:1]) + called.name[1:]},
		{"tags", []string{tag}},
		{"summary", o.Summary},
		{"description", d.about(o, called)},
		{"security", d.security(o)},
		{"x-roles", o.Roles},
	}
	if o.Changes {
		out = out.with("x-changes", true)
	}
	if o.Reveals {
		out = out.with("x-reveals-secret", true)
	}
	return append(out, object{
		{"parameters", []object{{{"$ref", "#/components/parameters/Operator"}}}},
		{"requestBody", object{{"required", true}}.with("description", d.bodyText(o)).with("content", object{{"application/json", body}})},
		{"responses", append(object{{"200", d.success(o)}}, d.failures(o)...)},
	}...)
}

// abouts are the descriptions of operations whose client methods have comments about Go values only.
var abouts = map[string]string{
	"usage/table": "The response is a stream: if the connection ends before the response does, only a part of the table has arrived.",
}

// about returns the description of an operation: the comment of the client's method without its
// name, and the roles.
func (d *description) about(o operator.Operation, called method) string {
	text := strings.TrimPrefix(called.comment, called.name+" ")
	text = sentence(d.source.forReaders(strings.ReplaceAll(text, called.name, "The operation"), nil))
	if abouts[o.Name] != "" {
		text = abouts[o.Name]
	}
	roles := make([]string, len(o.Roles))
	for i, r := range o.Roles {
		roles[i] = "`" + string(r) + "`"
	}
	text += "\n\nRoles: " + strings.Join(roles, ", ") + "."
	if o.Reveals {
		text += " The response has a secret, which is shown only once."
	}
	return text
}

// bodyText returns the description of a request's type, "" for a request without members.
func (d *description) bodyText(o operator.Operation) string {
	return d.source.forReaders(d.source.comments[o.Request.String()], jsonNames(o.Request))
}

// security lists one alternative for each role. A role is listed as OpenAPI 3.1 permits for a
// scheme that is not OAuth.
func (d *description) security(o operator.Operation) (out []object) {
	for _, r := range o.Roles {
		out = append(out, object{{"operatorKey", []toksta.Role{r}}})
	}
	return out
}

// success describes the response with status 200.
func (d *description) success(o operator.Operation) object {
	headers := member{"headers", object{{"X-Request-Id", object{{"$ref", "#/components/headers/RequestId"}}}}}
	if o.Response == nil {
		schema := object{{"type", "string"}}
		return object{{"description", "The table as CSV, with a header."}, headers, {"content", object{{"text/csv; charset=utf-8", object{{"schema", schema}, {"example", tableExample}}}}}}
	}
	schema := object{
		{"type", "object"},
		{"required", []string{"success", "data", "meta"}},
		{"properties", object{{"success", object{{"const", true}}}, {"data", d.schemas.of(o.Response, false)}, {"meta", reference("Meta")}}},
	}
	d.samples.values["Receipt.kind"] = toksta.ChangeAccountCreated
	if kind := receiptKinds[o.Name]; kind != "" {
		d.samples.values["Receipt.kind"] = kind
	}
	example := object{{"success", true}, {"data", d.samples.of(o.Response)}, {"meta", sampleMeta}}
	return object{{"description", "The operation succeeded."}, headers, {"content", object{{"application/json", object{{"schema", schema}, {"example", example}}}}}}
}

// failures describes the responses with an error, by status.
func (d *description) failures(o operator.Operation) (out object) {
	byStatus := map[int][]toksta.Code{}
	for _, c := range codesOf(o) {
		status := httpauth.Status(c)
		byStatus[status] = append(byStatus[status], c)
	}
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		codes := byStatus[status]
		slices.Sort(codes)
		out = append(out, member{strconv.Itoa(status), object{{"$ref", "#/components/responses/" + d.failure(status, codes)}}})
	}
	return out
}

// meanings describes the codes of errors.
var meanings = map[toksta.Code]string{
	toksta.CodeBadRequest:          "The body is not one JSON object in UTF-8 of the media type application/json.",
	toksta.CodeValidation:          "A field is unknown or invalid: `details.field` names it, `details.fields` all of them.",
	toksta.CodeUnauthorized:        "No usable, known, live operator key.",
	toksta.CodeInsufficientCredits: "The balance is below the requested credits.",
	toksta.CodeForbidden:           "The operator key has none of the roles, or the plan or the billing state of the account does not permit the change.",
	toksta.CodeNotFound:            "The id does not exist.",
	toksta.CodeConflict:            "The present state does not permit the change: `details` has the reason.",
	toksta.CodePayloadTooLarge:     "The body is too large.",
	toksta.CodeRateLimited:         "Too many wrong credentials; wait as long as Retry-After says.",
	toksta.CodeInternal:            "Unexpected server error; search the log for the request id.",
	toksta.CodeUpstreamError:       "The other server, such as the mail server, rejected the message.",
	toksta.CodeUnavailable:         "The node holds no valid lease, or the database cannot be reached. After `outcome_unknown`, the change was possibly made.",
}

// failure adds the response with a status and returns its name.
func (d *description) failure(status int, codes []toksta.Code) (name string) {
	about := ""
	for _, c := range codes {
		for word := range strings.SplitSeq(string(c), "_") {
			name += word[:1] + strings.ToLower(word[1:])
		}
		if meanings[c] == "" {
			d.t.Errorf("the code %s has no description: add it to meanings", c)
		}
		about += " `" + string(c) + "`: " + meanings[c]
	}
	example := object{{"code", codes[0]}, {"message", "A sentence for people."}}
	headers := object{{"X-Request-Id", object{{"$ref", "#/components/headers/RequestId"}}}}
	switch status {
	case http.StatusUnauthorized:
		headers = headers.with("WWW-Authenticate", object{{"$ref", "#/components/headers/WWWAuthenticate"}})
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		headers = headers.with("Retry-After", object{{"$ref", "#/components/headers/RetryAfter"}})
	}
	schema := object{
		{"type", "object"},
		{"required", []string{"success", "error", "meta"}},
		{"properties", object{
			{"success", object{{"const", false}}},
			{"error", object{
				{"type", "object"},
				{"required", []string{"code", "message"}},
				{"properties", object{
					{"code", object{{"type", "string"}, {"enum", codes}}},
					{"message", object{{"type", "string"}, {"description", "A sentence for people."}}},
					{"details", reference("ErrorDetails")},
				}},
			}},
			{"meta", reference("Meta")},
		}},
	}
	d.responses[name] = object{
		{"description", strings.TrimSpace(about)},
		{"headers", headers},
		{"content", object{{"application/json", object{{"schema", schema}, {"example", object{{"success", false}, {"error", example}, {"meta", sampleMeta}}}}}}},
	}
	return name
}

// errorDetails describes the members of error.details.
func errorDetails() object {
	text, count := object{{"type", "string"}}, object{{"type", "integer"}, {"format", "int64"}}
	return object{
		{"type", "object"},
		{"description", "What the error concerns. Each member is present only for some errors."},
		{"properties", object{
			{"reason", text.with("description", "The cause within the code, in snake_case.")},
			{"hint", text.with("description", "The next step for an operator.")},
			{"field", text.with("description", "The first invalid field.")},
			{"fields", object{{"type", "object"}, {"description", "A sentence for each invalid field, if there are several."}, {"additionalProperties", text}}},
			{"allow", text.with("description", "The methods of the path, of METHOD_NOT_ALLOWED.")},
			{"account_id", text.with("description", "The account that has the external id, or that an earlier request with the same token created.")},
			{"key_id", text.with("description", "The key that has the external id, or that an earlier request with the same token created.")},
			{"operator_key_id", text.with("description", "The operator key that an earlier request with the same token created.")},
			{"required", count.with("description", "The requested credits, of INSUFFICIENT_CREDITS.")},
			{"remaining", count.with("description", "The credits left, of INSUFFICIENT_CREDITS.")},
			{"state", text.with("description", "The state of the reservation, of `reservation_closed`.")},
			{"required_roles", object{{"type", "array"}, {"description", "The roles of which the operator key needs one, of `role_insufficient`."}, {"items", reference("Role")}}},
			{"retry_after", count.with("description", "Seconds to wait, as in Retry-After.")},
			{"charged", count.with("description", "The charged credits of the reservation, of `reservation_closed`.")},
		}},
	}
}

package operatorapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/toksta/toksta/docs"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// contract is the document as the server serves it, with one difference: an object may have no
// other members than the documented ones.
type contract struct {
	t        *testing.T
	document map[string]any
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// documentURL identifies the document in references.
const documentURL = "https://toksta.example/operator-openapi.json"

func loadContract(t *testing.T) *contract {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.OperatorOpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(parsed)
	c := &contract{t: t, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	c.document, _ = parsed.(map[string]any)
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(documentURL, parsed); err != nil {
		t.Fatal(err)
	}
	return c
}

// closeObjects makes each schema with properties reject other members.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for name, inner := range v {
			if name != "example" {
				closeObjects(inner)
			}
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

// escape returns a name as a part of a JSON pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", " ", "%20").Replace(name)
}

// at returns the part of the document at the names, following a reference at its end.
func (c *contract) at(names ...string) (part map[string]any, pointer string) {
	var v any = c.document
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
		pointer += "/" + escape(name)
	}
	part, _ = v.(map[string]any)
	if to, ok := part["$ref"].(string); ok {
		return c.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
	}
	return part, pointer
}

// validate returns the difference of a JSON text from the schema at a pointer.
func (c *contract) validate(pointer string, text []byte) error {
	schema, ok := c.compiled[pointer]
	if !ok {
		var err error
		if schema, err = c.compiler.Compile(documentURL + "#" + pointer); err != nil {
			return err
		}
		c.compiled[pointer] = schema
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// operations returns the names of the described operations, sorted.
func (c *contract) operations() (names []string) {
	paths, _ := c.at("paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		names = append(names, strings.TrimPrefix(path, client.PathPrefix))
	}
	return names
}

// request returns the pointer of the schema of an operation's request, and its example.
func (c *contract) request(operation string) (pointer string, example json.RawMessage) {
	media, pointer := c.at("paths", client.PathPrefix+operation, "post", "requestBody", "content", "application/json")
	example, err := json.Marshal(media["example"])
	if err != nil {
		c.t.Fatal(err)
	}
	return pointer + "/schema", example
}

// response returns the media type of the response with a status, the pointer of its schema, and its example.
// ok is false if the document has no such response.
func (c *contract) response(operation string, status int) (media, pointer string, example any, ok bool) {
	response, at := c.at("paths", client.PathPrefix+operation, "post", "responses", strconv.Itoa(status))
	content, _ := response["content"].(map[string]any)
	for media, described := range content {
		described, _ := described.(map[string]any)
		return media, at + "/content/" + escape(media) + "/schema", described["example"], true
	}
	return "", "", nil, false
}

// statuses returns the statuses of the described responses of an operation.
func (c *contract) statuses(operation string) (out []int) {
	responses, _ := c.at("paths", client.PathPrefix+operation, "post", "responses")
	for text := range responses {
		status, err := strconv.Atoi(text)
		if err != nil {
			c.t.Errorf("%s: status %q", operation, text)
		}
		out = append(out, status)
	}
	slices.Sort(out)
	return out
}

// codes returns the codes of errors that the document has for an operation.
func (c *contract) codes(operation string) (codes []toksta.Code) {
	for _, status := range c.statuses(operation) {
		if status == 200 {
			continue
		}
		response, _ := c.at("paths", client.PathPrefix+operation, "post", "responses", strconv.Itoa(status))
		var described struct {
			Content map[string]struct {
				Schema struct {
					Properties struct {
						Error struct {
							Properties struct {
								Code struct{ Enum []toksta.Code }
							}
						}
					}
				}
			}
		}
		text, err := json.Marshal(response)
		if err != nil {
			c.t.Fatal(err)
		}
		if err := json.Unmarshal(text, &described); err != nil {
			c.t.Fatal(err)
		}
		for _, code := range described.Content["application/json"].Schema.Properties.Error.Properties.Code.Enum {
			if httpauth.Status(code) != status {
				c.t.Errorf("%s: the code %s has not the status %d", operation, code, status)
			}
			codes = append(codes, code)
		}
	}
	return codes
}

// Guarantee: each example of the document is valid by the schema beside it.
func TestExamples(t *testing.T) {
	t.Parallel()
	c := loadContract(t)
	for _, operation := range c.operations() {
		pointer, example := c.request(operation)
		if err := c.validate(pointer, example); err != nil {
			t.Errorf("the request of %s: %v", operation, err)
		}
		for _, status := range c.statuses(operation) {
			_, pointer, example, _ := c.response(operation, status)
			text, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.validate(pointer, text); err != nil {
				t.Errorf("the response %d of %s: %v", status, operation, err)
			}
		}
	}
}

// goName matches words that only readers of the Go code know.
var goName = regexp.MustCompile(`\b(nil|omitempty|\w+\.[A-Z]\w+|Max[A-Z]\w+)\b`)

// Guarantee: the document is one of OpenAPI 3.1, each of its schemas is one of JSON Schema
// 2020-12, and no description names a Go value.
func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/openapi-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	meta, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("testdata/openapi-3.1.json", meta); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("testdata/openapi-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.OperatorOpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
	c := loadContract(t)
	named, _ := c.at("components", "schemas")
	for name := range named {
		if _, err := c.compiler.Compile(documentURL + "#/components/schemas/" + name); err != nil {
			t.Errorf("the schema %s: %v", name, err)
		}
	}
	for line := range strings.Lines(docs.OperatorOpenAPI) {
		if found := goName.FindString(line); found != "" && strings.Contains(line, `"description"`) {
			t.Errorf("%q in %s", found, line)
		}
	}
}

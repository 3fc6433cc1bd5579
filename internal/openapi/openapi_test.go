package openapi

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The values of a document are those that its authors wrote, with every local
// reference, server variable and shared parameter resolved.
func TestParse(t *testing.T) {
	doc := parseFile(t, "testdata/weather.yaml")
	if len(doc.Operations) != 2 {
		t.Fatalf("%d operations", len(doc.Operations))
	}
	get, post := doc.Operations[0], doc.Operations[1]
	want := []any{
		"Weather API", "2.4",
		[]Server{{URL: "https://eu.api.example.com/weather/"}},
		[]Tag{{"forecast", "The next days"}, {"station", ""}},
		"GET /forecast/{city}", "/weather", "getForecast", 15,
		[]string{"path city required Oslo", "query units metric", "query days"},
		[]string{"at least 1", "at most 14"},
		Security{Schemes: []Scheme{{Name: "bearer", Type: "http", Scheme: "bearer"}}},
		"POST /stations", "/v2",
		Security{Public: true},
		true,
	}
	got := []any{
		doc.Title, doc.APIVersion, doc.Servers, doc.Tags,
		get.Method + " " + get.Path, get.Base, get.ID, get.Line,
		parameterLines(get.Parameters), get.Parameters[2].Value.Limits, get.Security,
		post.Method + " " + post.Path, post.Base, post.Security, post.Body.Required,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(doc.Problems) != 1 || !strings.Contains(doc.Problems[0].Message, "webhooks") {
		t.Errorf("problems: %v", doc.Problems)
	}
}

// A page can show every field of a body, and an example of it: the document's own
// ones, or one from the schema without the fields of the other direction.
func TestBodies(t *testing.T) {
	doc := parseFile(t, "testdata/weather.yaml")
	forecast := doc.Operations[0].Responses[0].Content[0]
	want := `object
id string uuid read-only
nearby array of object
days! array of object
  high number or null: Highest temperature
  wind object or string: At noon
    (1 of 2: Speed) object
      speed number
    (2 of 2: string) string
`
	if diff := cmp.Diff(want, forecast.Value.Type+"\n"+fieldLines(forecast.Fields)); diff != "" {
		t.Error(diff)
	}
	if !forecast.More {
		t.Error("the recursive schema is not marked as incomplete")
	}
	station := doc.Operations[1].Body.Content
	examples := []string{forecast.Examples[0].Value, doc.Operations[0].Responses[1].Content[0].Examples[0].Value, station[0].Examples[0].Value, station[1].Examples[0].Value}
	wants := []string{
		`"speed": 4.5`, "{\n  \"error\": \"not_found\"\n}", "{\n  \"name\": \"Blindern\",\n  \"height\": 94\n}", "name=string&opened=2026-01-31",
	}
	for i, text := range examples {
		if !strings.Contains(text, wants[i]) {
			t.Errorf("example %d lacks %s: %s", i, wants[i], text)
		}
	}
	if !forecast.Examples[0].Generated || station[0].Examples[0].Generated || station[0].Examples[0].Summary != "In Oslo" {
		t.Error("the origin of an example is wrong")
	}
}

// JSON and YAML of one document give the same values, also with the tabs and
// surrogate pairs that YAML does not accept.
func TestJSON(t *testing.T) {
	json := "\ufeff{\n\t\"openapi\": \"3.0.3\",\n\t\"info\": {\"title\": \"\\ud83d\\ude00 \\/\", \"version\": \"1\"},\n\t\"paths\": {\"/a\": {\n\t\t\"get\": {\"operationId\": \"a\", \"responses\": {}}}}}"
	yaml := "openapi: 3.0.3\ninfo: {title: \"😀 /\", version: '1'}\n\npaths: {/a: {\n get: {operationId: a, responses: {}}}}"
	a, err1 := Parse([]byte(json))
	b, err2 := Parse([]byte(yaml))
	if diff := cmp.Diff(a, b); err1 != nil || err2 != nil || diff != "" {
		t.Error(err1, err2, diff)
	}
}

// A text that is no OpenAPI 3 document, or one made to exhaust the reader, is an
// error that says why.
func TestRejected(t *testing.T) {
	head := "openapi: 3.1.0\ninfo: {title: x}\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "empty"},
		"comment":        {"# nothing\n", "is empty"},
		"other YAML":     {"routes: []\n", "no field openapi"},
		"list":           {"- a\n", "no field openapi"},
		"Swagger":        {"swagger: '2.0'\n", "Swagger 2.0; convert it"},
		"future":         {"openapi: 4.0.0\n", `"4.0.0"`},
		"bad YAML":       {"openapi: 3.1.0\n\tpaths: {}\n", "line 2"},
		"bad JSON":       {"{\"openapi\": \"3.1.0\",\n oops}", "line 2"},
		"cut JSON":       {`{"openapi": "3.1.0"`, "line 1: unexpected end"},
		"text after":     {`{"openapi": "3.1.0"} x`, "not JSON"},
		"deep JSON":      {`{"a":` + strings.Repeat("[", 100_000), "nested values"},
		"deep YAML flow": {head + "x: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested values"},
		"wide YAML":      {head + "x: [" + strings.Repeat("a,", maxNodes/2+1) + "]", "values"},
		"wide JSON":      {`{"a":[` + strings.Repeat("1,", maxNodes) + "1]}", "values"},
		"huge":           {strings.Repeat(" ", MaxSize+1), "the limit is"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// A flaw in one part costs this part only, and is reported with its line.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"another document": {"{get: {parameters: [{$ref: 'https://example.com/x.yaml#/P'}]}}", "4: The reference \"https://example.com/x.yaml#/P\" leads to another document, which is not read"},
		"a file":           {"{get: {requestBody: {$ref: ../../etc/passwd}}}", "leads to another document"},
		"missing":          {"{get: {responses: {'200': {$ref: '#/components/responses/No'}}}}", "leads nowhere"},
		"anchor":           {"{get: {responses: {'200': {$ref: '#name'}}}}", "leads nowhere"},
		"circle":           {"{get: {parameters: [{$ref: '#/paths/~1a/get/parameters/0'}]}}", "circle"},
		"unknown scheme":   {"{get: {security: [{nope: []}]}}", `"nope" is not defined`},
	} {
		doc, err := Parse([]byte("openapi: 3.1.0\npaths:\n  /b: {get: {}}\n  /a: " + c.path + "\n"))
		if err != nil || len(doc.Operations) != 2 || len(doc.Problems) != 1 {
			t.Errorf("%s: %v %+v", name, err, doc)
			continue
		}
		p := doc.Problems[0]
		if got := fmt.Sprintf("%d: %s", p.Line, p.Message); !strings.Contains(got, c.want) || p.Where != "GET /a" {
			t.Errorf("%s: got %s: %s, want %s", name, p.Where, got, c.want)
		}
	}
}

// Aliases, references and alternatives that multiply a value end at a limit.
func TestBombs(t *testing.T) {
	aliases := "a0: &a0 {x: y}\n"
	for i := range 40 {
		aliases += fmt.Sprintf("a%d: &a%d {l: *a%d, r: *a%d}\n", i+1, i+1, i, i)
	}
	schemas := "components: {schemas: {S0: {type: string}"
	for i := range 40 {
		schemas += fmt.Sprintf(", S%d: {type: object, properties: {l: {$ref: '#/components/schemas/S%d'}, r: {$ref: '#/components/schemas/S%d'}}, oneOf: [{$ref: '#/components/schemas/S%d'}, {allOf: [{$ref: '#/components/schemas/S%d'}]}]}", i+1, i, i, i, i)
	}
	for name, body := range map[string]string{
		"aliases":  "{example: *a40}",
		"self":     "&self {example: *self, schema: *self}",
		"schemas":  "{schema: {$ref: '#/components/schemas/S40'}}",
		"own item": "{schema: &item {items: *item}}",
	} {
		text := "openapi: 3.1.0\n" + aliases + schemas + "}}\npaths: {/a: {post: {requestBody: {content: {application/json: " + body + "}}}}}\n"
		doc, err := Parse([]byte(text))
		if err != nil || len(doc.Operations) != 1 {
			t.Errorf("%s: %v %+v", name, err, doc)
			continue
		}
		for _, m := range doc.Operations[0].Body.Content {
			if len(m.Fields) > maxFields || len(m.Examples) > 0 && len(m.Examples[0].Value) > 2*maxExample {
				t.Errorf("%s: %d fields, examples of %d bytes", name, len(m.Fields), len(m.Examples[0].Value))
			}
			if slices.ContainsFunc(m.Fields, func(f Field) bool { return f.Depth > maxFieldDepth }) {
				t.Errorf("%s: fields deeper than %d", name, maxFieldDepth)
			}
		}
	}
}

// References to one body from many operations do not multiply its examples and
// fields beyond a budget.
func TestBudget(t *testing.T) {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\ncomponents:\n  schemas: {Big: {type: object, properties: {")
	for i := range 250 {
		fmt.Fprintf(&b, "f%d: {type: string}, ", i)
	}
	b.WriteString("}}}\n  examples: {big: {value: {text: '" + strings.Repeat("x", maxExample-100) + "'}}}\npaths:\n")
	for i := range 1300 {
		fmt.Fprintf(&b, "  /p%d: {get: {responses: {'200': {content: {application/json: {schema: {allOf: [{$ref: '#/components/schemas/Big'}]}, examples: {e: {$ref: '#/components/examples/big'}}}}}}}}\n", i)
	}
	doc, err := Parse([]byte(b.String()))
	if err != nil || len(doc.Operations) != 1300 {
		t.Fatal(err, len(doc.Operations))
	}
	fields, bytes := 0, 0
	for _, o := range doc.Operations {
		for _, m := range o.Responses[0].Content {
			fields += len(m.Fields)
			for _, e := range m.Examples {
				bytes += len(e.Value)
			}
		}
	}
	if fields != maxAllFields || bytes > maxAllExamples || bytes < maxAllExamples-maxExample {
		t.Errorf("%d fields and %d bytes of examples", fields, bytes)
	}
}

// Three documents of public APIs are read whole.
func TestPublicDocuments(t *testing.T) {
	for name, operations := range map[string]int{"box": 260, "digitalocean": 290, "github": 674} {
		doc := parseFile(t, "testdata/public/"+name+".json.gz")
		bare := 0
		for _, o := range doc.Operations {
			if o.ID == "" || len(o.Responses) == 0 {
				bare++
			}
		}
		if len(doc.Operations) != operations || bare > 1 {
			t.Errorf("%s: %d operations, %d without id or responses", name, len(doc.Operations), bare)
		}
		for _, p := range doc.Problems {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// parseFile parses a file, which can be compressed.
func parseFile(t *testing.T, name string) *Document {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// parameterLines describes parameters, one a line.
func parameterLines(parameters []Parameter) []string {
	var out []string
	for _, p := range parameters {
		line := p.In + " " + p.Name
		if p.Required {
			line += " required"
		}
		out = append(out, strings.TrimSpace(line+" "+p.Example))
	}
	return out
}

// fieldLines describes fields, one a line.
func fieldLines(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		name := f.Name
		if f.Choice != "" {
			name = "(" + f.Choice + ")"
		}
		if f.Required {
			name += "!"
		}
		line := strings.TrimRight(name+" "+f.Value.Type+" "+f.Value.Format, " ")
		if f.ReadOnly {
			line += " read-only"
		}
		if f.Description != "" {
			line += ": " + f.Description
		}
		b.WriteString(strings.Repeat("  ", f.Depth) + line + "\n")
	}
	return b.String()
}

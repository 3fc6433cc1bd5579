package docs

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/openapi"
)

// Snippet is an example of a call in one language.
type Snippet struct{ ID, Language, Text string }

// call is a call of an operation with example values.
type call struct {
	method, url, variable string // variable holds the key; "" without a key
	mediaType, body       string // "" without a body
}

// operatorVariable holds the operator key in examples of the operator API.
const operatorVariable = "TOKSTA_OPERATOR_KEY"

// snippets returns the examples of an operation.
func (c *Config) snippets(o *Operation) []Snippet {
	example := call{method: o.Method, url: cmp.Or(c.PublicURL, "https://api.example.com") + target(o.Operation)}
	if example.method == "ANY" {
		example.method = "GET"
	}
	if c.Operator {
		example.variable = operatorVariable
	} else if !o.Public {
		example.variable = cmp.Or(c.Look.EnvVar, brand.EnvVar(cmp.Or(c.Look.Product, brand.Toksta)))
	}
	if o.Body != nil && len(o.Body.Content) > 0 {
		media := o.Body.Content[0]
		example.mediaType = media.Type
		if len(media.Examples) > 0 {
			example.body = media.Examples[0].Value
		}
	}
	return []Snippet{
		{o.Anchor + "-curl", "curl", example.curl()},
		{o.Anchor + "-node", "Node", example.node()},
		{o.Anchor + "-python", "Python", example.python()},
		{o.Anchor + "-go", "Go", example.golang()},
	}
}

// target returns the path of an operation with example values, and its required query.
func target(o openapi.Operation) string {
	path, query := o.Path, url.Values{}
	for _, p := range o.Parameters {
		example := cmp.Or(p.Example, p.Value.Default)
		if example == "" && len(p.Value.Enum) > 0 {
			example = p.Value.Enum[0]
		}
		switch {
		case p.In == "path" && example != "":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(example))
		case p.In == "query" && p.Required:
			query.Set(p.Name, cmp.Or(example, p.Name))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func (c call) curl() string {
	var b strings.Builder
	b.WriteString("curl -sS ")
	if c.method != "GET" {
		b.WriteString("-X " + c.method + " ")
	}
	b.WriteString(shell(c.url))
	if c.variable != "" {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $" + c.variable + "\"")
	}
	if c.mediaType != "" {
		b.WriteString(" \\\n  -H " + shell("Content-Type: "+c.mediaType) + " \\\n  -d " + shell(c.body))
	}
	return b.String()
}

// shell quotes a word for a POSIX shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fields returns the header fields of the call, formatted by a language. value formats the key.
func (c call) fields(field func(name, value string) string, key string) []string {
	var out []string
	if c.variable != "" {
		out = append(out, field("Authorization", key))
	}
	if c.mediaType != "" {
		out = append(out, field("Content-Type", strconv.Quote(c.mediaType)))
	}
	return out
}

func (c call) node() string {
	var b strings.Builder
	b.WriteString("const response = await fetch(" + strconv.Quote(c.url) + ", {\n  method: " + strconv.Quote(c.method) + ",\n")
	fields := c.fields(func(name, value string) string { return "    " + strconv.Quote(name) + ": " + value + ",\n" }, "`Bearer ${process.env."+c.variable+"}`")
	if len(fields) > 0 {
		b.WriteString("  headers: {\n" + strings.Join(fields, "") + "  },\n")
	}
	if c.mediaType != "" {
		b.WriteString("  body: " + template(c.body) + ",\n")
	}
	b.WriteString("});\nconsole.log(response.status, await response.text());")
	return b.String()
}

// template quotes text as a template literal of JavaScript.
func template(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`", "${", "\\${").Replace(s) + "`"
}

func (c call) python() string {
	var b strings.Builder
	b.WriteString("import os\nimport requests\n\nresponse = requests.request(\n    " + strconv.Quote(c.method) + ",\n    " + strconv.Quote(c.url) + ",\n")
	if c.variable == "" {
		b.Reset()
		b.WriteString("import requests\n\nresponse = requests.request(\n    " + strconv.Quote(c.method) + ",\n    " + strconv.Quote(c.url) + ",\n")
	}
	fields := c.fields(func(name, value string) string { return "        " + strconv.Quote(name) + ": " + value + ",\n" }, `"Bearer " + os.environ["`+c.variable+`"]`)
	if len(fields) > 0 {
		b.WriteString("    headers={\n" + strings.Join(fields, "") + "    },\n")
	}
	if c.mediaType != "" {
		b.WriteString("    data=" + strconv.Quote(c.body) + ".encode(),\n")
	}
	b.WriteString(")\nprint(response.status_code, response.text)")
	return b.String()
}

func (c call) golang() string {
	body := "nil"
	if c.mediaType != "" {
		body = "strings.NewReader(" + strconv.Quote(c.body) + ")"
	}
	var b strings.Builder
	b.WriteString("request, err := http.NewRequest(" + strconv.Quote(c.method) + ", " + strconv.Quote(c.url) + ", " + body + ")\nif err != nil {\n\treturn err\n}\n")
	for _, f := range c.fields(func(name, value string) string {
		return "request.Header.Set(" + strconv.Quote(name) + ", " + value + ")\n"
	}, `"Bearer "+os.Getenv("`+c.variable+`")`) {
		b.WriteString(f)
	}
	b.WriteString("response, err := http.DefaultClient.Do(request)")
	return b.String()
}

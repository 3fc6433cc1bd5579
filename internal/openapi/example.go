package openapi

import (
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	maxExample      = 32 << 10 // of the text of an example, in bytes
	maxExamples     = 20       // of one body
	maxExampleDepth = 5        // of a generated example
	maxExampleNodes = 150      // of a generated example
)

// direction states whether a body is that of a request.
type direction bool

const (
	isRequest  direction = true
	isResponse direction = false
)

// content reads the representations of a body.
func (r *reader) content(n *yaml.Node, d direction) []Media {
	var out []Media
	for name, media := range r.pairs(n) {
		media = r.resolve(media)
		schema := r.get(media, "schema")
		fields := r.fields(schema)
		out = append(out, Media{
			Type: name.Value, Value: r.value(schema), Fields: fields.fields, More: fields.more,
			Examples: r.examples(name.Value, media, d),
		})
	}
	return out
}

// examples returns the examples of a representation, or a generated one.
func (r *reader) examples(mediaType string, media *yaml.Node, d direction) []Example {
	var out []Example
	add := func(e Example, value *yaml.Node) {
		if value == nil || len(out) >= maxExamples {
			return
		}
		if t, ok := r.exampleText(mediaType, value); ok && len(t) <= r.budget.examples {
			r.budget.examples -= len(t)
			e.Value = t
			out = append(out, e)
		}
	}
	add(Example{}, r.get(media, "example"))
	for name, n := range r.pairs(r.get(media, "examples")) {
		n = r.resolve(n)
		value := r.get(n, "value")
		if value == nil {
			value = r.get(n, "dataValue")
		}
		add(Example{Name: name.Value, Summary: text(r.get(n, "summary"))}, value)
	}
	if schema := r.get(media, "schema"); len(out) == 0 && schema != nil {
		g := generator{reader: r, direction: d}
		add(Example{Generated: true}, g.value(schema, 0))
	}
	return out
}

// exampleText returns the text of an example in a media type. It returns false if
// the type has no simple text form, or if the text is too long.
func (r *reader) exampleText(mediaType string, n *yaml.Node) (string, bool) {
	mediaType, _, _ = strings.Cut(strings.ToLower(mediaType), ";")
	mediaType = strings.TrimSpace(mediaType)
	isJSON := mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") || mediaType == "*/*"
	switch {
	case isJSON && n.Kind == yaml.ScalarNode && startsJSON(n.Value):
		return n.Value, len(n.Value) <= maxExample // JSON that was written as text
	case isJSON:
		w := jsonWriter{reader: r}
		w.write(n, 0)
		return w.String(), !w.failed
	case mediaType == "application/x-www-form-urlencoded" && n.Kind == yaml.MappingNode:
		var pairs []string
		for name, v := range r.pairs(n) {
			pairs = append(pairs, url.QueryEscape(name.Value)+"="+url.QueryEscape(strings.Join(texts(v), ",")))
		}
		out := strings.Join(pairs, "&")
		return out, out != "" && len(out) <= maxExample
	}
	out := text(n)
	return out, out != "" && len(out) <= maxExample
}

// startsJSON reports whether a text is probably a JSON object or list.
func startsJSON(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") || strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]")
}

// stated returns a value that a schema itself states, or nil.
func (r *reader) stated(n *yaml.Node) *yaml.Node {
	for _, v := range []*yaml.Node{r.get(n, "example"), first(r.get(n, "examples")), r.get(n, "default"), r.get(n, "const"), first(r.get(n, "enum"))} {
		if v != nil {
			return v
		}
	}
	return nil
}

// first returns the first element of a list, or nil.
func first(n *yaml.Node) *yaml.Node {
	if list := items(n); len(list) > 0 {
		return target(list[0])
	}
	return nil
}

// generator makes an example from a schema.
type generator struct {
	*reader
	direction
	nodes int
}

// value returns an example of a schema, or nil.
func (g *generator) value(schema *yaml.Node, depth int) *yaml.Node {
	parts := g.parts(schema)
	if g.nodes++; g.nodes > maxExampleNodes || depth > maxExampleDepth || len(parts) == 0 {
		return nil
	}
	for _, n := range parts {
		if v := g.stated(n); v != nil {
			return v
		}
	}
	kind, _, _ := strings.Cut(g.typeOf(parts, 0), " ")
	switch kind {
	case "object":
		return g.object(parts, depth)
	case "array":
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, n := range parts {
			if e := g.value(g.get(n, "items"), depth+1); e != nil {
				list.Content = append(list.Content, e)
				break
			}
		}
		return list
	}
	for _, n := range parts {
		if choices := g.choices(n); len(choices) > 1 {
			return g.value(choices[0], depth+1)
		}
	}
	return g.scalar(kind, parts)
}

// object returns an example of an object without the fields of the other
// direction.
func (g *generator) object(parts []*yaml.Node, depth int) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	seen := map[string]bool{}
	hidden := "writeOnly"
	if g.direction == isRequest {
		hidden = "readOnly"
	}
	for _, n := range parts {
		for name, p := range g.pairs(g.get(n, "properties")) {
			if g.nodes > maxExampleNodes {
				break
			}
			if seen[name.Value] || isTrue(g.get(g.resolve(p), hidden)) {
				continue
			}
			seen[name.Value] = true
			if v := g.value(p, depth+1); v != nil {
				out.Content = append(out.Content, name, v)
			}
		}
		if choices := g.choices(n); len(choices) > 1 {
			if v := g.value(choices[0], depth+1); v != nil && v.Kind == yaml.MappingNode {
				out.Content = append(out.Content, v.Content...)
			}
		}
	}
	return out
}

// scalar returns an example of a simple type.
func (g *generator) scalar(kind string, parts []*yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode}
	switch kind {
	case "integer", "number":
		out.Tag, out.Value = "!!int", "0"
		for _, n := range parts {
			if least := text(g.get(n, "minimum")); isNumber(least) {
				out.Value = least
			}
		}
	case "boolean":
		out.Tag, out.Value = "!!bool", "true"
	case "null":
		out.Tag, out.Value = "!!null", "null"
	default:
		out.Tag, out.Value = "!!str", "string"
		for _, n := range parts {
			if sample := formatSample(text(g.get(n, "format"))); sample != "" {
				out.Value = sample
			}
		}
	}
	return out
}

// formatSample returns an example of a string format, or "".
func formatSample(format string) string {
	switch format {
	case "date-time":
		return "2026-01-31T12:00:00Z"
	case "date":
		return "2026-01-31"
	case "time":
		return "12:00:00Z"
	case "uuid":
		return "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	case "email":
		return "jane@example.com"
	case "uri", "url":
		return "https://example.com"
	case "hostname":
		return "example.com"
	case "ipv4":
		return "192.0.2.1"
	case "ipv6":
		return "2001:db8::1"
	}
	return ""
}

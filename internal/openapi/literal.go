package openapi

import (
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// numberPattern matches a number in the syntax of JSON.
var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// isNumber reports whether s is a number in the syntax of JSON.
func isNumber(s string) bool { return numberPattern.MatchString(s) }

// literal returns a scalar as it is written in a request, "[]" and "{}" for an
// empty list and map, and "" for anything else.
func literal(n *yaml.Node) string {
	n = target(n)
	switch {
	case n == nil:
		return ""
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "null"
	case n.Kind == yaml.ScalarNode:
		return n.Value
	case len(n.Content) > 0:
		return ""
	case n.Kind == yaml.SequenceNode:
		return "[]"
	}
	return "{}"
}

// jsonWriter writes nodes as indented JSON. It fails above maxExample bytes and
// maxDepth levels, so that aliases cannot multiply a value.
type jsonWriter struct {
	*reader
	strings.Builder
	failed bool
}

// write writes a node at a depth.
func (w *jsonWriter) write(n *yaml.Node, depth int) {
	n = target(n)
	if w.failed = w.failed || n == nil || depth > maxDepth || w.Len() > maxExample; w.failed {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		w.WriteString("{")
		count := 0
		for name, v := range w.pairs(n) {
			w.separate(count, depth+1)
			w.WriteString(quote(name.Value) + ": ")
			w.write(v, depth+1)
			if w.failed {
				return
			}
			count++
		}
		w.end("}", count, depth)
	case yaml.SequenceNode:
		w.WriteString("[")
		for i, v := range n.Content {
			w.separate(i, depth+1)
			w.write(v, depth+1)
			if w.failed {
				return
			}
		}
		w.end("]", len(n.Content), depth)
	default:
		w.WriteString(scalarJSON(n))
	}
}

// separate starts the line of an element.
func (w *jsonWriter) separate(index, depth int) {
	if index > 0 {
		w.WriteString(",")
	}
	w.WriteString("\n" + strings.Repeat("  ", depth))
}

// end writes the closing bracket of count elements.
func (w *jsonWriter) end(bracket string, count, depth int) {
	if count > 0 {
		w.WriteString("\n" + strings.Repeat("  ", depth))
	}
	w.WriteString(bracket)
}

// scalarJSON returns a scalar in JSON. A number that JSON cannot write is quoted.
func scalarJSON(n *yaml.Node) string {
	switch n.Tag {
	case "!!null":
		return "null"
	case "!!bool":
		if n.Value == "true" || n.Value == "false" {
			return n.Value
		}
	case "!!int", "!!float":
		if isNumber(n.Value) {
			return n.Value
		}
	}
	return quote(n.Value)
}

// quote returns s as a JSON string, without the escapes for HTML.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

package openapi

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	maxFields     = 300 // of one body
	maxFieldDepth = 6   // of nested objects in the list of fields
	maxParts      = 40  // of a schema that is combined by allOf
	maxChoices    = 12  // of oneOf and anyOf
	maxEnum       = 100
)

// schemaFields are the fields of a schema.
type schemaFields struct {
	fields []Field
	more   bool
}

// parts returns the schemas that together describe a value: the schema itself,
// the members of allOf, and a single alternative beside null. All are resolved.
func (r *reader) parts(schema *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	r.collectParts(schema, &out)
	return out
}

// collectParts appends the parts of a schema to out, each once.
func (r *reader) collectParts(schema *yaml.Node, out *[]*yaml.Node) {
	n := r.resolve(schema)
	if n == nil || n.Kind != yaml.MappingNode || len(*out) >= maxParts || slices.Contains(*out, n) {
		return
	}
	*out = append(*out, n)
	for _, member := range items(r.get(n, "allOf")) {
		r.collectParts(member, out)
	}
	if choices := r.choices(n); len(choices) == 1 {
		r.collectParts(choices[0], out)
	}
}

// choices returns the alternatives of a schema other than null.
func (r *reader) choices(n *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for _, name := range []string{"oneOf", "anyOf"} {
		for _, c := range items(r.get(n, name)) {
			if c = r.resolve(c); c != nil && !r.isNull(c) && len(out) < maxChoices {
				out = append(out, c)
			}
		}
	}
	return out
}

// isNull reports whether a schema admits only null.
func (r *reader) isNull(n *yaml.Node) bool { return text(r.get(n, "type")) == "null" }

// value describes the values of a schema. It reads each schema once.
func (r *reader) value(schema *yaml.Node) Value {
	n := r.resolve(schema)
	known, ok := r.values[n]
	if !ok {
		known = r.readValue(n)
		r.values[n] = known
	}
	return known
}

// readValue describes the values of a schema.
func (r *reader) readValue(schema *yaml.Node) Value {
	parts := r.parts(schema)
	v := Value{Type: r.typeOf(parts, 0)}
	for _, n := range parts {
		if v.Format == "" {
			v.Format = text(r.get(n, "format"))
		}
		if v.Default == "" {
			v.Default = literal(r.get(n, "default"))
		}
		if v.Enum == nil {
			v.Enum = r.enum(n)
		}
		v.Limits = append(v.Limits, r.limits(n)...)
	}
	return v
}

// enum lists the values of a schema that lists them.
func (r *reader) enum(n *yaml.Node) []string {
	var out []string
	for _, e := range append([]*yaml.Node{r.get(n, "const")}, items(r.get(n, "enum"))...) {
		if t := literal(e); t != "" && len(out) < maxEnum {
			out = append(out, t)
		}
	}
	return out
}

// limits describes the limits of a schema.
func (r *reader) limits(n *yaml.Node) []string {
	var out []string
	for _, l := range []struct{ name, words string }{
		{"minimum", "at least %s"},
		{"exclusiveMinimum", "more than %s"},
		{"maximum", "at most %s"},
		{"exclusiveMaximum", "less than %s"},
		{"multipleOf", "a multiple of %s"},
		{"minLength", "at least %s characters"},
		{"maxLength", "at most %s characters"},
		{"pattern", "matches %s"},
		{"minItems", "at least %s elements"},
		{"maxItems", "at most %s elements"},
	} {
		// In OpenAPI 3.0, the exclusive limits are true or false.
		if t := text(r.get(n, l.name)); t != "" && t != "true" && t != "false" {
			out = append(out, fmt.Sprintf(l.words, t))
		}
	}
	return out
}

// typeKey identifies the type of a schema at a depth.
type typeKey struct {
	schema *yaml.Node
	depth  int
}

// typeOf describes the type of the value with the given parts. depth counts nested
// arrays and alternatives. typeOf reads each schema once at a depth: schemas that refer
// to each other would multiply the time otherwise.
func (r *reader) typeOf(parts []*yaml.Node, depth int) string {
	if len(parts) == 0 {
		return r.impliedType(parts, depth)
	}
	key := typeKey{parts[0], depth} // parts[0] determines the other parts
	known, ok := r.types[key]
	if !ok {
		known = r.readType(parts, depth)
		r.types[key] = known
	}
	return known
}

// readType describes the type of the value with the given parts.
func (r *reader) readType(parts []*yaml.Node, depth int) string {
	var names []string
	null := false
	add := func(name string) {
		if name == "null" {
			null = true
		} else if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, n := range parts {
		for _, name := range texts(r.get(n, "type")) {
			if name == "array" {
				name = r.arrayType(n, depth)
			}
			add(name)
		}
		null = null || isTrue(r.get(n, "nullable")) || r.admitsNull(n)
		if choices := r.choices(n); len(choices) > 1 && depth < 2 {
			for _, c := range choices {
				add(r.typeOf(r.parts(c), depth+1))
			}
		}
	}
	if len(names) == 0 {
		names = append(names, r.impliedType(parts, depth))
	}
	if null {
		names = append(names, "null")
	}
	return strings.Join(names, " or ")
}

// admitsNull reports whether null is an alternative of a schema.
func (r *reader) admitsNull(n *yaml.Node) bool {
	for _, name := range []string{"oneOf", "anyOf"} {
		if slices.ContainsFunc(items(r.get(n, name)), func(c *yaml.Node) bool { return r.isNull(target(c)) }) {
			return true
		}
	}
	return false
}

// impliedType returns the type of a schema that does not state it.
func (r *reader) impliedType(parts []*yaml.Node, depth int) string {
	for _, n := range parts {
		switch {
		case r.get(n, "properties") != nil, r.get(n, "additionalProperties") != nil:
			return "object"
		case r.get(n, "items") != nil:
			return r.arrayType(n, depth)
		}
		if enum := r.enum(n); len(enum) > 0 {
			return "string"
		}
	}
	return "any"
}

// arrayType describes an array and its elements.
func (r *reader) arrayType(n *yaml.Node, depth int) string {
	element := r.get(n, "items")
	if element == nil || depth > 3 {
		return "array"
	}
	name := r.typeOf(r.parts(element), depth+1)
	if strings.Contains(name, " or ") {
		name = "(" + name + ")"
	}
	if len(name) > 120 {
		return "array"
	}
	return "array of " + name
}

// fields returns the fields of a schema. It reads each schema once.
func (r *reader) fields(schema *yaml.Node) schemaFields {
	n := r.resolve(schema)
	if n == nil {
		return schemaFields{}
	}
	if known, ok := r.schemas[n]; ok {
		return known
	}
	w := fieldWalk{reader: r}
	w.walk(n, 0)
	r.schemas[n] = w.schemaFields
	return w.schemaFields
}

// fieldWalk collects the fields of one schema.
type fieldWalk struct {
	*reader
	schemaFields
	open []*yaml.Node // schemas above the current one, to detect recursion
}

// walk appends the fields of a schema at a depth.
func (w *fieldWalk) walk(schema *yaml.Node, depth int) {
	parts := w.parts(w.elements(schema))
	if len(parts) == 0 {
		return
	}
	if depth > maxFieldDepth || slices.Contains(w.open, parts[0]) {
		w.more = w.more || w.hasFields(parts)
		return
	}
	w.open = append(w.open, parts[0])
	defer func() { w.open = w.open[:len(w.open)-1] }()
	required := map[string]bool{}
	for _, n := range parts {
		for _, name := range texts(w.get(n, "required")) {
			required[name] = true
		}
	}
	seen := map[string]bool{}
	for _, n := range parts {
		for name, p := range w.pairs(w.get(n, "properties")) {
			if len(w.schemaFields.fields) >= maxFields {
				w.more = true
				break
			}
			if !seen[name.Value] {
				seen[name.Value] = true
				w.field(Field{Name: name.Value, Depth: depth, Required: required[name.Value]}, p)
			}
		}
		if extra := w.get(n, "additionalProperties"); extra != nil && extra.Kind == yaml.MappingNode && len(extra.Content) > 0 {
			w.field(Field{Name: "{name}", Depth: depth}, extra)
		}
		w.alternatives(n, depth)
	}
}

// hasFields reports whether one of the parts has properties or alternatives.
func (w *fieldWalk) hasFields(parts []*yaml.Node) bool {
	return slices.ContainsFunc(parts, func(n *yaml.Node) bool {
		return w.get(n, "properties") != nil || len(w.choices(n)) > 1
	})
}

// field appends one field and the fields below it.
func (w *fieldWalk) field(f Field, schema *yaml.Node) {
	if len(w.schemaFields.fields) >= maxFields || w.budget.fields == 0 {
		w.more = true
		return
	}
	w.budget.fields--
	f.Value = w.value(schema)
	f.Description = text(w.get(target(schema), "description")) // beside a reference, in OpenAPI 3.1
	for _, n := range w.parts(schema) {
		if f.Description == "" {
			f.Description = text(w.get(n, "description"))
		}
		f.Deprecated = f.Deprecated || isTrue(w.get(n, "deprecated"))
		f.ReadOnly = f.ReadOnly || isTrue(w.get(n, "readOnly"))
		f.WriteOnly = f.WriteOnly || isTrue(w.get(n, "writeOnly"))
	}
	w.schemaFields.fields = append(w.schemaFields.fields, f)
	w.walk(schema, f.Depth+1)
}

// alternatives appends the alternatives of a schema that have fields.
func (w *fieldWalk) alternatives(n *yaml.Node, depth int) {
	choices := w.choices(n)
	if len(choices) < 2 || !slices.ContainsFunc(choices, func(c *yaml.Node) bool { return w.hasFields(w.parts(w.elements(c))) }) {
		return
	}
	for i, c := range choices {
		title := text(w.get(c, "title"))
		if title == "" {
			title = w.typeOf(w.parts(c), 0)
		}
		w.field(Field{Choice: fmt.Sprintf("%d of %d: %s", i+1, len(choices), title), Depth: depth}, c)
	}
}

// elements returns the schema of the innermost elements of an array, or the schema
// itself.
func (r *reader) elements(schema *yaml.Node) *yaml.Node {
	for range maxHops {
		n := r.resolve(schema)
		inner := r.get(n, "items")
		if inner == nil {
			return n
		}
		schema = inner
	}
	return nil
}

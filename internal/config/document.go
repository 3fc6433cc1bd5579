package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one YAML text with its nodes, which hold line numbers.
type document struct {
	name string    // of the file, as problems show it
	data []byte    // empty without a file
	root yaml.Node // set by overlay
}

// rootMap returns the node of the top-level map, or nil if nothing was decoded.
func (d *document) rootMap() *yaml.Node {
	if d.root.Kind != yaml.DocumentNode || len(d.root.Content) == 0 {
		return nil
	}
	return d.root.Content[0]
}

// find returns the line of a path such as "plans[2].overage", or of its nearest
// ancestor in the document. It returns 0 if the first name is missing.
func (d *document) find(path string) (line int) {
	n := d.rootMap()
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if n == nil {
			break
		}
		if n = child(n, name); n != nil {
			line = n.Line
		}
	}
	return line
}

// contains reports whether the document sets the path itself.
func (d *document) contains(path string) bool {
	n := d.rootMap()
	for name := range strings.SplitSeq(path, ".") {
		if n == nil {
			return false
		}
		n = child(n, name)
	}
	return n != nil
}

// child returns the value of a name in a map, or the element at an index of a
// list, or nil if it does not exist.
func child(n *yaml.Node, name string) *yaml.Node {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	}
	return nil
}

// unknownFields reports names, at every depth, that are not settings.
func (c *checker) unknownFields(doc *document) {
	root := reflect.TypeFor[Config]()
	findUnknown(doc.rootMap(), root, func(key *yaml.Node, known []string) {
		p := Problem{File: doc.name, Line: key.Line, Field: key.Value, Message: "There is no such setting here."}
		p.Fix = "remove it; the settings here are " + strings.Join(known, ", ")
		if near := nearest(key.Value, known); near != "" {
			p.Fix = fmt.Sprintf("did you mean %q?", near)
		} else if places := sectionsWith(root, key.Value); len(places) > 0 {
			p.Fix = "did you mean " + strings.Join(places, " or ") + "?"
		}
		c.problems = append(c.problems, p)
	})
}

// sectionsWith returns the paths of the settings with a name, in all sections of t.
func sectionsWith(t reflect.Type, name string) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		section := t.Field(f.index).Type
		if section.Kind() != reflect.Struct {
			continue
		}
		for _, inner := range fieldsOf(section) {
			if inner.name == name {
				out = append(out, f.name+"."+name)
			}
		}
	}
	return out
}

// findUnknown calls report for each name that is not a setting of the type t.
// It ignores nodes whose kind does not match t, because the decoder reports
// them.
func findUnknown(n *yaml.Node, t reflect.Type, report func(key *yaml.Node, known []string)) {
	switch {
	case n.Kind == yaml.AliasNode:
		findUnknown(n.Alias, t, report)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, e := range n.Content {
			findUnknown(e, t.Elem(), report)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 1; i < len(n.Content); i += 2 {
			findUnknown(n.Content[i], t.Elem(), report)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields := fieldsOf(t)
		for i := 0; i+1 < len(n.Content); i += 2 {
			at := slices.IndexFunc(fields, func(f field) bool { return f.name == n.Content[i].Value })
			if at < 0 {
				report(n.Content[i], fieldNames(fields))
				continue
			}
			findUnknown(n.Content[i+1], t.Field(fields[at].index).Type, report)
		}
	}
}

// field is a struct field and its name in the file.
type field struct {
	name  string // of its yaml tag
	index int    // in the struct
}

// fieldsOf lists the settings of a section, in the order of the struct.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			out = append(out, field{name, i})
		}
	}
	return out
}

// fieldNames returns the fields' names in the file.
func fieldNames(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// nearest returns the candidate with the fewest edits from name, at most two,
// or "". The edits must be fewer than the bytes of name, because a name of one
// or two letters would otherwise match every short candidate.
func nearest(name string, candidates []string) string {
	best, found := 3, ""
	for _, candidate := range candidates {
		if d := editDistance(name, candidate); d < best && d < len(name) {
			best, found = d, candidate
		}
	}
	return found
}

// editDistance returns the Levenshtein distance of two texts, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one YAML text and its nodes, which know their lines.
type document struct {
	name string    // of the file, as faults say it
	data []byte    // empty: no file
	root yaml.Node // filled when it is overlaid
}

// top is the node of the whole map, nil when nothing was read.
func (d *document) top() *yaml.Node {
	if d.root.Kind != yaml.DocumentNode || len(d.root.Content) == 0 {
		return nil
	}
	return d.root.Content[0]
}

// find returns the line of a path such as "plans[2].overage", or of what is
// nearest above it; 0 means that not even the first name is there.
func (d *document) find(path string) (line int) {
	n := d.top()
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

// child returns the value of a map's key or the element of a list; nil when
// there is none.
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

// unknownFields finds names that no setting has, at every depth.
func (c *checker) unknownFields(doc *document) {
	walkUnknown(doc.top(), reflect.TypeFor[Config](), func(key *yaml.Node, known []string) {
		f := Fault{File: doc.name, Line: key.Line, Field: key.Value, Problem: "There is no such setting here."}
		f.Fix = "remove it; known here are " + strings.Join(known, ", ")
		if near := nearest(key.Value, known); near != "" {
			f.Fix = fmt.Sprintf("did you mean %q?", near)
		}
		c.faults = append(c.faults, f)
	})
}

// walkUnknown goes down nodes and types together. Where they do not match the
// decoder complains, so it is silent.
func walkUnknown(n *yaml.Node, t reflect.Type, report func(key *yaml.Node, known []string)) {
	switch {
	case n.Kind == yaml.AliasNode:
		walkUnknown(n.Alias, t, report)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, e := range n.Content {
			walkUnknown(e, t.Elem(), report)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 1; i < len(n.Content); i += 2 {
			walkUnknown(n.Content[i], t.Elem(), report)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields := fieldsOf(t)
		for i := 0; i+1 < len(n.Content); i += 2 {
			at := slices.IndexFunc(fields, func(f field) bool { return f.name == n.Content[i].Value })
			if at < 0 {
				report(n.Content[i], names(fields))
				continue
			}
			walkUnknown(n.Content[i+1], t.Field(fields[at].index).Type, report)
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

// names are the fields' names in the file.
func names(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// nearest returns the candidate at most two edits away from name, or "". A name
// as short as the edits is near to everything, so it gets no advice.
func nearest(name string, candidates []string) string {
	best, found := 3, ""
	for _, candidate := range candidates {
		if d := distance(name, candidate); d < best && d < len(name) {
			best, found = d, candidate
		}
	}
	return found
}

// distance is Levenshtein's: how many letters to insert, drop or replace. It
// keeps one row of the table.
func distance(a, b string) int {
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

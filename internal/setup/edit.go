package setup

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Change is the edited text of a configuration file.
type Change struct {
	Text     string   `json:"-"`
	Added    []Route  `json:"added"`
	Removed  []string `json:"removed"` // lines of the file
	Kept     int      `json:"kept"`    // routes that are in both
	Families []Family `json:"families"`
	Differ   []Note   `json:"differ"` // kept routes with other names than the document's

	oldFamilies []string
}

// IsEmpty reports whether the file stays the same.
func (c Change) IsEmpty() bool { return len(c.Added)+len(c.Removed)+len(c.Families) == 0 }

// Diff returns the changed lines with a leading + or -.
func (c Change) Diff() string {
	var b strings.Builder
	for _, f := range c.Families {
		b.WriteString("+ " + f.line() + "\n")
	}
	for _, line := range c.Removed {
		b.WriteString("- " + line + "\n")
	}
	for _, r := range c.Added {
		b.WriteString("+ " + r.entry() + "\n")
	}
	return b.String()
}

// Merge adds the routes and families of m to the configuration in text, and
// removes routes that m lacks unless keep is true. A route that is in both stays as
// it is in the file, with its price, limits and comments. A route of Toksta's own
// family account is never removed.
func Merge(text string, m Mapping, keep bool) (Change, error) {
	f, err := parseFile(text)
	if err != nil {
		return Change{}, err
	}
	routes, err := f.section("routes")
	if err != nil {
		return Change{}, err
	}
	families, err := f.section("families")
	if err != nil {
		return Change{}, err
	}
	var c Change
	deleted := map[int]bool{}
	found := make([]bool, len(m.Routes))
	byShape := map[string][]int{} // routes of m with a path, whatever the names of its parameters
	for i, r := range m.Routes {
		byShape[shape(r.Path)] = append(byShape[shape(r.Path)], i)
	}
	for _, e := range routes.entries {
		existing := readEntry(e.node)
		known := existing.family == "account"
		for _, i := range byShape[shape(existing.path)] {
			if r := m.Routes[i]; existing.covers(r.Method) {
				known, found[i] = true, true
				c.Differ = append(c.Differ, existing.differences(r)...)
			}
		}
		if known || keep {
			c.Kept++
			continue
		}
		for line := e.first; line <= e.last; line++ {
			deleted[line] = true
			c.Removed = append(c.Removed, strings.TrimSpace(f.lines[line-1]))
		}
	}
	var added []string
	for i, r := range m.Routes {
		if !found[i] {
			c.Added = append(c.Added, r)
			added = append(added, r.entry())
		}
	}
	var names []string
	for _, e := range families.entries {
		c.oldFamilies = append(c.oldFamilies, scalar(e.node, "name"))
	}
	for _, family := range m.Families {
		if !slices.Contains(c.oldFamilies, family.Name) {
			c.Families = append(c.Families, family)
			names = append(names, family.line())
		}
	}
	c.Text = f.apply(deleted, insertion{families, names}, insertion{routes, added})
	return c, nil
}

// entry returns the line of a route.
func (r Route) entry() string {
	out := fmt.Sprintf("- {method: %s, path: %s, operation: %s", quoteYAML(r.Method), quoteYAML(r.Path), r.Operation)
	if r.Public {
		out += ", access: public"
	} else {
		out += ", family: " + r.Family
	}
	return out + ", upstream: " + r.Upstream + "}"
}

// line returns the entry of the list families, whose description is always quoted or
// one word.
func (f Family) line() string {
	return fmt.Sprintf("- {name: %s, description: %s}", f.Name, quoteYAML(f.Description))
}

// plainPattern matches a text that needs no quotes in a flow map: words, paths and
// URLs.
var plainPattern = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*(://[A-Za-z0-9_./:-]*[A-Za-z0-9_/-])?$`)

// quoteYAML returns s as a scalar of a flow map.
func quoteYAML(s string) string {
	if plainPattern.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off"}, strings.ToLower(s)) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString("\\" + string(r))
		case r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// existing is a route of the file.
type existing struct {
	methods           []string
	path              string
	operation, family string
	line              int
}

// readEntry reads a route of the file. The check of the configuration reports a
// malformed one.
func readEntry(n *yaml.Node) existing {
	e := existing{path: scalar(n, "path"), operation: scalar(n, "operation"), family: scalar(n, "family"), line: n.Line}
	switch method := value(n, "method"); {
	case method == nil:
	case method.Kind == yaml.SequenceNode:
		for _, m := range method.Content {
			e.methods = append(e.methods, m.Value)
		}
	default:
		e.methods = []string{method.Value}
	}
	return e
}

// parametersPattern matches the parameters of a path.
var parametersPattern = regexp.MustCompile(`\{[^/]*\}`)

// shape returns a path without the names of its parameters.
func shape(path string) string { return parametersPattern.ReplaceAllString(path, "{}") }

// covers reports whether the entry serves a method.
func (e existing) covers(method string) bool {
	return slices.Contains(e.methods, method) || slices.Contains(e.methods, "*")
}

// differences describes the names of a kept entry that are not those of the
// document.
func (e existing) differences(r Route) []Note {
	var out []Note
	add := func(what, own, other string) {
		if own != "" && own != other && other != "" {
			out = append(out, Note{Where: r.Method + " " + r.Path, Message: fmt.Sprintf("The %s stays %s; in the document it is %s.", what, own, other)})
		}
	}
	if len(e.methods) == 1 && e.methods[0] != "*" {
		add("operation", e.operation, r.Operation)
	}
	add("family", e.family, r.Family)
	return out
}

// value returns the value of a name in a map, or nil.
func value(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// scalar returns the scalar of a name in a map, or "".
func scalar(n *yaml.Node, name string) string {
	if v := value(n, name); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// errNotMap means that a file is not a configuration.
var errNotMap = errors.New("the file is not a map of settings")

// Upstreams returns the names of the upstreams in the text of a configuration
// file.
func Upstreams(text string) ([]string, error) {
	f, err := parseFile(text)
	if err != nil {
		return nil, err
	}
	var out []string
	if n := value(f.root, "upstreams"); n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			out = append(out, n.Content[i].Value)
		}
	}
	return out, nil
}

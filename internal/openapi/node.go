package openapi

import (
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader holds the nodes of a document while they are read. Its methods accept
// nil for a node that does not exist.
type reader struct {
	root     *yaml.Node
	servers  []Server                             // of the document
	names    map[*yaml.Node]map[string]*yaml.Node // values of large maps, by name
	schemas  map[*yaml.Node]schemaFields          // fields of schemas that were read
	values   map[*yaml.Node]Value                 // of schemas that were read
	types    map[typeKey]string                   // of schemas that were read
	budget   budget
	problems []Problem
	where    string // operation that is being read, for problems
}

// budget is the remaining size of all bodies of a document. Without it, references could
// multiply a body.
type budget struct {
	fields   int
	examples int // bytes
}

// maxHops bounds chains of aliases and references.
const maxHops = 16

// problem records a part that is left out. A repetition is recorded once.
func (r *reader) problem(line int, message string) {
	if len(r.problems) >= maxProblems {
		return
	}
	for _, p := range r.problems {
		if p.Line == line && p.Message == message {
			return
		}
	}
	r.problems = append(r.problems, Problem{Line: line, Where: r.where, Message: message})
}

// target returns the node to which an alias leads.
func target(n *yaml.Node) *yaml.Node {
	for range maxHops {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// text returns the value of a scalar other than null, or "".
func text(n *yaml.Node) string {
	if n = target(n); n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// isTrue reports whether a scalar is true.
func isTrue(n *yaml.Node) bool { return text(n) == "true" }

// items returns the elements of a list.
func items(n *yaml.Node) []*yaml.Node {
	if n = target(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// texts returns the scalar elements of a list, or a scalar as the only one.
func texts(n *yaml.Node) []string {
	if one := text(n); one != "" {
		return []string{one}
	}
	var out []string
	for _, e := range items(n) {
		if t := text(e); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// pairs iterates over the names and values of a map, including those of merge
// keys (<<) that the map does not override.
func (r *reader) pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		seen := map[string]bool{}
		r.eachPair(n, 0, func(name, value *yaml.Node) bool {
			if seen[name.Value] {
				return true
			}
			seen[name.Value] = true
			return yield(name, target(value))
		})
	}
}

// eachPair calls yield for each pair of a map and then of its merge keys, until
// yield returns false.
func (r *reader) eachPair(n *yaml.Node, hops int, yield func(name, value *yaml.Node) bool) bool {
	if n = target(n); n == nil || n.Kind != yaml.MappingNode || hops > 4 {
		return true
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := target(n.Content[i]), n.Content[i+1]
		switch {
		case name == nil || name.Kind != yaml.ScalarNode:
		case name.Tag == "!!merge":
			if value = target(value); value != nil && value.Kind == yaml.SequenceNode {
				merged = append(merged, value.Content...)
			} else {
				merged = append(merged, value)
			}
		case !yield(name, value):
			return false
		}
	}
	for _, m := range merged {
		if !r.eachPair(m, hops+1, yield) {
			return false
		}
	}
	return true
}

// indexAbove is the number of names above which get builds an index of a map.
const indexAbove = 24

// get returns the value of a name in a map, or nil.
func (r *reader) get(n *yaml.Node, name string) *yaml.Node {
	if n = target(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	if index := r.names[n]; index != nil {
		return index[name]
	}
	if len(n.Content) > 2*indexAbove {
		index := make(map[string]*yaml.Node, len(n.Content)/2)
		for k, v := range r.pairs(n) {
			index[k.Value] = v
		}
		r.names[n] = index
		return index[name]
	}
	for k, v := range r.pairs(n) {
		if k.Value == name {
			return v
		}
	}
	return nil
}

// resolve follows the references of a node within the document. If one leads
// nowhere, it records a problem and returns nil.
func (r *reader) resolve(n *yaml.Node) *yaml.Node {
	n = target(n)
	for range maxHops {
		ref := r.get(n, "$ref")
		if ref == nil || ref.Kind != yaml.ScalarNode {
			return n
		}
		pointer, local := strings.CutPrefix(ref.Value, "#")
		if !local {
			r.problem(ref.Line, fmt.Sprintf("The reference %q leads to another document, which is not read; bundle the documents into one.", ref.Value))
			return nil
		}
		if n = r.find(pointer); n == nil {
			r.problem(ref.Line, fmt.Sprintf("The reference %q leads nowhere in this document.", ref.Value))
			return nil
		}
	}
	if n != nil {
		r.problem(n.Line, "The references from this line lead in a circle.")
	}
	return nil
}

// find returns the node at a JSON pointer (RFC 6901) in a URI fragment, or nil.
func (r *reader) find(pointer string) *yaml.Node {
	n := r.root
	if pointer == "" {
		return n
	}
	if pointer[0] != '/' {
		return nil // the name of an anchor
	}
	for name := range strings.SplitSeq(pointer[1:], "/") {
		if decoded, err := url.PathUnescape(name); err == nil {
			name = decoded
		}
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		if list := items(n); list != nil {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(list) {
				return nil
			}
			n = target(list[i])
			continue
		}
		n = r.get(n, name)
	}
	return n
}

package docs

import (
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Group is a group of operations: an endpoint family, or those without a key.
type Group struct {
	ID, Name, Description string
	Operations            []Operation
}

// Operation is an operation on the page: a route, described by the operation of the document if
// there is one.
type Operation struct {
	openapi.Operation
	Anchor   string // unique on the page
	Public   bool
	Note     string // the price in words; "" in the operator API
	Snippets []Snippet
	search   string // in lower case
}

// contains reports whether the operation contains every word, which is in lower case.
func (o *Operation) contains(words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(o.search, word) })
}

// groups returns the operations by family, in the order of the configuration. An operation of the
// document that no route serves is left out: calling it would be a 404.
func (c *Config) groups() ([]Group, error) {
	table, err := route.New(slices.Clone(c.Routes))
	if err != nil {
		return nil, err
	}
	described := map[string][]openapi.Operation{} // by the method and pattern of the route
	if c.Document != nil {
		for _, o := range c.Document.Operations {
			o.Path = o.Base + o.Path
			if r, err := table.Match(o.Method, samplePath(o.Path)); err == nil {
				described[r.Method+" "+r.Pattern] = append(described[r.Method+" "+r.Pattern], o)
			}
		}
	}
	var out []Group
	for _, f := range c.Families {
		out = append(out, Group{ID: "family-" + string(f.Name), Name: string(f.Name), Description: f.Description})
	}
	out = append(out, Group{ID: "public", Name: "public", Description: "Endpoints without a key."})
	anchors := map[string]bool{}
	for _, r := range c.Routes {
		at := len(out) - 1
		if !r.Public {
			at = slices.IndexFunc(out, func(g Group) bool { return g.Name == string(r.Family) })
		}
		if at < 0 {
			continue
		}
		operations := described[r.Method+" "+r.Pattern]
		if len(operations) == 0 {
			operations = []openapi.Operation{fromRoute(r)}
		}
		for _, o := range operations {
			out[at].Operations = append(out[at].Operations, c.operation(o, r, anchors))
		}
	}
	return slices.DeleteFunc(out, func(g Group) bool { return len(g.Operations) == 0 }), nil
}

// operation returns an operation of a route for the page.
func (c *Config) operation(o openapi.Operation, r toksta.Route, anchors map[string]bool) Operation {
	if o.ID == "" {
		o.ID = r.Operation
	}
	out := Operation{Operation: o, Public: r.Public, Note: c.note(r)}
	for out.Anchor = "op-" + anchorOf(o.ID); anchors[out.Anchor]; {
		out.Anchor += "-"
	}
	anchors[out.Anchor] = true
	out.Snippets = c.snippets(&out)
	out.search = strings.ToLower(strings.Join([]string{o.Method, o.Path, o.ID, o.Summary, o.Description, string(r.Family)}, " "))
	for _, p := range o.Parameters {
		out.search += " " + strings.ToLower(p.Name)
	}
	return out
}

// note returns the price of a call in words.
func (c *Config) note(r toksta.Route) string {
	switch {
	case c.Operator:
		return ""
	case r.Public:
		return "No key is needed."
	case r.Credits > 0:
		return view.Count(r.Credits, "credit") + " a call."
	}
	return "No credits are charged."
}

// anchorOf returns an id with letters, digits, "-" and "_".
func anchorOf(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, id)
}

// fromRoute describes a route without a document: its path parameters.
func fromRoute(r toksta.Route) openapi.Operation {
	o := openapi.Operation{Method: r.Method, Path: r.Pattern, ID: r.Operation}
	if r.Method == "*" {
		o.Method = "ANY"
	}
	for segment := range strings.SplitSeq(r.Pattern, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			o.Parameters = append(o.Parameters, openapi.Parameter{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Value: openapi.Value{Type: "string"}})
		}
	}
	return o
}

// samplePath replaces each parameter of a path by a letter, so that the path can be matched.
func samplePath(path string) string {
	var b strings.Builder
	for path != "" {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			break
		}
		b.WriteByte('x')
		_, path, _ = strings.Cut(rest, "}")
	}
	return b.String()
}

package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/toksta"
)

// Route is one entry of the list routes.
type Route struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Operation string `json:"operation"`
	Family    string `json:"family,omitempty"`
	Upstream  string `json:"upstream"`
	Public    bool   `json:"public,omitempty"`

	line   int    // in the document
	sample string // the path with examples instead of parameters
}

// Family is one entry of the list families.
type Family struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Note is a part of a document that became no route, or not as it is written.
type Note struct {
	Line    int    `json:"line,omitempty"`  // in the document; 0: the whole document
	Where   string `json:"where,omitempty"` // such as "GET /forecast/{city}"
	Message string `json:"message"`         // a sentence
	Fix     string `json:"fix,omitempty"`   // an instruction
}

// String returns "line: where: message Fix: …", in the form of a problem of the
// configuration.
func (n Note) String() string {
	out := n.Message
	if n.Where != "" {
		out = n.Where + ": " + out
	}
	if n.Line > 0 {
		out = fmt.Sprintf("%d: %s", n.Line, out)
	}
	if n.Fix != "" {
		out += " Fix: " + n.Fix + "."
	}
	return out
}

// Mapping is an OpenAPI document as routes. Each operation of the document is in
// Routes or in LeftOut.
type Mapping struct {
	Routes   []Route  `json:"routes"`
	Families []Family `json:"families"`
	LeftOut  []Note   `json:"left_out"` // operations that are no routes
	Notes    []Note   `json:"notes"`    // parts that a route cannot express
}

// Reject moves a route to the operations that are left out. r is a copy of it; the
// problem is a sentence.
func (m *Mapping) Reject(r Route, problem, fix string) {
	m.LeftOut = append(m.LeftOut, Note{r.line, r.Method + " " + r.Path, problem, fix})
	m.Routes = slices.DeleteFunc(slices.Clone(m.Routes), func(other Route) bool { return other.Method == r.Method && other.Path == r.Path })
	m.Families = usedFamilies(m.Families, m.Routes)
}

// usedFamilies returns the families that have a route.
func usedFamilies(families []Family, routes []Route) []Family {
	used := map[string]bool{}
	for _, r := range routes {
		used[r.Family] = true
	}
	return slices.DeleteFunc(slices.Clone(families), func(f Family) bool { return !used[f.Name] })
}

// Options are the choices of a mapping.
type Options struct {
	Upstream string  // name of the upstream of all routes
	Base     *string // path before the paths of the document; nil: that of its servers
	Public   bool    // make a route public if the document states that it needs no credential
}

// Map maps a document to routes. A route has the path of the server before the
// path of the operation, the operationId as its operation, and the first tag as
// its family.
func Map(doc *openapi.Document, o Options) Mapping {
	m := mapper{doc: doc, options: o, families: newFamilies(doc), operations: map[string]bool{}, paths: map[string]string{}}
	for _, p := range doc.Problems {
		m.out.Notes = append(m.out.Notes, Note{Line: p.Line, Where: p.Where, Message: p.Message})
	}
	// Operations that differ from another one in their query or fragment come last,
	// so that the route has the name of the plain one.
	for _, plain := range []bool{true, false} {
		for _, op := range doc.Operations {
			if strings.ContainsAny(op.Path, "?#") != plain {
				m.add(op)
			}
		}
	}
	m.dropConflicts()
	m.noteDocument()
	m.out.Families = usedFamilies(m.families.list, m.out.Routes)
	m.out.Notes = append(m.out.Notes, m.families.notes...)
	return m.out
}

// mapper collects the routes of one document.
type mapper struct {
	doc        *openapi.Document
	options    Options
	families   families
	operations map[string]bool   // names in use
	paths      map[string]string // operation of each method and path
	renamed    []string          // examples of changed operation ids
	out        Mapping
}

// add maps one operation.
func (m *mapper) add(op openapi.Operation) {
	where := op.Method + " " + op.Path
	plain := op.Path
	if i := strings.IndexAny(plain, "?#"); i >= 0 {
		plain = plain[:i]
	}
	path, sample, problem := routePath(m.base(op)+plain, op.Parameters)
	if problem != "" {
		m.out.LeftOut = append(m.out.LeftOut, Note{op.Line, where, problem, "describe the whole segment as one parameter, or write a route by hand"})
		return
	}
	key := op.Method + " " + shape(path)
	if first, found := m.paths[key]; found {
		note := Note{op.Line, where, fmt.Sprintf("Its calls take the route of %s, which has the same path.", first), "remove one of the two from the document"}
		if plain != op.Path {
			note.Message, note.Fix = fmt.Sprintf("Its calls take the route of %s, because a route does not depend on the query or the fragment.", first), ""
		}
		m.out.LeftOut = append(m.out.LeftOut, note)
		return
	}
	r := Route{
		Method: op.Method, Path: path, Operation: m.operation(op), Upstream: m.options.Upstream,
		Family: m.families.of(op.Tags), line: op.Line, sample: sample,
	}
	if op.Security.Public {
		r.Public = m.options.Public
		if !r.Public {
			m.out.Notes = append(m.out.Notes, Note{op.Line, where, "The document states that this operation needs no credential; the route needs a key.", "import with --public, or set access: public on the route, if anyone may call it"})
		}
	}
	if r.Public {
		r.Family = ""
	}
	m.paths[key] = r.Operation
	m.out.Routes = append(m.out.Routes, r)
}

// base returns the path before the path of an operation.
func (m *mapper) base(op openapi.Operation) string {
	if m.options.Base != nil {
		return strings.TrimRight(*m.options.Base, "/")
	}
	return op.Base
}

// routePath converts a path of OpenAPI to the pattern of a route, and to a path
// with examples instead of parameters. problem is a sentence if no route can
// express the path.
func routePath(path string, parameters []openapi.Parameter) (pattern, sample, problem string) {
	segments := strings.Split(path, "/")
	samples := slices.Clone(segments)
	for i, s := range segments {
		if !strings.ContainsAny(s, "{}") {
			continue
		}
		name, found := strings.CutPrefix(s, "{")
		name, closed := strings.CutSuffix(name, "}")
		if !found || !closed || strings.ContainsAny(name, "{}") {
			return "", "", fmt.Sprintf("The segment %q mixes text with a parameter; a route matches whole segments.", s)
		}
		segments[i], samples[i] = "{"+parameterName(name)+"}", sampleValue(name, parameters)
	}
	return strings.Join(segments, "/"), strings.Join(samples, "/"), ""
}

// parameterName replaces the characters of a parameter that the pattern of a route
// cannot have.
func parameterName(name string) string {
	name = strings.Map(func(r rune) rune {
		if isLetter(r) || isDigit(r) || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
	if name == "" || !isLetter(rune(name[0])) && name[0] != '_' {
		name = "_" + name
	}
	return name
}

// sampleValue returns a value of a path parameter for a first call.
func sampleValue(name string, parameters []openapi.Parameter) string {
	for _, p := range parameters {
		if p.In != "path" || p.Name != name {
			continue
		}
		isPlain := func(r rune) bool { return isLetter(r) || isDigit(r) || strings.ContainsRune("-._~", r) }
		if p.Example != "" && !strings.ContainsFunc(p.Example, func(r rune) bool { return !isPlain(r) }) {
			return p.Example
		}
	}
	return "1"
}

// operation returns a unique name for an operation: its id without the characters
// that are not allowed, or one from the method and the path.
func (m *mapper) operation(op openapi.Operation) string {
	where := op.Method + " " + op.Path
	name := operationName(op.ID)
	switch {
	case op.ID == "":
		name = operationName(strings.ToLower(op.Method) + titleWords(op.Path))
	case name != op.ID && len(m.renamed) == 0:
		m.renamed = append(m.renamed, fmt.Sprintf("%q is %q", op.ID, name))
	case name != op.ID:
		m.renamed = append(m.renamed, "")
	}
	unique := name
	for n := 2; m.operations[unique]; n++ {
		suffix := fmt.Sprintf("_%d", n)
		unique = name[:min(len(name), maxOperation-len(suffix))] + suffix
	}
	if unique != name && op.ID != "" {
		m.out.Notes = append(m.out.Notes, Note{op.Line, where, fmt.Sprintf("The operation id %q is used twice; this operation is %q.", op.ID, unique), "give each operation its own id"})
	}
	m.operations[unique] = true
	return unique
}

// maxRounds bounds the checks of the whole table. Then every route that conflicts
// with an earlier one is dropped, after which no conflict remains.
const maxRounds = 25

// dropConflicts removes the routes that a table of routes rejects. Of routes that
// conflict, it removes the one with the most conflicts first. A check reports only
// the first conflict of each route, so it is repeated.
func (m *mapper) dropConflicts() {
	for round := 0; ; round++ {
		table := make([]toksta.Route, len(m.out.Routes))
		for i, r := range m.out.Routes {
			table[i] = toksta.Route{Method: r.Method, Pattern: r.Path, Operation: r.Operation, Upstream: r.Upstream, Public: r.Public}
		}
		problems := route.Check(table)
		if len(problems) == 0 {
			return
		}
		dropped := worstRoutes(problems)
		if round >= maxRounds {
			clear(dropped)
			for _, p := range problems {
				dropped[p.Route] = p
			}
		}
		kept := make([]Route, 0, len(m.out.Routes))
		for i, r := range m.out.Routes {
			if p, ok := dropped[i]; ok {
				m.out.LeftOut = append(m.out.LeftOut, Note{r.line, r.Method + " " + r.Path, sentence(p.Message), p.Fix})
				continue
			}
			kept = append(kept, r)
		}
		m.out.Routes = kept
	}
}

// worstRoutes returns routes without which none of the problems remains, each with
// one of its problems. It takes the route with the most problems first.
func worstRoutes(problems []route.Problem) map[int]route.Problem {
	out := map[int]route.Problem{}
	count := map[int]int{}
	for _, p := range problems {
		count[p.Route]++
		if p.Other >= 0 {
			count[p.Other]++
		}
	}
	for _, p := range slices.SortedStableFunc(slices.Values(problems), func(a, b route.Problem) int {
		return max(count[b.Route], count[b.Other]) - max(count[a.Route], count[a.Other])
	}) {
		_, one := out[p.Route]
		_, other := out[p.Other]
		switch {
		case one || other:
		case p.Other >= 0 && count[p.Other] > count[p.Route]:
			out[p.Other] = p
		default:
			out[p.Route] = p
		}
	}
	return out
}

// noteDocument adds the notes that concern more than one operation.
func (m *mapper) noteDocument() {
	add := func(message, fix string) { m.out.Notes = append(m.out.Notes, Note{Message: message, Fix: fix}) }
	if n := len(m.renamed); n > 0 {
		add(fmt.Sprintf("Operation ids with characters that the name of an operation cannot have: %d; for example, %s.", n, m.renamed[0]), "")
	}
	several, schemes, bases := 0, map[string]int{}, map[string]bool{}
	var names []string
	for _, op := range m.doc.Operations {
		if len(op.Tags) > 1 {
			several++
		}
		bases[op.Base] = true
		for _, s := range op.Security.Schemes {
			if words := foreignScheme(s); words != "" {
				if schemes[words] == 0 {
					names = append(names, words)
				}
				schemes[words]++
			}
		}
	}
	if several > 0 {
		add(fmt.Sprintf("Operations with more than one tag: %d; the first tag is the family.", several), "")
	}
	for _, words := range names {
		add(fmt.Sprintf("Operations that are described with %s: %d. Callers of a route send their key as Authorization: Bearer.", words, schemes[words]), "describe the key in the document as a scheme of type http, scheme bearer")
	}
	if len(bases) > 1 && m.options.Base == nil {
		add("The operations have servers with different paths; each route starts with the path of its own server.", "")
	}
	first := ""
	for i, s := range m.doc.Servers {
		if path := serverPath(s.URL); i == 0 {
			first = path
		} else if path != first && m.options.Base == nil {
			add(fmt.Sprintf("The servers have different paths; the routes start with %q, that of the first.", first), "set --base-path if callers use another one")
			break
		}
	}
}

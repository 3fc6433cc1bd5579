package openapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// methods returns the names of the operations of a path.
func methods() []string {
	return []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}
}

// pathItem reads the operations of one path.
func (r *reader) pathItem(path, item *yaml.Node) []Operation {
	r.where = path.Value
	item = r.resolve(item)
	shared := r.parameters(r.get(item, "parameters"))
	var out []Operation
	for name, o := range r.pairs(item) {
		if !slices.Contains(methods(), name.Value) || o == nil || o.Kind != yaml.MappingNode {
			continue
		}
		method := strings.ToUpper(name.Value)
		r.where = method + " " + path.Value
		op := r.operation(o, shared)
		op.Line, op.Method, op.Path = name.Line, method, path.Value
		servers := r.servers
		for _, n := range []*yaml.Node{r.get(item, "servers"), r.get(o, "servers")} {
			if n != nil {
				servers = r.readServers(n)
			}
		}
		if len(servers) > 0 {
			op.Base = r.basePath(servers[0].URL)
		}
		out = append(out, op)
	}
	return out
}

// operation reads one operation. shared are the parameters of its path.
func (r *reader) operation(o *yaml.Node, shared []Parameter) Operation {
	op := Operation{
		ID: text(r.get(o, "operationId")), Summary: text(r.get(o, "summary")),
		Description: text(r.get(o, "description")), Tags: texts(r.get(o, "tags")),
		Deprecated: isTrue(r.get(o, "deprecated")),
	}
	op.Security = r.security(o)
	op.Parameters = mergeParameters(shared, r.parameters(r.get(o, "parameters")))
	if n := r.resolve(r.get(o, "requestBody")); n != nil {
		op.Body = &Body{
			Description: text(r.get(n, "description")), Required: isTrue(r.get(n, "required")),
			Content: r.content(r.get(n, "content"), isRequest),
		}
	}
	for status, n := range r.pairs(r.get(o, "responses")) {
		if n = r.resolve(n); n == nil || strings.HasPrefix(status.Value, "x-") {
			continue
		}
		response := Response{
			Status: status.Value, Description: text(r.get(n, "description")),
			Content: r.content(r.get(n, "content"), isResponse),
		}
		for name, h := range r.pairs(r.get(n, "headers")) {
			if h = r.resolve(h); h != nil && !strings.EqualFold(name.Value, "content-type") {
				p := r.parameter(h)
				p.Name, p.In = name.Value, "header"
				response.Headers = append(response.Headers, p)
			}
		}
		op.Responses = append(op.Responses, response)
	}
	return op
}

// parameters reads a list of parameters. It leaves out the header fields that
// OpenAPI describes elsewhere.
func (r *reader) parameters(list *yaml.Node) []Parameter {
	var out []Parameter
	for _, n := range items(list) {
		n = r.resolve(n)
		if n == nil {
			continue
		}
		p := r.parameter(n)
		described := p.In == "header" && slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(p.Name))
		if p.Name == "" || described {
			continue
		}
		out = append(out, p)
	}
	return out
}

// parameter reads one parameter, or one header field of a response.
func (r *reader) parameter(n *yaml.Node) Parameter {
	schema := r.get(n, "schema")
	for _, media := range r.pairs(r.get(n, "content")) {
		schema = r.get(media, "schema")
		break
	}
	p := Parameter{
		Name: text(r.get(n, "name")), In: text(r.get(n, "in")), Description: text(r.get(n, "description")),
		Required: isTrue(r.get(n, "required")), Deprecated: isTrue(r.get(n, "deprecated")), Value: r.value(schema),
	}
	if p.Description == "" {
		p.Description = text(r.get(r.resolve(schema), "description"))
	}
	p.Example = r.parameterExample(n, schema)
	return p
}

// parameterExample returns the text of an example of a parameter, or "".
func (r *reader) parameterExample(n, schema *yaml.Node) string {
	candidates := []*yaml.Node{r.get(n, "example")}
	for _, e := range r.pairs(r.get(n, "examples")) {
		candidates = append(candidates, r.get(r.resolve(e), "value"))
	}
	for _, part := range r.parts(schema) {
		candidates = append(candidates, r.stated(part))
	}
	for _, c := range candidates {
		if all := texts(c); len(all) > 0 {
			return strings.Join(all, ",")
		}
	}
	return ""
}

// mergeParameters returns the parameters of a path and of an operation, which
// override them. Path parameters are first.
func mergeParameters(shared, own []Parameter) []Parameter {
	var out []Parameter
	for _, p := range shared {
		if !slices.ContainsFunc(own, func(o Parameter) bool { return o.Name == p.Name && o.In == p.In }) {
			out = append(out, p)
		}
	}
	out = append(out, own...)
	slices.SortStableFunc(out, func(a, b Parameter) int {
		switch {
		case (a.In == "path") == (b.In == "path"):
			return 0
		case a.In == "path":
			return -1
		}
		return 1
	})
	return out
}

// maxServer bounds the URL of a server, in bytes.
const maxServer = 2000

// readServers reads a list of servers and replaces each variable by its default.
func (r *reader) readServers(list *yaml.Node) []Server {
	var out []Server
	for _, n := range items(list) {
		s := Server{URL: text(r.get(n, "url")), Description: text(r.get(n, "description"))}
		for name, v := range r.pairs(r.get(n, "variables")) {
			s.URL = strings.ReplaceAll(s.URL, "{"+name.Value+"}", text(r.get(v, "default")))
			if len(s.URL) > maxServer {
				break // a default that contains variables could double it each time
			}
		}
		if len(s.URL) > maxServer {
			r.problem(n.Line, "The address of a server is too long.")
			continue
		}
		out = append(out, s)
	}
	return out
}

// basePath returns the path of a server's URL without a final slash.
func (r *reader) basePath(server string) string {
	u, err := url.Parse(server)
	if err != nil || strings.ContainsAny(u.Path, "{}") {
		r.problem(0, fmt.Sprintf("The path of the server %q cannot be read.", server))
		return ""
	}
	base := strings.TrimRight(u.EscapedPath(), "/")
	if base != "" && base[0] != '/' {
		base = "/" + base
	}
	return base
}

// security reads the security requirement of an operation, or that of the
// document.
func (r *reader) security(o *yaml.Node) Security {
	n := r.get(o, "security")
	if n == nil {
		n = r.get(r.root, "security")
	}
	if n == nil || n.Kind != yaml.SequenceNode {
		return Security{}
	}
	out := Security{Public: len(n.Content) == 0}
	seen := map[string]bool{}
	for _, requirement := range n.Content {
		empty := true
		for name := range r.pairs(requirement) {
			empty = false
			if !seen[name.Value] {
				seen[name.Value] = true
				out.Schemes = append(out.Schemes, r.scheme(name))
			}
		}
		out.Optional = out.Optional || empty
	}
	if out.Optional && len(out.Schemes) == 0 {
		out.Public = true
	}
	return out
}

// scheme reads the security scheme of a name.
func (r *reader) scheme(name *yaml.Node) Scheme {
	n := r.resolve(r.get(r.get(r.get(r.root, "components"), "securitySchemes"), name.Value))
	if n == nil {
		r.problem(name.Line, fmt.Sprintf("The security scheme %q is not defined.", name.Value))
	}
	return Scheme{
		Name: name.Value, Type: text(r.get(n, "type")), In: text(r.get(n, "in")),
		Param: text(r.get(n, "name")), Scheme: strings.ToLower(text(r.get(n, "scheme"))),
	}
}

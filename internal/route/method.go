package route

import (
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// AnyMethod is the method of a route that serves every method that a route can have.
const AnyMethod = "*"

// methods lists the methods that a route can have: PATCH and the methods of RFC 9110, without
// CONNECT and TRACE. CONNECT would reach beyond the route, and TRACE would return the header fields
// of the request.
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// The positions of the methods in a leaf.
const (
	get = iota
	head
	post
	put
	patch
	del
	options
	anyMethod // never the method of a request
	methodCount
)

// methodIndex returns the position of a method, which is case-sensitive, and false for a method that
// no route can have.
func methodIndex(method string) (int, bool) {
	switch method {
	case "GET":
		return get, true
	case "HEAD":
		return head, true
	case "POST":
		return post, true
	case "PUT":
		return put, true
	case "PATCH":
		return patch, true
	case "DELETE":
		return del, true
	case "OPTIONS":
		return options, true
	}
	return 0, false
}

// leaf holds the routes of one pattern by method. A method without a route of its own holds the
// route that serves it, see add.
type leaf [methodCount]*toksta.Route

// add adds a route. HEAD uses the route of GET unless it has its own, and every method without a
// route uses that of AnyMethod.
func (l *leaf) add(r *toksta.Route) {
	if r.Method == AnyMethod {
		l[anyMethod] = r
	} else if m, ok := methodIndex(r.Method); ok {
		l[m] = r
	}
	if own := l[head]; l[get] != nil && (own == nil || own.Method != "HEAD") {
		l[head] = l[get]
	}
	for m := range l {
		if l[m] == nil {
			l[m] = l[anyMethod]
		}
	}
}

// allowed returns the methods of routes in the form of the field Allow.
func allowed(routes []*toksta.Route) string {
	var out []string
	for _, r := range routes {
		switch r.Method {
		case AnyMethod:
			out = append(out, strings.Split(methods, ", ")...)
		case "GET":
			out = append(out, "GET", "HEAD")
		default:
			out = append(out, r.Method)
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// methodsOverlap reports whether one request can have the method of both routes.
func methodsOverlap(a, b *toksta.Route) bool {
	return serves(a, b.Method) || serves(b, a.Method)
}

// serves reports whether r can serve a request with a method, or with any one for AnyMethod.
func serves(r *toksta.Route, method string) bool {
	return r.Method == method || r.Method == AnyMethod || r.Method == "GET" && method == "HEAD"
}

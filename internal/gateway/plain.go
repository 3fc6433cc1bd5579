package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/downstream"
	"github.com/toksta/toksta/internal/upstream"
	"github.com/toksta/toksta/sdk/httpauth"
)

// isPlain reports whether the client of package upstream can serve a request. It serves
// no upgrade, no trailer for which the caller asked, no expectation and no HTTP/2.
func (p *proxy) isPlain(r *http.Request) bool {
	return p.plain != nil && !p.plain.UsesHTTP2() &&
		len(r.Header["Upgrade"]) == 0 && len(r.Header["Te"]) == 0 && len(r.Header["Expect"]) == 0
}

// exchange forwards the call and copies the response, as reverse does. It reports false
// if the upstream turns out to use HTTP/2; nothing was sent or read then.
func (f *forwarding) exchange(w http.ResponseWriter, r *http.Request) bool {
	x := f.plain.Begin(r.Method, f.target(r), f.host(r))
	defer x.Close()
	x.LimitProgress(f.timeout)
	f.copyFields(x, r)
	f.identify(x, r)
	body, length := io.Reader(nil), int64(0)
	if f.body != nil && r.ContentLength != 0 {
		body, length = f.body, r.ContentLength
	}
	err := x.Send(r.Context(), body, length)
	if errors.Is(err, upstream.ErrHTTP2) {
		return false
	}
	if body != nil {
		defer f.body.Close()
	}
	if err == nil {
		err = f.receive(w, r, x)
	}
	if err != nil {
		f.fail(w, r, err)
		return true
	}
	f.respond(w, x)
	return true
}

// receive waits for the final header and the first bytes of the body. It forwards
// informational responses.
func (f *forwarding) receive(w http.ResponseWriter, r *http.Request, x *upstream.Exchange) error {
	for {
		if err := x.Receive(); err != nil {
			return err
		}
		if x.Status() >= http.StatusOK {
			break
		}
		if r.ProtoAtLeast(1, 1) {
			f.inform(w, x)
		}
	}
	if f.body != nil {
		downstream.ResponseBegun(r.Context())
	}
	delay := time.Duration(0)
	if isStreamOf(x) {
		delay = f.opening
	}
	return x.Open(openingSize, delay)
}

// isStreamOf reports whether each piece of the body is forwarded on arrival.
func isStreamOf(x *upstream.Exchange) bool {
	return x.Length() < 0 || hasMediaType(field(x.Fields(), "Content-Type"), "text/event-stream")
}

// field returns the value of the first field of a name, or "".
func field(fields []upstream.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// inform forwards an informational response.
func (f *forwarding) inform(w http.ResponseWriter, x *upstream.Exchange) {
	h := w.Header()
	kept := h["Connection"]
	f.names.setFields(h, x.Fields(), make([]string, 0, len(x.Fields())))
	w.WriteHeader(x.Status())
	clear(h)
	if kept != nil {
		h["Connection"] = kept
	}
}

// respond sends the response. If it breaks off, respond flushes the bytes that arrived
// and closes the connection of the caller.
func (f *forwarding) respond(w http.ResponseWriter, x *upstream.Exchange) {
	f.x.UpstreamCost = f.cost(x)
	h := w.Header()
	values := f.names.setFields(h, x.Fields(), make([]string, 0, len(x.Fields())+1))
	values = append(values, httpauth.SourceUpstream)
	h[f.names.Source] = values[len(values)-1:]
	if !f.keepLocation {
		f.relocateAll(h)
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // net/http adds none
	}
	w.WriteHeader(x.Status())
	if err := relay(w, x); err != nil {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	f.names.sendTrailer(w, x.Trailer())
}

// sendTrailer forwards the trailer. A response without a length must be on its way before
// it: net/http would compute the length of a short one, which leaves no room for a trailer.
func (n *names) sendTrailer(w http.ResponseWriter, fields []upstream.Field) {
	if len(fields) > 0 {
		_ = http.NewResponseController(w).Flush()
	}
	for _, f := range fields {
		if !n.forbiddenFromUpstream(f.Name) {
			w.Header().Add(http.TrailerPrefix+f.Name, f.Value)
		}
	}
}

// cost returns the cost that the upstream stated, nil without one. A gRPC error costs
// nothing.
func (f *forwarding) cost(x *upstream.Exchange) *int64 {
	var stated []string
	for _, field := range x.Fields() {
		if field.Name == f.names.CreditCost {
			stated = append(stated, field.Value)
		}
	}
	if x.Ended() && hasMediaType(field(x.Fields(), "Content-Type"), "application/grpc") &&
		field(x.Fields(), "Grpc-Status") != "0" && field(x.Trailer(), "Grpc-Status") != "0" {
		return new(int64)
	}
	return f.stated(stated)
}

// relay copies the body. It flushes a stream before each wait for more of it.
func relay(w http.ResponseWriter, x *upstream.Exchange) error {
	stream := isStreamOf(x)
	for {
		piece, err := x.Piece()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case piece != nil:
			if _, err := w.Write(piece); err != nil {
				return err
			}
			continue
		case stream:
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		}
		if err := x.Fill(); err != nil {
			return err
		}
	}
}

// target returns the request target for the upstream: the client's path, unless the route
// rewrites it, and query, byte for byte, after the base path.
func (f *forwarding) target(r *http.Request) string {
	target := f.base.RawPath + f.rewritten.Path(r.URL.EscapedPath())
	if r.URL.ForceQuery || r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return target
}

// host returns the Host for the upstream.
func (f *forwarding) host(r *http.Request) string {
	if f.keepHost && r.Host != "" {
		return r.Host
	}
	return f.base.Host
}

// copyFields copies the fields of the client that may reach the upstream.
func (f *forwarding) copyFields(x *upstream.Exchange, r *http.Request) {
	named := connectionFields(r.Header["Connection"])
	for name, values := range r.Header {
		if isHop(name) || f.names.forbiddenFromClient(name) || named[name] || name == "Tracestate" && !f.keepsTrace(r) {
			continue
		}
		for _, v := range values {
			x.Set(name, v)
		}
	}
}

// setFields sets the fields of a response that may reach the caller. Their values are
// appended to values, which has the capacity for them, and returned.
func (n *names) setFields(h http.Header, fields []upstream.Field, values []string) []string {
	var connection []string
	for _, f := range fields {
		if f.Name == "Connection" {
			connection = append(connection, f.Value)
		}
	}
	named := connectionFields(connection)
	for _, f := range fields {
		if isHop(f.Name) || n.forbiddenFromUpstream(f.Name) || named[f.Name] {
			continue
		}
		if set := h[f.Name]; set != nil {
			h[f.Name] = append(set, f.Value)
			continue
		}
		values = append(values, f.Value)
		last := len(values)
		h[f.Name] = values[last-1 : last : last]
	}
	return values
}

// isHop reports whether a field belongs to one connection (RFC 9110, section 7.6.1).
func isHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// connectionFields returns the names of fields that the values of Connection list, in
// canonical form. It omits Keep-Alive, which isHop covers, so that most calls need no map.
// The set is built once for a header: one search of the list for each field would take
// time in proportion to the square of the header's size.
func connectionFields(connection []string) map[string]bool {
	var names map[string]bool
	for _, list := range connection {
		for e := range strings.SplitSeq(list, ",") {
			e = textproto.TrimString(e)
			if e == "" || strings.EqualFold(e, "keep-alive") {
				continue
			}
			if names == nil {
				names = map[string]bool{}
			}
			names[textproto.CanonicalMIMEHeaderKey(e)] = true
		}
	}
	return names
}

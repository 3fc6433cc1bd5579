package forwardauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/sdk/toksta"
)

// The endpoints, by the form in which a proxy describes the client's request.
const (
	pathOriginal  = "/original"
	pathForwarded = "/forwarded"
	pathNginx     = "/nginx"
	pathEnvoy     = "/envoy"
)

// form describes how the requests to one endpoint state the client's request.
type form struct {
	// method and target name the fields with the client's method and target, in
	// canonical form. They are "" if the proxy asks with the client's own method and
	// appends the client's target to the endpoint's path.
	method, target string
	// nginx makes rejections 403 with the response in fields, see reject.
	nginx bool
}

// formOf returns the form of an endpoint and, for a form without fields, the client's target.
// target is the request target of the question. If there is no such endpoint, ok is false.
func formOf(target string) (f form, rest string, ok bool) {
	path, _, _ := strings.Cut(target, "?")
	switch path {
	case pathOriginal:
		return form{method: "X-Original-Method", target: "X-Original-Uri"}, "", true
	case pathNginx:
		return form{method: "X-Original-Method", target: "X-Original-Uri", nginx: true}, "", true
	case pathForwarded:
		return form{method: "X-Forwarded-Method", target: "X-Forwarded-Uri"}, "", true
	}
	rest, ok = strings.CutPrefix(target, pathEnvoy)
	return form{}, rest, ok
}

// stated is the client's request as the proxy states it.
type stated struct{ method, target string }

// path returns the path of the target, decoded if that is possible.
func (s *stated) path() string {
	path, _, _ := strings.Cut(s.target, "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// read returns the client's request from the fields of the question, or from own if the form
// has no fields. It returns an error if a deciding value is missing, ambiguous or malformed.
func (f *form) read(fields map[string][]string, own stated) (stated, error) {
	s := own
	if f.target != "" {
		var err error
		if s.method, err = single(fields, f.method); err != nil {
			return stated{}, err
		}
		if s.target, err = single(fields, f.target); err != nil {
			return stated{}, err
		}
	}
	if !isMethod(s.method) {
		return stated{}, badRequest("The proxy stated a method that is not one word.")
	}
	return s, checkTarget(s.target)
}

// single returns the value of a field that must be sent exactly once.
func single(fields map[string][]string, name string) (string, error) {
	values := fields[name]
	if len(values) > 1 {
		return "", badRequest(fmt.Sprintf("The field %s was sent %d times instead of once.", name, len(values)))
	}
	if len(values) == 0 || values[0] == "" {
		return "", badRequest(fmt.Sprintf("The proxy did not state the request in the field %s.", name))
	}
	return values[0], nil
}

// maxMethod is the length of the longest method, in bytes.
const maxMethod = 32

// isMethod reports whether s consists of letters and hyphens, as every method does.
func isMethod(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxMethod
}

// checkTarget rejects a target that is not a path with an optional query: it has another form,
// a fragment, which some back ends cut off, a space or a control character.
func checkTarget(target string) error {
	if !strings.HasPrefix(target, "/") {
		return badRequest("The proxy stated a target that is not a path.")
	}
	for _, c := range []byte(target) {
		if c <= ' ' || c == 0x7f || c == '#' {
			return badRequest("The request target contains a fragment, a space or a control character.")
		}
	}
	return nil
}

// isCredential reports whether a field has the key or the client's address.
func isCredential(f *admit.FieldName) bool {
	name := string(f.Bytes())
	return name == "authorization" || name == "x-forwarded-for"
}

// isSwitch reports whether a field asks for another protocol for the rest of the connection.
func isSwitch(f *admit.FieldName) bool {
	name := string(f.Bytes())
	return name == "upgrade" || name == "http2-settings"
}

// checkOthers rejects a request with a field that states another target or method than s, in any
// spelling of its name, or that has the vendor's own prefix. It also rejects an upgrade to
// another protocol than WebSocket: through a connection in HTTP/2, the client would send further
// calls to the back end that are not decided.
func (f *form) checkOthers(fields map[string][]string, s stated, own admit.OwnPrefix) error {
	for name, values := range fields {
		if name == f.method || name == f.target {
			continue
		}
		folded := admit.Fold(name)
		if own.Has(&folded) {
			return badRequest("The field " + name + " is reserved for the service: remove it.")
		}
		if isSwitch(&folded) && !isWebSocket(name, values) {
			return badRequest("The connection can be upgraded to WebSocket only: remove the field " + name + ".")
		}
		want := ""
		switch folded.Override() {
		case admit.TargetOverride:
			want = s.target
		case admit.MethodOverride:
			want = s.method
		case admit.PathOverride:
			return badRequest("The field " + name + " states a part of the path: remove it.")
		default:
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return v != want }) {
			return badRequest("The field " + name + " contradicts the request: remove it.")
		}
	}
	return checkConnection(fields["Connection"], own)
}

// isWebSocket reports whether a field for which isSwitch returns true asks for a WebSocket.
func isWebSocket(name string, values []string) bool {
	return name == "Upgrade" && len(values) == 1 && strings.EqualFold(values[0], "websocket")
}

// checkConnection rejects a Connection field that names a field which decides or identifies the
// caller: a proxy on the path would have removed that field, and then no value of it can be trusted,
// or it would remove the verified one.
func checkConnection(lines []string, own admit.OwnPrefix) error {
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			folded := admit.Fold(strings.Trim(option, " \t"))
			if folded.Override() != admit.NoOverride || isCredential(&folded) || own.Has(&folded) {
				return badRequest("The field Connection names a field that decides: remove it.")
			}
		}
	}
	return nil
}

// badRequest returns the error for a question that cannot be decided.
func badRequest(message string) *toksta.Error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}

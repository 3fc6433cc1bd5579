package admit

import (
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// MaxTarget is the length of the longest request target, in bytes. Most back
// ends reject longer targets.
const MaxTarget = 8 << 10

// path checks the size of the request and returns the path of its target as it
// was sent, without the query.
func (r *Request) path(maxHeader int) (string, error) {
	if len(r.Target) > MaxTarget {
		return "", &toksta.Error{Code: toksta.CodeTargetTooLong, Message: "The request target is longer than 8 KiB."}
	}
	if r.HeaderSize > maxHeader {
		return "", &toksta.Error{Code: toksta.CodeHeadersTooLarge, Message: "The request's header is too large."}
	}
	if strings.Contains(r.Target, " ") {
		// On HTTP/2 a query can contain a space, which would end the target on HTTP/1.1.
		return "", badRequest("The request target contains a space: write it as %20.")
	}
	path, ok := TargetPath(r.Target)
	if !ok {
		return "", badRequest("The request target must be a path or an http URL without user information.")
	}
	return path, nil
}

// authorityCharacters are those of a host and a port. Back ends disagree on where the path
// begins behind any other character, such as ";" or "\".
const authorityCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]"

// TargetPath returns the escaped path of a target in origin-form or
// absolute-form (RFC 9112, section 3.2). It reads the target itself, because a
// parsed URL has lost the spelling of its path. For every other form it returns
// false.
func TargetPath(target string) (string, bool) {
	path, _, _ := strings.Cut(target, "?")
	if strings.HasPrefix(path, "/") {
		return path, true
	}
	scheme, rest, found := strings.Cut(path, "://")
	if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", false
	}
	authority, tail, found := strings.Cut(rest, "/")
	if authority == "" || strings.Trim(authority, authorityCharacters) != "" {
		return "", false
	}
	if !found {
		return "/", true
	}
	return "/" + tail, true
}

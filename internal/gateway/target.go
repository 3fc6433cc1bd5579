package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/toksta/toksta"
)

// Server returns an http.Server with the bounds that a gateway with that
// MaxHeader counts on: net/http answers beyond them by itself, without the
// envelope, so they lie above the gateway's own. A body that stands still is
// not waited for. The caller changes timeouts and adds what else it needs.
func Server(h http.Handler, maxHeader int) *http.Server {
	return &http.Server{
		Handler:                      timed(maxStall, h),
		ReadHeaderTimeout:            10 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               2 * (maxHeader + maxTarget),
		DisableGeneralOptionsHandler: true,
	}
}

// target checks the request line and the header's bytes and returns the path as
// it was sent.
func target(r *http.Request, maxHeader int) (string, error) {
	if len(r.RequestURI) > maxTarget {
		return "", &toksta.Error{Code: toksta.CodeTargetTooLong, Message: "The request target is longer than 8 KiB."}
	}
	if headerSize(r.Header) > maxHeader {
		return "", &toksta.Error{Code: toksta.CodeHeadersTooLarge, Message: "The request's header is too large."}
	}
	path, ok := rawPath(r)
	if !ok {
		return "", badRequest("The request target must be a path or an http URL without user information.")
	}
	return path, nil
}

// rawPath returns the escaped path of an origin-form or absolute-form target,
// taken from the request line itself: a parsed URL has forgotten how its path
// was spelt. It reports false for every other form.
func rawPath(r *http.Request) (string, bool) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path, true
	}
	u := r.URL
	if u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	_, rest, _ := strings.Cut(path, "://")
	if _, tail, found := strings.Cut(rest, "/"); found {
		return "/" + tail, true
	}
	return "/", true
}

// headerSize is what the fields take on the wire, near enough: net/http has
// dropped the white space around values.
func headerSize(h http.Header) int {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	return size
}

// badRequest is a refusal of the request's form.
func badRequest(message string) *toksta.Error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}

// Package httpauth is the HTTP side of a decision: it parses the Authorization
// field, converts a rejection into an error, and writes the envelope of JSON
// responses. [Require] is middleware for vendors' programs, with a [Verifier] of package
// client or of an embedded node.
//
// The plaintext of a secret ends in [Credential]: no later stage sees it, and no
// response, log line or error repeats it. The package makes no decisions. It
// imports only the standard library and package toksta.
package httpauth

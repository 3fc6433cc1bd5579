// Package httpauth is the HTTP side of the decision: it turns an Authorization
// field into a digest, asks a [Verifier], and writes the one envelope that
// every answer comes in.
//
// It stands between the listener and the decision on the request path. The
// secret's plaintext dies here: nothing behind [Credential] sees it, and no
// answer, log line or error repeats it. The package decides nothing itself; it
// imports the standard library and the root package only, so vendors can use
// [Require] in front of their own Go handlers.
package httpauth

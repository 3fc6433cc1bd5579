// Package httpauth is the HTTP side of a decision: it parses the Authorization
// field, words a rejection, and writes the envelope of every JSON response.
//
// The secret's plaintext ends in [Credential]: nothing behind it sees the secret,
// and no response, log line or error repeats it. The package decides nothing. It
// imports the standard library and the root package only.
package httpauth

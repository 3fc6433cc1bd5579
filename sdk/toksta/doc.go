// Package toksta has the types of the API and its one decision: account, key,
// plan, route and error, and [Authorize], which decides whether a call is
// admitted.
//
// The request path calls [Authorize]; the change path writes [Change] rows. The
// package has only plain values and pure functions on the standard library: no
// I/O, no clock, no HTTP, no SQL, no logging.
package toksta

// Package toksta holds the words of the product and its one decision: what an
// account, a key and a route are, and whether a call with that key on that
// route is admitted now.
//
// It stands at the root of both paths. The request path asks [Authorize]; the
// mutation path writes [Change] rows. Everything here is plain values and pure
// functions on the standard library: no I/O, no clock of its own, no HTTP, no
// SQL, no logging. Whatever needs one of those lives in a package below.
package toksta

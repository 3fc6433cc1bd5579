// Package telemetry writes the process's structured log and the one record of
// each request.
//
// It stands around the whole request path: [Handler] creates the request's
// exchange, and writes the record from it when the response is over. A record
// never holds a secret, a query string, a header value or a body. Nothing here
// influences a response, except that a panic becomes a 500.
package telemetry

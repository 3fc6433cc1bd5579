// Package telemetry writes the process's structured log and the one record of
// each request.
//
// [Handler] wraps the whole request path: it creates the request's
// exchange, and writes the record from it when the response is over. A record
// never holds a secret, a query string, a header value or a body. Nothing here
// influences a response, except that a panic becomes a 500.
//
// [Log] never delays a request: lines wait in memory until Run writes them. If they
// are not read, records of requests are dropped first, and counted.
package telemetry

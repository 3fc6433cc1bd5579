// Package client manages the accounts and keys of a running Toksta server from Go,
// through the operator API.
//
// The server has the operator API on a Unix socket, whose permissions are the
// authorization, and, if listen.operator is set, on a listener for other machines,
// which requires an operator key. Never forward the socket to a network: everyone
// who can open it is the operator.
//
// The request and response types of this package define the operator API: the
// server decodes and encodes the same types. A method that makes a change returns
// once the change is enforced on all nodes. A failure that the server reports is a
// *[toksta.Error] with code, reason and hint. A [Client] does not repeat requests, and
// the package does not log. A [Verifier] decides on calls for the middleware
// httpauth.Require.
package client

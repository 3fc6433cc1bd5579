// Package client manages accounts and keys of a running Toksta from Go: the
// operator API on the private listener.
//
// It stands at the start of the mutation path, in front of internal/operator.
// The requests and answers declared here are the operator API's one
// definition: the server decodes and encodes these very types. Every method
// returns once its change is enforced on all nodes, or an error; failures that
// the server named come back as *[toksta.Error] with code, reason and hint.
// The package keeps no state, retries nothing and never logs a secret.
package client

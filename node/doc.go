// Package node runs a Toksta node inside a vendor's own Go program.
//
// The node is the same as the one of the command toksta serve: it has the same
// configuration, follows the change log, holds a lease, counts calls in a journal on disk
// and is one node of the cluster. A revoked key is rejected by it when the revocation
// returns. [Node.Verifier] decides in memory, without a network, for
// github.com/toksta/toksta/sdk/httpauth.Require.
//
// Embed a node if the program is written in Go, a decision must not cost a request to
// another process, and the program keeps a directory between its starts. It then needs
// the memory for the index and the dependencies of the server. Otherwise run toksta serve
// and use the verifier of package client, which needs neither: several programs can
// share one server, and a restart of a program does not restart a node.
package node

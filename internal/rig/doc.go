// Package rig tests from outside whether a cluster enforces changes: when a call
// that narrows a right has returned, no node admits a request on the old right,
// under any fault of nodes, network and database.
//
// The rig sees the same interfaces as a customer and an operator: the public API,
// the operator API, and for its faults the processes and connections. One process
// with one clock creates, narrows, widens and revokes keys through every node, uses
// them on every node at the same time, and injects faults. Afterwards it compares
// each response with the rights that could have been in force during the request. It
// reads no internal state of a node and touches no process, connection or database
// that it did not start. A run in which the guarantees were not put to the test does
// not pass.
package rig

// Package rig finds out whether a cluster keeps its promise: when a call that
// takes a right away has returned, no node admits a request on the old right,
// whatever happens to the nodes, the network and the database.
//
// It stands outside the product and sees what a customer sees: the public
// API, the operator API and, for its faults, processes and connections. One
// process with one clock creates, narrows, widens and revokes keys through
// every node, uses them on every node at once, breaks things meanwhile, and
// afterwards holds each answer against what could have been true while it was
// given. It never looks into a node, never touches a process, connection or
// database that it did not start, and never passes a run in which nothing was
// at stake.
package rig

// Package app wires the packages of a node together: New builds their parts in the
// order of the request path and the change path, Run starts and stops them.
//
// It contains no logic of the product: a decision that is made here belongs in one of
// those packages.
package app

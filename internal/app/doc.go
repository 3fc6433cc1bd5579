// Package app wires the rooms together: New builds them in the order in which
// a request and a mutation pass through, Run starts and stops them.
//
// It holds no logic of the product. When something here grows an opinion, it
// belongs in a room below.
package app

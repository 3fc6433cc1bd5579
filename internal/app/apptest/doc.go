// Package apptest runs whole servers for tests: as a Node in the process of the test,
// or as a Program, the binary in a process of its own. Tests reach both over HTTP and
// through the operator socket. Each server has a data directory and free ports of its
// own and stops with its test.
package apptest

// Package demo provides a vendor for trying the product: a back end with plausible
// data about invented creators, and accounts and keys to call it with.
//
// The gateway forwards calls to the back end like to a vendor's own. Seed uses the
// operator API. All data is invented and repeatable. The demo runs only by its own
// command, because its password and its key file are for demonstrations only.
package demo

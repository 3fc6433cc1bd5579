// Package demo is a vendor to try the product with: a back end that answers
// plausible data about creators who do not exist, and the accounts and keys to
// call it with.
//
// It stands where a vendor's own back end stands, behind the gateway, and in
// front of the services as an operator would. Everything in it is made up and
// repeatable. It never runs unless it is asked for by name: its password and
// its key's file are for demonstrations alone.
package demo

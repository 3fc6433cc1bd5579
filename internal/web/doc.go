// Package web answers the account pages: it reads forms, calls the services
// and fills in what package page draws.
//
// It stands at the start of the mutation path, as the operator API does. It
// decides nothing about keys, knows no SQL, and shows a secret in exactly one
// answer: the one to the form that made it.
package web

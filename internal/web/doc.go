// Package web serves the account pages: it reads forms, calls the services and
// fills in the data that package page renders.
//
// It is at the start of the change path, like the operator API. It makes no
// decisions about keys and knows no SQL. A secret is in exactly one response: the
// one to the form that created it.
package web

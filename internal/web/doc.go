// Package web serves the account pages: it reads forms, calls the services and
// fills in the data that package page renders.
//
// It is at the start of the change path, like the operator API. It makes no
// decisions about keys and knows no SQL. The page that shows a
// secret has it in exactly one response.
package web

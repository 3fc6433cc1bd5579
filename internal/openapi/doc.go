// Package openapi reads a vendor's OpenAPI document into plain values, from which
// routes are imported and the documentation page is rendered.
//
// The package reads what these two need: paths, operations, parameters, bodies,
// responses and examples. It is no validator. A part that cannot be read becomes
// a Problem, and the rest of the document is kept. It opens no file and follows
// no reference to another document.
package openapi

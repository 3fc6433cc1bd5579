// Package setup writes the vendor's configuration file: a new one from a few
// answers, and the routes of an OpenAPI document in an existing one.
//
// The package works on text. An edited file keeps every line and comment outside
// the changed entries. It reads and writes no file, and the caller checks a
// result with config.Parse before it is written.
package setup

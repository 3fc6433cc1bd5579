package config

import (
	"fmt"
	"strings"
)

// environment is the File of a problem in a variable.
const environment = "environment"

// Problem is one error in the configuration.
type Problem struct {
	File    string // the path, or "environment" for a variable
	Line    int    // 0 if no line caused it
	Field   string // "plans[2].overage", or the variable's name
	Message string // a sentence
	Fix     string // an instruction; may be ""

	unread   bool // the value of the line could not be read
	repeated bool // the name occurs twice in its map
}

// String returns "file:line: field: message Fix: …".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString(" Fix: " + p.Fix)
	}
	return b.String()
}

// Problems lists the errors in the configuration, in the order of the file.
type Problems []Problem

// Error returns the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

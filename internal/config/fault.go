package config

import (
	"fmt"
	"strings"
)

// environment stands for the file in a fault of a variable.
const environment = "environment"

// Fault is one thing that is wrong with the configuration.
type Fault struct {
	File    string // "environment" for a variable
	Line    int    // 0 where no line is to blame
	Field   string // "plans[2].overage", or the variable's name
	Problem string // a sentence
	Fix     string // an instruction; "" where the problem says it all

	unread bool // the line's value could not be read at all
}

// String returns "file:line: field: problem Fix: …".
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Field != "" {
		b.WriteString(f.Field + ": ")
	}
	b.WriteString(f.Problem)
	if f.Fix != "" {
		b.WriteString(" Fix: " + f.Fix)
	}
	return b.String()
}

// Faults is all that is wrong, in the order of the file.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

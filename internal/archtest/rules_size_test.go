package archtest

import (
	"fmt"
	"go/ast"
	"strings"
)

// The limits, in lines and counts.
const (
	maxFile         = 400
	maxTestFile     = 600
	maxFunction     = 60
	maxTestFunction = 100
	maxParameters   = 4
	maxMethods      = 3
	maxRoleMethods  = 5 // of a role of the store
)

// fileLength limits the lines of a file.
func fileLength(t *tree) (out []finding) {
	for _, f := range t.files {
		limit := maxFile
		if f.test {
			limit = maxTestFile
		}
		if n := strings.Count(f.source, "\n"); n > limit {
			out = append(out, finding{f.path, fmt.Sprintf("%d lines, %d is the most: split it by reason to change", n, limit)})
		}
	}
	return out
}

// functionLength limits the lines of a function to one screen. Wiring and tables
// may be longer, with a line in the exceptions.
func functionLength(t *tree) (out []finding) {
	for _, f := range t.files {
		limit := maxFunction
		if f.test {
			limit = maxTestFunction
		}
		f.functions(func(name string, fn *ast.FuncDecl) {
			if n := t.lines(fn); n > limit {
				out = append(out, finding{f.path + " " + name, fmt.Sprintf("%d lines, %d is the most", n, limit)})
			}
		})
	}
	return out
}

// wiringLength limits the functions that are exempt from functionLength.
func wiringLength(t *tree) (out []finding) {
	for _, f := range t.product() {
		f.functions(func(name string, fn *ast.FuncDecl) {
			if n := t.lines(fn); n > maxTestFunction {
				out = append(out, finding{f.path + " " + name, fmt.Sprintf("%d lines; even wiring and tables end at %d", n, maxTestFunction)})
			}
		})
	}
	return out
}

// parameters limits the parameters of a function to four. More belong in a struct.
func parameters(t *tree) (out []finding) {
	for _, f := range t.files {
		f.functions(func(name string, fn *ast.FuncDecl) {
			if n := fn.Type.Params.NumFields(); n > maxParameters {
				out = append(out, finding{f.path + " " + name, fmt.Sprintf("%d parameters, %d is the most: name a struct", n, maxParameters)})
			}
		})
	}
	return out
}

// interfaceSize limits the methods of an interface to the needs of one consumer.
func interfaceSize(t *tree) (out []finding) {
	for _, f := range t.product() {
		limit := maxMethods
		if f.dir == "internal/store" {
			limit = maxRoleMethods
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && methods(i) > limit {
				out = append(out, finding{f.path + " " + spec.Name.Name, fmt.Sprintf("%d methods, %d is the most", methods(i), limit)})
			}
			return true
		})
	}
	return out
}

// methods counts the methods that an interface declares itself. Embedded
// interfaces are counted at their own declaration.
func methods(i *ast.InterfaceType) (n int) {
	for _, m := range i.Methods.List {
		n += len(m.Names)
	}
	return n
}

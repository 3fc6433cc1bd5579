package archtest

import (
	"fmt"
	"go/ast"
	"strings"
)

// The budgets, in lines and counts.
const (
	maxFile         = 400
	maxTestFile     = 600
	maxFunction     = 60
	maxTestFunction = 100
	maxParameters   = 4
	maxMethods      = 3
	maxRoleMethods  = 5 // of the roles that make up the store
)

// fileLength keeps a file short enough to be read in one go.
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

// functionLength keeps a function on one screen. Only wiring and tables may be
// longer, and each of those has its line in the exceptions.
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

// wiringLength bounds the functions that functionLength lets off.
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

// parameters keeps call sites readable: beyond four, a named struct.
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

// interfaceSize keeps interfaces at what one consumer needs.
func interfaceSize(t *tree) (out []finding) {
	for _, f := range t.product() {
		limit := maxMethods
		if f.room == "internal/store" {
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

// methods counts the methods that an interface declares itself; what it embeds
// is counted where it is declared.
func methods(i *ast.InterfaceType) (n int) {
	for _, m := range i.Methods.List {
		n += len(m.Names)
	}
	return n
}

package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// formRoutes returns the routes of the pages' forms, which it reads from the source: each text that starts
// with "POST /", also one that is put together from constants.
func formRoutes(t *testing.T) (routes []string) {
	t.Helper()
	paths, err := filepath.Glob("../../internal/web/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	constants := map[string]ast.Expr{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if group, ok := n.(*ast.GenDecl); ok && group.Tok == token.CONST {
				for _, spec := range group.Specs {
					addConstants(spec.(*ast.ValueSpec), constants)
				}
			}
			return true
		})
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			expression, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text := constantText(expression, constants)
			if strings.HasPrefix(text, "POST /") {
				routes = append(routes, text)
			}
			return text == "" // the parts of a text are no routes
		})
	}
	if len(routes) < 30 {
		t.Fatalf("found %q only, so the test no longer reads the routes", routes)
	}
	return routes
}

// addConstants adds the names and values of a declaration.
func addConstants(spec *ast.ValueSpec, constants map[string]ast.Expr) {
	for i, name := range spec.Names {
		if i < len(spec.Values) {
			constants[name.Name] = spec.Values[i]
		}
	}
}

// constantText returns the value of a constant text, "" for any other expression.
func constantText(e ast.Expr, constants map[string]ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
	case *ast.Ident:
		if value := constants[e.Name]; value != nil {
			return constantText(value, constants)
		}
	case *ast.BinaryExpr:
		left, right := constantText(e.X, constants), constantText(e.Y, constants)
		if e.Op == token.ADD && left != "" && right != "" {
			return left + right
		}
	}
	return ""
}

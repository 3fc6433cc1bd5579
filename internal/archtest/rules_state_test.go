package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// constantVariables allows package variables only as constants that the language
// cannot express: an error, a pattern, a template, a table. Such a variable is
// never assigned, indexed for writing or incremented, its address is never taken,
// and its type is not one that exists to be changed.
func constantVariables(t *tree) (out []finding) {
	byPackage := map[string][]*file{}
	for _, f := range t.files {
		key := f.dir + " " + f.syntax.Name.Name
		byPackage[key] = append(byPackage[key], f)
	}
	for _, files := range byPackage {
		out = append(out, writes(t, files)...)
	}
	for _, f := range t.product() {
		for _, name := range changeable(f) {
			out = append(out, finding{f.path + " " + name, "a package variable that is made to be changed: put it into a type"})
		}
	}
	return out
}

// writes returns the writes to package variables in the files of one package.
// go/types resolves names without the imports, which is enough to distinguish a
// package variable from a local one of the same name.
func writes(t *tree, files []*file) (out []finding) {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	cfg := types.Config{Importer: nothing{}, Error: func(error) {}}
	var syntax []*ast.File
	for _, f := range files {
		syntax = append(syntax, f.syntax)
	}
	_, _ = cfg.Check(files[0].dir, t.fset, syntax, info)
	for _, f := range files {
		for _, target := range written(f) {
			if name := packageVariable(t, info, target); name != "" {
				out = append(out, finding{at(t, f, target), "writes the package variable " + name})
			}
		}
	}
	return out
}

// nothing is a types.Importer that finds no package.
type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, types.Error{Msg: "left out"} }

// written returns the operands that a file assigns, increments, takes the address
// of, or passes to a built-in function that changes them.
func written(f *file) (out []ast.Expr) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				out = append(out, n.Lhs...)
			}
		case *ast.IncDecStmt:
			out = append(out, n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				out = append(out, n.Key, n.Value)
			}
		case *ast.UnaryExpr:
			if _, literal := n.X.(*ast.CompositeLit); n.Op == token.AND && !literal {
				out = append(out, n.X)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, fn.Name) && len(n.Args) > 0 {
				out = append(out, n.Args[0])
			}
		}
		return true
	})
	return out
}

// packageVariable returns the name of the package variable, of this or another
// package of the repository, that an operand belongs to, or "".
func packageVariable(t *tree, info *types.Info, e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if id, ok := x.X.(*ast.Ident); ok {
				if pkg, ok := info.Uses[id].(*types.PkgName); ok {
					return foreignVariable(t, pkg.Imported().Path(), x.Sel.Name)
				}
			}
			e = x.X
		case *ast.Ident:
			v, ok := info.Uses[x].(*types.Var)
			if ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() && !testVariable(t, v) {
				return x.Name
			}
			return ""
		default:
			return ""
		}
	}
}

// testVariable reports whether a test declares v.
func testVariable(t *tree, v *types.Var) bool {
	return strings.HasSuffix(t.fset.Position(v.Pos()).Filename, "_test.go")
}

func foreignVariable(t *tree, importPath, name string) string {
	dir, ours := packageOf(importPath)
	if !ours {
		return ""
	}
	for _, f := range t.packages()[dir] {
		for _, spec := range variables(f) {
			for _, id := range spec.Names {
				if id.Name == name {
					return dir + "." + name
				}
			}
		}
	}
	return ""
}

func variables(f *file) (out []*ast.ValueSpec) {
	for _, d := range f.syntax.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				out = append(out, s.(*ast.ValueSpec))
			}
		}
	}
	return out
}

// changeable returns the package variables of channel types and of types of sync
// and sync/atomic.
func changeable(f *file) (names []string) {
	for _, spec := range variables(f) {
		kinds := []ast.Expr{spec.Type}
		for _, v := range spec.Values {
			switch v := v.(type) {
			case *ast.CompositeLit:
				kinds = append(kinds, v.Type)
			case *ast.CallExpr:
				if fn, ok := v.Fun.(*ast.Ident); ok && fn.Name == "make" {
					kinds = append(kinds, v.Args[0])
				}
			}
		}
		if slices.ContainsFunc(kinds, madeToChange) {
			names = append(names, spec.Names[0].Name)
		}
	}
	return names
}

func madeToChange(kind ast.Expr) bool {
	switch k := kind.(type) {
	case *ast.ChanType:
		return true
	case *ast.IndexExpr: // atomic.Pointer[T]
		return madeToChange(k.X)
	case *ast.SelectorExpr:
		x, ok := k.X.(*ast.Ident)
		return ok && (x.Name == "sync" || x.Name == "atomic")
	}
	return false
}

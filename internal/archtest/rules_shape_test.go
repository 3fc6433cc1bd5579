package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// noInit rejects init functions: main starts everything, in an order that can be
// read.
func noInit(t *tree) (out []finding) {
	for _, f := range t.files {
		f.functions(func(name string, fn *ast.FuncDecl) {
			if name == "init" {
				out = append(out, finding{f.path + " init", "call it from where it is needed"})
			}
		})
	}
	return out
}

// quietConstructors rejects constructors that start goroutines. The owner of a
// value decides when its work starts, and waits for its end.
func quietConstructors(t *tree) (out []finding) {
	for _, f := range t.product() {
		f.functions(func(name string, fn *ast.FuncDecl) {
			if fn.Body == nil || !(strings.HasPrefix(fn.Name.Name, "New") || strings.HasPrefix(fn.Name.Name, "Open")) {
				return
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if _, ok := n.(*ast.GoStmt); ok {
					out = append(out, finding{f.path + " " + name, "starts a goroutine: give the type a Run(ctx) error"})
				}
				return true
			})
		})
	}
	return out
}

// vagueNames lists package names that do not describe a purpose.
var vagueNames = []string{"util", "utils", "common", "helpers", "helper", "shared", "types", "models", "misc", "base"}

// packageNames rejects packages with a vague name.
func packageNames(t *tree) (out []finding) {
	for dir := range t.packages() {
		if slices.Contains(vagueNames, path.Base(dir)) {
			out = append(out, finding{dir, "name the package for what it does"})
		}
	}
	return out
}

// packageComments requires a package comment: the purpose and the place of the
// package. It starts with the current name of the package.
func packageComments(t *tree) (out []finding) {
	for dir, files := range t.packages() {
		i := slices.IndexFunc(files, func(f *file) bool { return f.syntax.Doc != nil })
		switch {
		case i < 0:
			out = append(out, finding{dir, "no package comment: state its purpose, its place on a path, and what it never does"})
		case !startsWithName(files[i].syntax):
			out = append(out, finding{dir, "the package comment starts with another name than that of the package"})
		}
	}
	return out
}

// startsWithName reports whether the comment of a package starts with its name. The comment of a
// command starts with the name of the program.
func startsWithName(f *ast.File) bool {
	return f.Name.Name == "main" || strings.HasPrefix(f.Doc.Text(), "Package "+f.Name.Name+" ")
}

// exportedDocs requires a doc comment on exported names.
func exportedDocs(t *tree) (out []finding) {
	for _, f := range t.product() {
		if f.syntax.Name.Name == "main" {
			continue
		}
		for _, d := range f.syntax.Decls {
			for _, name := range undocumented(d) {
				out = append(out, finding{f.path + " " + name, "exported without a doc comment"})
			}
		}
	}
	return out
}

func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := functionName(d)
		typ, method, isMethod := strings.Cut(name, ".")
		public := ast.IsExported(typ) && (!isMethod || ast.IsExported(method))
		if public && d.Doc == nil {
			names = append(names, name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

// looseEnd matches marks of unfinished work.
var looseEnd = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// looseEnds rejects marks of unfinished work: it belongs in an issue.
func looseEnds(t *tree) (out []finding) {
	for _, f := range t.files {
		for _, group := range f.syntax.Comments {
			if m := looseEnd.FindString(group.Text()); m != "" {
				out = append(out, finding{at(t, f, group), m + " left in a comment"})
			}
		}
	}
	for p, text := range t.texts {
		if m := looseEnd.FindString(text); m != "" {
			out = append(out, finding{p, m + " left in the text"})
		}
	}
	return out
}

// noSleep rejects time.Sleep in tests: such a test is slow when it passes, and
// fails on a busy machine.
func noSleep(t *tree) (out []finding) {
	for _, f := range t.files {
		if !f.test {
			continue
		}
		for _, call := range selectors(f, "time", "Sleep") {
			out = append(out, finding{at(t, f, call), "time.Sleep in a test: use testing/synctest or a channel"})
		}
	}
	return out
}

// selectors returns the uses of pkg.Name for any of the names, if f imports pkg.
func selectors(f *file, pkg string, names ...string) (out []ast.Node) {
	if !slices.Contains(f.imports(), pkg) {
		return nil
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, s.Sel.Name) {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == path.Base(pkg) {
				out = append(out, n)
			}
		}
		return true
	})
	return out
}

// at returns the file and the line of a node.
func at(t *tree, f *file, n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, t.fset.Position(n.Pos()).Line)
}

package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// noInit keeps starting up in main's hands, in an order that can be read.
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

// quietConstructors: whoever builds a value decides when its work starts and
// waits for its end. A constructor that starts a goroutine takes both away.
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

// drawers are package names that say nothing about what lives inside.
var drawers = []string{"util", "utils", "common", "helpers", "helper", "shared", "types", "models", "misc", "base"}

// speakingNames keeps such drawers from being opened.
func speakingNames(t *tree) (out []finding) {
	for room := range t.rooms() {
		if slices.Contains(drawers, path.Base(room)) {
			out = append(out, finding{room, "name the package for what it does"})
		}
	}
	return out
}

// packageComments: each package says what it is and where it stands.
func packageComments(t *tree) (out []finding) {
	for room, files := range t.rooms() {
		if !slices.ContainsFunc(files, func(f *file) bool { return f.syntax.Doc != nil }) {
			out = append(out, finding{room, "no package comment: what it is, where it stands, what it never does"})
		}
	}
	return out
}

// exportedDocs: an exported name without a contract is a guess.
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

// looseEnd matches the marks of work left for later.
var looseEnd = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// looseEnds: later is an issue or it is never.
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

// noSleep: a test that waits by the clock is slow when it passes and wrong
// when the machine is busy.
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

// selectors finds pkg.Name for any of the names, where pkg is an import.
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

// at is where a node stands, for people.
func at(t *tree, f *file, n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, t.fset.Position(n.Pos()).Line)
}

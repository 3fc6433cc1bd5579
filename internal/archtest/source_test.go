package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/toksta/toksta"

// tree is the source text of a module, parsed.
type tree struct {
	fset  *token.FileSet
	files []*file
	texts map[string]string // every text file that is not Go, by path
}

// file is one Go file.
type file struct {
	path   string // "internal/keys/keys.go"
	dir    string // its directory: "internal/keys", "." for the root
	test   bool
	source string
	syntax *ast.File
}

// imports lists the file's import paths.
func (f *file) imports() []string {
	var out []string
	for _, spec := range f.syntax.Imports {
		out = append(out, strings.Trim(spec.Path.Value, `"`))
	}
	return out
}

// functions calls visit for each declared function with its name: "New" or
// "Service.Create".
func (f *file) functions(visit func(name string, decl *ast.FuncDecl)) {
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			visit(functionName(fn), fn)
		}
	}
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	return receiver(fn.Recv.List[0].Type) + "." + fn.Name.Name
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return "?"
}

// product returns the files that are not tests.
func (t *tree) product() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool { return f.test })
}

// packages groups the product's files by directory.
func (t *tree) packages() map[string][]*file {
	out := map[string][]*file{}
	for _, f := range t.product() {
		out[f.dir] = append(out[f.dir], f)
	}
	return out
}

// lines counts the lines that a node spans.
func (t *tree) lines(n ast.Node) int {
	return t.fset.Position(n.End()).Line - t.fset.Position(n.Pos()).Line + 1
}

// parse builds a tree from sources by path.
func parse(tb testing.TB, sources map[string]string) *tree {
	tb.Helper()
	t := &tree{fset: token.NewFileSet(), texts: map[string]string{}}
	paths := make([]string, 0, len(sources))
	for p := range sources {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		if !strings.HasSuffix(p, ".go") {
			t.texts[p] = sources[p]
			continue
		}
		syntax, err := parser.ParseFile(t.fset, p, sources[p], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			tb.Fatalf("parse the module: %v", err)
		}
		t.files = append(t.files, &file{
			path: p, dir: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), source: sources[p], syntax: syntax,
		})
	}
	return t
}

// notOurs lists directories with generated or foreign text.
var notOurs = []string{"node_modules", "testdata", "demo-data", "toksta-data", "bin", "tools", "screenshots"}

// textual lists the extensions of text files that people write beside Go.
var textual = []string{".md", ".html", ".css", ".js", ".mjs", ".sql", ".yaml", ".yml"}

// load reads the repository that this test belongs to.
func load(tb testing.TB) *tree {
	tb.Helper()
	root := filepath.Join("..", "..")
	sources := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || slices.Contains(notOurs, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" && !slices.Contains(textual, filepath.Ext(name)) {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(p)
		sources[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		tb.Fatalf("read the module: %v", err)
	}
	return parse(tb, sources)
}

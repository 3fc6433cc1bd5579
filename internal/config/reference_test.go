package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write docs/config.md")

const referencePath = "../../docs/config.md"

const referenceHead = `# Configuration

Every setting, with its default and its environment variable. This page is generated from the configuration's types:
` + "`go test ./internal/config -run TestReference -update`" + `.

Your file contains only the settings that differ from the defaults. A list or a map in it replaces the default one as a whole.
A variable can set each single value, and takes precedence over the file. ` + "`toksta config check`" + ` lists every problem with its line and a fix;
` + "`toksta config print`" + ` prints the effective configuration, with secrets redacted; ` + "`toksta config default`" + ` prints the defaults with comments.
In the table, NAME stands for a name that you choose.
`

// Guarantee: the reference of the configuration names every setting with its default
// and its variable, as they are.
func TestReference(t *testing.T) {
	want := reference(t)
	if *update {
		if err := os.WriteFile(referencePath, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/config.md is out of date: go test ./internal/config -run TestReference -update (-want +got)\n%s", diff)
	}
}

// structs are the comments of the struct types of this package, by type name. The
// comment of a field is under "Type.Field".
type structs map[string]string

// parseStructs reads the comments of this package's types.
func parseStructs(t *testing.T) structs {
	t.Helper()
	out := structs{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok {
					doc := spec.Doc
					if doc == nil {
						doc = g.Doc
					}
					out.add(spec, doc)
				}
			}
		}
	}
	return out
}

// add adds the comments of a struct type and its fields.
func (s structs) add(spec *ast.TypeSpec, doc *ast.CommentGroup) {
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	s[spec.Name.Name] = oneLine(doc.Text())
	for _, f := range fields.Fields.List {
		for _, name := range f.Names {
			comment := strings.TrimPrefix(f.Doc.Text()+" "+f.Comment.Text(), name.Name+" ")
			s[spec.Name.Name+"."+name.Name] = oneLine(comment)
		}
	}
}

// oneLine joins the lines of a comment for a cell of a table.
func oneLine(comment string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(strings.Join(strings.Fields(comment), " "))
}

// reference returns the page.
func reference(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(referenceHead)
	comments := parseStructs(t)
	defaults := Default()
	defaults.Store.URL, defaults.Node.Name = "", "" // computed from the data directory and the host
	top := section{comments: comments, title: "Top level", of: reflect.ValueOf(defaults)}
	top.write(t, &b)
	return b.Bytes()
}

// section is a struct of the configuration with its path, such as "listen.tls".
type section struct {
	comments structs
	title    string
	path     string
	of       reflect.Value
	inList   bool // its fields have no variables
}

// write writes the table of the section, and then the sections in it.
func (s section) write(t *testing.T, b *bytes.Buffer) {
	t.Helper()
	name := s.of.Type().Name()
	fmt.Fprintf(b, "\n## %s\n\n", s.title)
	if s.path != "" {
		fmt.Fprintf(b, "%s\n\n", s.comments[name])
	}
	b.WriteString("| setting | default | meaning | variable |\n| --- | --- | --- | --- |\n")
	var inner []section
	for _, f := range fieldsOf(s.of.Type()) {
		v, path := s.of.Field(f.index), joinPath(s.path, f.name)
		comment := s.comments[name+"."+s.of.Type().Field(f.index).Name]
		if nested, ok := s.nested(v, path); ok {
			inner = append(inner, nested)
			if comment != "" {
				fmt.Fprintf(b, "| `%s` | | %s; see [below](#%s) | |\n", f.name, comment, anchor(nested.title))
			}
			continue
		}
		if comment == "" {
			t.Errorf("the setting %s has no comment in %s", path, name)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.name, s.value(t, v), comment, s.variable(v, path))
	}
	for _, nested := range inner {
		nested.write(t, b)
	}
}

// anchor returns the fragment of a heading.
func anchor(title string) string {
	return strings.NewReplacer("`", "", ".", "", "[]", "", " ", "-").Replace(strings.ToLower(title))
}

// nested returns the section of a value that is a struct, or a map or list of structs.
func (s section) nested(v reflect.Value, path string) (section, bool) {
	n := section{comments: s.comments, path: path, of: v, inList: s.inList}
	switch k := v.Kind(); {
	case k == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		n.path, n.of = path+".NAME", reflect.New(v.Type().Elem()).Elem()
	case k == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && s.comments[v.Type().Elem().Name()] != "":
		n.path, n.of, n.inList = path+"[]", reflect.New(v.Type().Elem()).Elem(), true
	case k != reflect.Struct || s.comments[v.Type().Name()] == "" || isScalar(addressable(v)):
		return n, false
	}
	n.title = "`" + n.path + "`"
	return n, true
}

// addressable returns a copy of v that has an address.
func addressable(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	return out
}

// value returns the default of a setting as YAML.
func (s section) value(t *testing.T, v reflect.Value) string {
	t.Helper()
	if v.IsZero() && (s.inList || v.Kind() == reflect.String || v.Kind() == reflect.Slice || v.Kind() == reflect.Map || strings.HasSuffix(s.path, ".NAME")) {
		return ""
	}
	text, err := yaml.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if value := strings.TrimSpace(string(text)); !strings.Contains(value, "\n") {
		return "`" + value + "`"
	}
	return "see `toksta config default`"
}

// variable returns the variable of a setting, "" for a list, a map and a setting in a
// list.
func (s section) variable(v reflect.Value, path string) string {
	if s.inList || !isScalar(addressable(v)) {
		return ""
	}
	return "`" + variablePrefix + strings.ToUpper(strings.NewReplacer(".", "_").Replace(path)) + "`"
}

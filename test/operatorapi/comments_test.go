package operatorapi

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// root is the directory of the repository.
const root = "../.."

// sourceDirs are the packages whose comments and constants are in the document.
var sourceDirs = []string{"sdk/toksta", "sdk/client", "internal/store", "internal/usage"}

// value is one declared value of an enumeration.
type value struct{ text, comment string }

// method is the method of the client that calls an operation.
type method struct{ name, comment string }

// source has the comments of the packages. A type is named "client.Account", its field
// "client.Account.Name".
type source struct {
	comments map[string]string
	values   map[string][]value // constants of a string type, in their order
	methods  map[string]method  // by the name of the operation, such as "accounts/create"
	json     map[string]string  // names of fields in JSON, by their Go names
}

// readSource parses the packages of sourceDirs.
func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{comments: map[string]string{}, values: map[string][]value{}, methods: map[string]method{}, json: map[string]string{}}
	for _, dir := range sourceDirs {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no Go files in %s: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			s.readFile(f.Name.Name, f)
		}
	}
	return s
}

// readFile adds the declarations of a file.
func (s *source) readFile(pkg string, f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if endpoint := calledOperation(d); endpoint != "" {
				s.methods[endpoint] = method{d.Name.Name, d.Doc.Text()}
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					s.addType(pkg, spec, d.Doc)
				case *ast.ValueSpec:
					s.addConstant(pkg, spec)
				}
			}
		}
	}
}

// calledOperation returns the operation that a method of the client calls, "" if it calls none.
func calledOperation(d *ast.FuncDecl) (name string) {
	if d.Recv == nil || !d.Name.IsExported() || d.Body == nil {
		return ""
	}
	ast.Inspect(d.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || name != "" {
			return true
		}
		for _, argument := range call.Args {
			literal, ok := argument.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				continue
			}
			text, _ := strconv.Unquote(literal.Value)
			_, generic := call.Fun.(*ast.IndexExpr)
			selector, _ := call.Fun.(*ast.SelectorExpr)
			if generic || selector != nil && selector.Sel.Name == "post" {
				name = text
			}
		}
		return true
	})
	return name
}

// addType adds the comments of a type and its fields.
func (s *source) addType(pkg string, spec *ast.TypeSpec, doc *ast.CommentGroup) {
	name := pkg + "." + spec.Name.Name
	if spec.Doc != nil {
		doc = spec.Doc
	}
	s.comments[name] = doc.Text()
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	// A comment before several fields, which an empty line follows, belongs to all of them.
	for _, f := range fields.Fields.List {
		for _, field := range f.Names {
			s.comments[name+"."+field.Name] = strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
			if f.Tag == nil || pkg != "client" {
				continue
			}
			tag, _ := strconv.Unquote(f.Tag.Value)
			inJSON, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			if inJSON != "" && inJSON != "-" {
				if known, ok := s.json[field.Name]; ok && known != inJSON {
					inJSON = "" // depends on the type
				}
				s.json[field.Name] = inJSON
			}
		}
	}
}

// addConstant adds a constant of a named string type.
func (s *source) addConstant(pkg string, spec *ast.ValueSpec) {
	kind, ok := spec.Type.(*ast.Ident)
	if !ok || len(spec.Values) != 1 {
		return
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return
	}
	name := pkg + "." + kind.Name
	s.values[name] = append(s.values[name], value{text, strings.TrimSpace(spec.Comment.Text())})
}

var (
	goLink   = regexp.MustCompile(`\[((?:\w+\.)*\w+)\]`)
	goMethod = regexp.MustCompile(`\bClient\.\w+`)
	goWord   = regexp.MustCompile(`(^|[.;:] +|\n\n|["'.-]|)\b([A-Z][A-Za-z]*)\b(\.\w| is| are| has| shows| selects| and)?`)
	forGo    = strings.NewReplacer(
		"see toksta.ValidateExternalID", "1 to 128 letters, digits and the symbols `-._~:@/+=|`, of which the first is a letter or a digit",
		"see toksta.ValidateMetadata", "at most 50 pairs, with names of 1 to 40 letters, digits and the symbols `-_.:/`, and values of 1 to 500 characters",
		"families of Plan.Entitled", "families in the list `entitled` of the plan",
		" [github.com/toksta/toksta/sdk/httpauth.Status] has the HTTP status of each.", "",
		"MaxImport rows", "10,000 rows", "the calls of VerifyBatch", "several calls",
		"A VerifyRequest contains a secret: fmt does not print it, but its JSON contains it.", "It contains a secret.", "the total of Usage", "the total of `usage`",
		"A nil ", "A missing ", "a nil ", "a missing ", "Nil ", "Its absence ", "nil:", "missing:", `"":`, "missing or empty:",
	)
)

// ownName is the key of a field's own name.
const ownName = ""

// forReaders converts the comment of a type or a field for readers who do not see the Go types: it
// names fields as in JSON, and joins the lines of a paragraph. own has the fields of the type and, under
// ownName, the field of the comment.
func (s *source) forReaders(comment string, own map[string]string) string {
	comment = goLink.ReplaceAllString(forGo.Replace(joinLines(comment)), "$1")
	comment = goMethod.ReplaceAllStringFunc(comment, func(match string) string {
		for operation, m := range s.methods {
			if match == "Client."+m.name {
				return "`" + operation + "`"
			}
		}
		return match
	})
	comment = goWord.ReplaceAllStringFunc(comment, func(match string) string {
		parts := goWord.FindStringSubmatch(match)
		before, word, after := parts[1], parts[2], parts[3]
		name := cmp.Or(own[word], s.json[word])
		switch {
		case strings.HasPrefix(after, ".") || before == `"` || before == "." || before == "'" || before == "-":
			return match // a part of another name, or of a text
		case strings.HasPrefix(comment, match) || before != "":
			// The first word of a sentence is a field only if a statement about it follows.
			if name = own[word]; after == "" && own[ownName] != word {
				name = ""
			}
		}
		if name == "" {
			return match
		}
		return before + "`" + name + "`" + after
	})
	return comment
}

// sentence returns a comment of a field as a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// The limits of the language rules, as shares.
const (
	maxNounLines = 0.02 // comment lines of a directory that use a clause as a noun
	maxIsDocs    = 0.05 // function docs of a directory that start "X is" or "X are"
)

// clauseNoun matches a pronoun that stands for a noun: "what is pending" for "the
// pending changes", "nobody" for "no other node". A relative clause behind its
// noun ("a caller who disconnects") and a question ("what to do next") pass.
var clauseNoun = regexp.MustCompile(`(?i)\b(what|whatever|whoever|whom|nobody|somebody|anybody)\b|(?:^|[^\w\s]\s*|\b(?:of|to|by|from|for|with|as|than|and|or|is|was|not|but|that|tells|says|knows|asks|sees|only|one) )who\b`)

// question matches uses of these words that are not nouns.
var question = regexp.MustCompile(`(?i)\bwhat to (do|run|change|write)\b|"[^"]*"`)

// nounClauses limits the comment lines of a directory in which a clause or an
// indefinite pronoun stands for a noun. The field has a noun for nearly all of
// them, and a reader who learned English from documentation knows that noun.
// Two lines in a small directory pass.
func nounClauses(t *tree) (out []finding) {
	byDir := map[string]*languageCount{}
	for _, f := range t.files {
		n := byDir[f.dir]
		if n == nil {
			n = &languageCount{}
			byDir[f.dir] = n
		}
		for _, group := range f.syntax.Comments {
			n.addLines(t, f, group)
		}
	}
	for dir, n := range byDir {
		if len(n.places) > 2 && float64(len(n.places)) > maxNounLines*float64(n.lines) {
			out = append(out, finding{dir, fmt.Sprintf("%d of %d comment lines use what, who, nobody or somebody as a noun, want at most %.0f %%; name the thing:\n\t%s",
				len(n.places), n.lines, 100*maxNounLines, strings.Join(n.places, "\n\t"))})
		}
	}
	return out
}

// languageCount counts a directory's comment lines and keeps the ones found.
type languageCount struct {
	lines  int
	places []string
}

func (n *languageCount) addLines(t *tree, f *file, group *ast.CommentGroup) {
	for _, c := range group.List {
		if strings.HasPrefix(c.Text, "//go:") {
			continue
		}
		first := t.fset.Position(c.Pos()).Line
		for i, line := range strings.Split(c.Text, "\n") {
			n.lines++
			text := strings.TrimSpace(strings.TrimLeft(line, "/* \t"))
			if clauseNoun.MatchString(question.ReplaceAllString(text, "")) {
				n.places = append(n.places, fmt.Sprintf("%s:%d %s", f.path, first+i, text))
			}
		}
	}
}

// verbDocs limits the function docs that start "X is". The doc of a function names
// its action: "Verify decides …".
func verbDocs(t *tree) (out []finding) {
	type count struct {
		docs   int
		places []string
	}
	byDir := map[string]*count{}
	for _, f := range t.files {
		n := byDir[f.dir]
		if n == nil {
			n = &count{}
			byDir[f.dir] = n
		}
		f.functions(func(_ string, fn *ast.FuncDecl) {
			words := strings.Fields(fn.Doc.Text())
			if len(words) < 2 {
				return
			}
			n.docs++
			if words[0] == fn.Name.Name && (words[1] == "is" || words[1] == "are") {
				n.places = append(n.places, at(t, f, fn)+" "+fn.Name.Name)
			}
		})
	}
	for dir, n := range byDir {
		if len(n.places) > 1 && float64(len(n.places)) > maxIsDocs*float64(n.docs) {
			out = append(out, finding{dir, fmt.Sprintf("%d of %d function docs start \"X is\", want at most %.0f %%; start with a verb:\n\t%s",
				len(n.places), n.docs, 100*maxIsDocs, strings.Join(n.places, "\n\t"))})
		}
	}
	return out
}

// emptyWords add nothing to a name.
var emptyWords = []string{"a", "an", "the", "of", "is", "are", "returns", "return", "gets", "sets", "its", "this", "s", "type"}

// saysMore rejects a doc comment that only repeats the name.
func saysMore(t *tree) (out []finding) {
	for _, f := range t.files {
		if f.test {
			continue
		}
		f.functions(func(name string, fn *ast.FuncDecl) {
			if repeatsName(name, fn.Doc.Text()) {
				out = append(out, finding{at(t, f, fn) + " " + name, "the comment only repeats the name: delete it, or add its contract"})
			}
		})
	}
	return out
}

func repeatsName(name, doc string) bool {
	if strings.TrimSpace(doc) == "" {
		return false
	}
	known := append(nameWords(name), emptyWords...)
	for _, w := range nameWords(doc) {
		if !slices.Contains(known, w) && !slices.Contains(known, strings.TrimSuffix(w, "s")) {
			return false
		}
	}
	return true
}

// nameWords splits text and identifiers into lower-case words: "NewID" into
// "new" and "id".
func nameWords(s string) []string {
	s = regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(s, "$1 $2")
	words := regexp.MustCompile(`[A-Za-z0-9]+`).FindAllString(s, -1)
	for i, w := range words {
		words[i] = strings.ToLower(w)
	}
	return words
}

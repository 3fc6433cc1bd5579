package setup

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	maxOperation   = 80 // bytes of the name of an operation
	maxName        = 40 // bytes of the name of a family
	maxDescription = 100

	// DefaultFamily is the family of operations without a tag.
	DefaultFamily = "api"
)

// isLetter reports whether r is a letter of ASCII.
func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// isDigit reports whether r is a digit of ASCII.
func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// operationName replaces the characters of s that the name of an operation cannot
// have by dots.
func operationName(s string) string {
	s = strings.Map(func(r rune) rune {
		if isLetter(r) || isDigit(r) || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '.'
	}, s)
	if s == "" || !isLetter(rune(s[0])) {
		s = "op" + s
	}
	return s[:min(len(s), maxOperation)]
}

// titleWords joins the words of a path, each with a capital: "/jobs/{id}" is
// "JobsId".
func titleWords(path string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(path, func(r rune) bool { return !isLetter(r) && !isDigit(r) }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// sentence makes a sentence of a problem without a final stop.
func sentence(problem string) string {
	return strings.ToUpper(problem[:1]) + problem[1:] + "."
}

// serverPath returns the path of a server's URL without a final slash.
func serverPath(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.EscapedPath(), "/")
}

// foreignScheme describes a security scheme other than a bearer credential, or
// returns "".
func foreignScheme(s openapi.Scheme) string {
	switch {
	case s.Type == "http" && s.Scheme != "bearer":
		return fmt.Sprintf("%s authentication (%s)", s.Scheme, s.Name)
	case s.Type == "apiKey" && !(s.In == "header" && strings.EqualFold(s.Param, "authorization")):
		return fmt.Sprintf("a key in the %s %s (%s)", strings.Replace(s.In, "query", "query parameter", 1), s.Param, s.Name)
	case s.Type == "oauth2", s.Type == "openIdConnect", s.Type == "mutualTLS":
		return fmt.Sprintf("%s (%s)", s.Type, s.Name)
	}
	return ""
}

// families are the families of the tags of a document.
type families struct {
	byTag map[string]string // name of the family of each tag
	list  []Family
	notes []Note
}

// newFamilies returns the families of a document's tags. The default family is the
// last one.
func newFamilies(doc *openapi.Document) families {
	f, listed := families{byTag: map[string]string{}}, map[string]bool{}
	for i, tag := range doc.Tags {
		name := familyName(tag.Name)
		switch {
		case name == "":
			name = fmt.Sprintf("family_%d", i+1)
			f.note("The family of the tag %q is %q, because a name has only letters, digits and _.", tag.Name, name)
		case name == string(toksta.FamilyAccount):
			name = "account_api"
			f.note("The family of the tag %q is %q, because the family account has Toksta's own endpoint.", tag.Name, name)
		}
		f.byTag[tag.Name] = name
		if listed[name] {
			f.note("The tag %q has the family %q of another tag.", tag.Name, name)
			continue
		}
		listed[name] = true
		f.list = append(f.list, Family{name, firstSentence(tag.Description, tag.Name)})
	}
	if !listed[DefaultFamily] {
		f.list = append(f.list, Family{DefaultFamily, "All other operations"})
	}
	return f
}

// note adds a note about a tag and the name of its family.
func (f *families) note(format, tag, name string) {
	f.notes = append(f.notes, Note{Message: fmt.Sprintf(format, tag, name)})
}

// of returns the family of an operation with these tags.
func (f *families) of(tags []string) string {
	if len(tags) == 0 {
		return DefaultFamily
	}
	return f.byTag[tags[0]]
}

// familyName returns the name of a family for a tag, or "" if the tag has no
// letter of ASCII.
func familyName(tag string) string {
	words := strings.FieldsFunc(tag, func(r rune) bool { return !isLetter(r) && !isDigit(r) })
	name := strings.TrimLeft(strings.ToLower(strings.Join(words, "_")), "0123456789_")
	return strings.TrimRight(name[:min(len(name), maxName)], "_")
}

// firstSentence returns the first sentence or line of a description, shortened, or
// instead if there is none.
func firstSentence(description, instead string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(description), "\n")
	line, _, _ = strings.Cut(line, ". ")
	line = strings.TrimSuffix(strings.Join(strings.Fields(line), " "), ".")
	if line == "" {
		line = instead
	}
	if runes := []rune(line); len(runes) > maxDescription {
		line = string(runes[:maxDescription-1]) + "…"
	}
	return line
}

package brand

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Toksta is the product name of the shipped configuration. Its pages show Toksta's own mark.
const Toksta = "Toksta"

// Look is the look of the vendor's pages, with checked values.
type Look struct {
	Product        string
	EnvVar         string // variable of the key in examples
	Hue            int    // of the default palette, if Accent is nil
	Accent         *Color
	Logo, LogoDark *Logo  // nil: none
	Variables      string // declarations that ParseVariables returned
}

// Declarations returns the custom properties that replace those of the stylesheet. Later ones have
// precedence.
func (l Look) Declarations() string {
	var out []string
	if l.Accent != nil {
		out = append(out, NewPalette(*l.Accent).Declarations())
	}
	if l.Variables != "" {
		out = append(out, l.Variables)
	}
	return strings.Join(out, " ")
}

// Initial returns the first letter or digit of the product in upper case, "" for the product
// Toksta and for a name without one.
func (l Look) Initial() string {
	if l.Product == "" || l.Product == Toksta {
		return ""
	}
	for _, r := range l.Product {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return ""
}

// EnvVar returns the environment variable for a key of the product: "WEATHER_API_KEY" for "Weather"
// and for "Weather API".
func EnvVar(product string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(product) {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(unicode.ToUpper(r))
		case unicode.Is(unicode.Mn, r): // an accent of the letter before it
		default:
			b.WriteByte(' ')
		}
	}
	words := strings.Fields(b.String())
	if n := len(words); n > 0 && words[n-1] == "API" {
		words = words[:n-1]
	}
	name := strings.Join(append(words, "API_KEY"), "_")
	if unicode.IsDigit(rune(name[0])) {
		return "API_KEY"
	}
	return name
}

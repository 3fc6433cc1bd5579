package brand

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// MaxVariables bounds a file of CSS variables, in bytes.
const MaxVariables = 64 << 10

// ColorVariables and FontVariables return the names of the variables that a file can set, without
// the leading "--". docs/branding.md describes them.
func ColorVariables() []string {
	return []string{
		"canvas", "surface", "inset", "line", "edge", "control", "text", "text-2", "text-3",
		"accent", "accent-hover", "on-accent", "accent-graphic", "accent-text", "accent-soft", "accent-mute",
		"ok", "ok-soft", "ok-dot", "ok-line", "warn", "warn-soft", "warn-line",
		"bad", "bad-soft", "bad-line", "bad-fill", "bad-hover", "refused", "near", "tip",
	}
}

// FontVariables returns the names of the variables that hold a list of font families.
func FontVariables() []string { return []string{"sans", "mono"} }

var (
	commentPattern     = regexp.MustCompile(`(?s)/\*.*?\*/`)
	blockPattern       = regexp.MustCompile(`(?s)^\s*:root\s*\{([^{}]*)\}`)
	declarationPattern = regexp.MustCompile(`^--([a-z0-9-]+)\s*:\s*([^:]+)$`)
	hexPattern         = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`)
	numberPattern      = regexp.MustCompile(`^[-+]?[0-9]*\.?[0-9]+(%|deg|turn|rad)?$`)
	wordPattern        = regexp.MustCompile(`^[a-zA-Z]+$`)
	fontPattern        = regexp.MustCompile(`^("[A-Za-z0-9 ._-]+"|'[A-Za-z0-9 ._-]+'|[A-Za-z][A-Za-z0-9 -]*)$`)
	tokenPattern       = regexp.MustCompile(`[a-zA-Z-]+\(|[(),/]|[^\s(),/]+`)
)

// colorFunctions returns the functions of CSS that a color may use.
func colorFunctions() []string {
	return []string{"light-dark(", "rgb(", "rgba(", "hsl(", "hsla(", "hwb(", "lab(", "lch(", "oklab(", "oklch(", "color-mix("}
}

// ParseVariables checks a file of CSS variables and returns its declarations on one line. The file
// consists of comments and blocks ":root { --name: value; }" with documented names. It cannot load
// anything: the values are colors and names of fonts on the reader's device. An error names the
// line.
func ParseVariables(data []byte) (string, error) {
	if len(data) > MaxVariables {
		return "", fmt.Errorf("the file has %d bytes, at most %d are allowed", len(data), MaxVariables)
	}
	// Comments keep their line breaks, so that errors name the right line.
	rest := commentPattern.ReplaceAllStringFunc(string(data), func(c string) string {
		return strings.Repeat("\n", strings.Count(c, "\n")) + " "
	})
	var out []string
	line := 1
	for strings.TrimSpace(rest) != "" {
		block := blockPattern.FindStringSubmatchIndex(rest)
		if block == nil {
			line += strings.Count(rest[:len(rest)-len(strings.TrimLeft(rest, " \t\r\n"))], "\n")
			return "", fmt.Errorf("line %d: only blocks :root { --name: value; } are allowed", line)
		}
		at := line + strings.Count(rest[:block[2]], "\n")
		for text := range strings.SplitSeq(rest[block[2]:block[3]], ";") {
			start := at + strings.Count(text[:len(text)-len(strings.TrimLeft(text, " \t\r\n"))], "\n")
			at += strings.Count(text, "\n")
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			declaration, err := checkDeclaration(text)
			if err != nil {
				return "", fmt.Errorf("line %d: %w", start, err)
			}
			out = append(out, declaration)
		}
		line += strings.Count(rest[:block[1]], "\n")
		rest = rest[block[1]:]
	}
	return strings.Join(out, " "), nil
}

// checkDeclaration returns a declaration in its normal form.
func checkDeclaration(text string) (string, error) {
	m := declarationPattern.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%q is not a variable: write --name: value;", text)
	}
	name, value := m[1], strings.Join(strings.Fields(m[2]), " ")
	switch {
	case slices.Contains(ColorVariables(), name):
		if !isColor(value) {
			return "", fmt.Errorf("%q is not a color: write #rrggbb, oklch(…), or light-dark(…, …) with two of them", value)
		}
	case slices.Contains(FontVariables(), name):
		for font := range strings.SplitSeq(value, ",") {
			if !fontPattern.MatchString(strings.TrimSpace(font)) {
				return "", fmt.Errorf("%q is not a list of font names", value)
			}
		}
	default:
		return "", fmt.Errorf("there is no variable --%s: the variables are --%s", name, strings.Join(append(ColorVariables(), FontVariables()...), ", --"))
	}
	return "--" + name + ": " + value + ";", nil
}

// isColor reports whether value is one color: a hexadecimal color, a word, or the call of a known
// function, whose arguments are colors, numbers and words.
func isColor(value string) bool {
	depth, values := 0, 0
	for _, token := range tokenPattern.FindAllString(value, -1) {
		if depth == 0 {
			values++
		}
		switch {
		case strings.HasSuffix(token, "("):
			if !slices.Contains(colorFunctions(), token) {
				return false
			}
			depth++
		case token == ")":
			if depth--; depth < 0 {
				return false
			}
		case token == "," || token == "/":
			if depth == 0 {
				return false
			}
		case numberPattern.MatchString(token) && depth == 0,
			!hexPattern.MatchString(token) && !numberPattern.MatchString(token) && !wordPattern.MatchString(token):
			return false
		}
	}
	return depth == 0 && values == 1
}

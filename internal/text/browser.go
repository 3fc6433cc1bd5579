package text

import (
	"slices"
	"strings"
)

// token is a part of a User-Agent field, with the name for people.
type token struct{ mark, name string }

// browsers returns the tokens of known programs. The first one that is found counts, because browsers
// also name the ones that they descend from.
func browsers() []token {
	return []token{
		{"Edg/", "Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"HeadlessChrome/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
	}
}

// systems returns the tokens of known operating systems.
func systems() []token {
	return []token{
		{"iPhone", "iOS"},
		{"iPad", "iPadOS"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
}

// Browser returns the names of the browser and the system of a User-Agent
// field: "Firefox on macOS". For an unknown browser it returns the first word
// of the field, shortened, and for an empty field "Unknown".
func Browser(agent string) string {
	name := pick(agent, browsers())
	if name == "" {
		name, _, _ = strings.Cut(strings.TrimSpace(agent), "/")
		if name == "" {
			return "Unknown"
		}
		word := []rune(name)
		return string(word[:min(len(word), 40)])
	}
	system := pick(agent, systems())
	if system == "" {
		return name
	}
	return name + " on " + system
}

// IsKnownBrowser reports whether a result of Browser consists of known names only. The name of an
// unknown program is text that the client chose.
func IsKnownBrowser(browser string) bool {
	name, system, hasSystem := strings.Cut(browser, " on ")
	return isNamed(browsers(), name) && (!hasSystem || isNamed(systems(), system))
}

// isNamed reports whether one of the tokens has a name.
func isNamed(tokens []token, name string) bool {
	return slices.ContainsFunc(tokens, func(t token) bool { return t.name == name })
}

// pick returns the name of the first token whose mark is in agent.
func pick(agent string, tokens []token) string {
	for _, t := range tokens {
		if strings.Contains(agent, t.mark) {
			return t.name
		}
	}
	return ""
}

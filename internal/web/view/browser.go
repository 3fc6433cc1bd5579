package view

import "strings"

// Browser returns the names of the browser and the system of a User-Agent
// field: "Firefox on macOS". For an unknown browser it returns the first word
// of the field, shortened, and for an empty field "Unknown".
func Browser(agent string) string {
	name := pick(agent, []token{
		{"Edg/", "Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"HeadlessChrome/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
	})
	if name == "" {
		name, _, _ = strings.Cut(strings.TrimSpace(agent), "/")
		if name == "" {
			return "Unknown"
		}
		word := []rune(name)
		return string(word[:min(len(word), 40)])
	}
	system := pick(agent, []token{
		{"iPhone", "iOS"},
		{"iPad", "iPadOS"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	})
	if system == "" {
		return name
	}
	return name + " on " + system
}

type token struct{ mark, name string }

// pick returns the name of the first token whose mark is in agent.
func pick(agent string, tokens []token) string {
	for _, t := range tokens {
		if strings.Contains(agent, t.mark) {
			return t.name
		}
	}
	return ""
}

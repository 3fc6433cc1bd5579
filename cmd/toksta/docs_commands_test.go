package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documented finds toksta at the start of code or of a line, with the words of a command after it.
var documented = regexp.MustCompile("(?m)(?:`|^|; |\\$\\()(?:bin/)?toksta((?: [a-z][a-z-]+)+)")

// Guarantee: every command that a page for operators names exists.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	integrations, err := filepath.Glob("../../docs/integrations/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(append(pages, integrations...), "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range documented.FindAllStringSubmatch(string(text), -1) {
			found++
			words := strings.Fields(match[1])
			cmd, rest, err := new(cli).rootCommand().Find(words)
			if err != nil || cmd.HasSubCommands() && len(rest) > 0 {
				t.Errorf("%s names toksta%s, which does not exist", page, match[1])
			}
		}
	}
	if found < 100 {
		t.Errorf("%d commands were found in the pages", found)
	}
}

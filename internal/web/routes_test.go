package web

import (
	"strings"
	"testing"
)

// Guarantee: each route that receives a form declares it, with a page that exists, so that no
// form is lost when the session ends before it is sent.
func TestEveryFormIsDeclared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	table := w.routes()
	pages := map[string]bool{}
	for _, pattern := range table.patterns {
		if path, found := strings.CutPrefix(pattern, "GET "); found {
			pages[path] = true
		}
	}
	for _, pattern := range table.patterns {
		if strings.HasPrefix(pattern, "GET ") {
			continue
		}
		f, declared := table.forms[pattern]
		if !declared || !strings.HasPrefix(pattern, "POST ") {
			t.Errorf("%s: register a page with GET by Handle and a form with POST by Form", pattern)
			continue
		}
		if !pages[f.page] {
			t.Errorf("%s: no page has the path %q that the form declares", pattern, f.page)
		}
	}
}

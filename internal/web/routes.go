package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// routes is the table of the pages: a multiplexer whose patterns are known, and whose routes
// of POST each declare their form.
type routes struct {
	mux      *http.ServeMux
	patterns []string
	forms    map[string]form // by pattern
}

// table registers pages and forms.
type table interface {
	Handle(pattern string, h http.Handler)
	Form(pattern string, f form, h http.Handler)
}

func newRoutes() *routes { return &routes{mux: http.NewServeMux(), forms: map[string]form{}} }

// form declares the form that a POST sends, for the case that the person must sign in again
// before the form is handled. Then the page with the form is shown again, with the kept
// fields, and the person sends it again.
type form struct {
	// page is the path of the page with the form, with the wildcards of the route. "": the
	// path of the route, which then serves a page.
	page string
	// keeps names the fields that are kept. None of them is a secret. A field in which a person
	// confirms an action by typing is not kept.
	keeps []string
	// action describes the form to a person who must confirm before it is handled, in a phrase
	// such as "revoke a key".
	action string
	// step states that the form leads to the page in its field next, as those that sign in and
	// confirm do. This page is shown instead of the form.
	step bool
}

// Handle registers a page. A form is registered by Form.
func (t *routes) Handle(pattern string, h http.Handler) {
	t.patterns = append(t.patterns, pattern)
	t.mux.Handle(pattern, h)
}

// HandleFunc registers a page like Handle.
func (t *routes) HandleFunc(pattern string, h http.HandlerFunc) { t.Handle(pattern, h) }

// Form registers a route that receives a form.
func (t *routes) Form(pattern string, f form, h http.Handler) {
	if f.page == "" {
		_, f.page, _ = strings.Cut(pattern, " ")
	}
	t.forms[pattern] = f
	t.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), formKey{}, f)))
	}))
}

type formKey struct{}

// formOf returns the declaration of the form that the request sends. The zero value stands for
// a page.
func formOf(r *http.Request) form {
	f, _ := r.Context().Value(formKey{}).(form)
	return f
}

// actionAt returns the action of the form on the page at an address, "" if no form has one.
func (t *routes) actionAt(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	_, pattern := t.mux.Handler(&http.Request{Method: http.MethodGet, URL: u})
	for _, p := range t.patterns {
		if f := t.forms[p]; f.action != "" && "GET "+f.page == pattern {
			return f.action
		}
	}
	return ""
}

// path returns the path of the page with the form that the request sends.
func (f form) path(r *http.Request) string {
	parts := strings.Split(f.page, "/")
	for i, part := range parts {
		if name, found := strings.CutPrefix(part, "{"); found {
			parts[i] = r.PathValue(strings.TrimSuffix(name, "}"))
		}
	}
	return strings.Join(parts, "/")
}

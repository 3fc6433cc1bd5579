package app

import (
	"net/http"

	"github.com/toksta/toksta/internal/api"
	"github.com/toksta/toksta/internal/docs"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
)

// addDocs adds the documentation page and its files to the endpoints without a key.
func (a *App) addDocs(open map[string]http.Handler) error {
	c, b := a.config, a.config.Branding
	if c.Endpoints.Docs == "" {
		return nil
	}
	look, err := b.Look()
	if err != nil {
		return err
	}
	document, err := c.Docs.Document()
	if err != nil {
		return err
	}
	var failures []docs.Error
	for _, f := range api.Failures() {
		failures = append(failures, docs.Error{Status: f.Status(), Code: string(f.Code), Meaning: f.Meaning})
	}
	page, err := docs.New(docs.Config{
		Look: look, Links: view.Links{Status: b.StatusURL, Support: b.SupportURL, Terms: b.TermsURL, More: footer(b.Links)},
		Path: c.Endpoints.Docs, JSON: c.Endpoints.Docs + "/json", List: c.Endpoints.Routes, AccountURL: c.PagesURL + "/account", PublicURL: c.PublicURL,
		Currency: a.catalog.Currency, Families: a.catalog.Families, Routes: a.catalog.Routes, Errors: failures,
		Document: document, Names: httpauth.NewNames(b.HeaderPrefix),
	})
	if err != nil {
		return err
	}
	open[c.Endpoints.Docs] = page
	for path, file := range page.Files() {
		open[path] = file
	}
	return nil
}

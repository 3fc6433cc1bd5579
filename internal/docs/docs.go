// Package docs renders the documentation of the vendor's API from the configured routes and, if
// there is one, the vendor's OpenAPI document. It renders that of the operator API from Toksta's own.
//
// The page has the look of the account pages. It reads no store. Descriptions are Markdown, in which
// HTML is shown as text.
package docs

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config has the data of the page.
type Config struct {
	Look       brand.Look
	Links      view.Links
	Path       string // of the page
	AccountURL string // of the account page
	PublicURL  string // of the API; "": a placeholder in examples
	JSON, List string // paths of the generated OpenAPI document and of the list of routes; "": none
	Currency   toksta.Currency
	Families   []toksta.FamilyInfo
	Routes     []toksta.Route
	Errors     []Error
	Document   *openapi.Document // nil: the vendor has none
	Names      *httpauth.Names
	// Operator states that the page documents the operator API: its calls have no price, and its
	// key is not one of an account.
	Operator bool
}

// Error is an error that every endpoint can respond with.
type Error struct {
	Status        int
	Code, Meaning string
}

// Docs serves the page. It is safe for concurrent use.
type Docs struct {
	config Config
	assets *page.Assets
	render *page.Renderer
	groups []Group
	whole  []byte // the page without a search
}

// New renders the page.
func New(c Config) (*Docs, error) {
	assets, err := page.LoadAssets(c.Look)
	if err != nil {
		return nil, err
	}
	render, err := page.New(assets, view.MoneyIn(c.Currency))
	if err != nil {
		return nil, err
	}
	d := &Docs{config: c, assets: assets, render: render}
	if d.groups, err = c.groups(); err != nil {
		return nil, err
	}
	d.whole, err = d.page("")
	return d, err
}

// Page is the data of the template.
type Page struct {
	Config
	Brand                       string
	Title, Version, Description string
	Query                       string
	Found                       int // operations on the page
	Groups                      []Group
}

// maxQuery bounds the text that a search compares, in bytes.
const maxQuery = 100

// page renders the operations that contain every word of a query.
func (d *Docs) page(query string) ([]byte, error) {
	p := Page{Brand: d.config.Look.Product, Config: d.config, Query: query}
	p.Title = d.config.Look.Product + " API"
	if doc := d.config.Document; doc != nil {
		p.Version, p.Description = doc.APIVersion, doc.Description
		if doc.Title != "" {
			p.Title = doc.Title
		}
	}
	words := strings.Fields(strings.ToLower(query))
	for _, g := range d.groups {
		found := g
		found.Operations = nil
		for _, o := range g.Operations {
			if o.contains(words) {
				found.Operations = append(found.Operations, o)
			}
		}
		if len(found.Operations) > 0 {
			p.Groups, p.Found = append(p.Groups, found), p.Found+len(found.Operations)
		}
	}
	var out bytes.Buffer
	name := "docs"
	if d.config.Operator {
		name = "operator"
	}
	err := d.render.Render(&out, name, p)
	return out.Bytes(), err
}

// ServeHTTP serves the page. The parameter q searches.
func (d *Docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, query := d.whole, r.URL.Query().Get("q")
	query = strings.TrimSpace(strings.ToValidUTF8(query[:min(len(query), maxQuery)], ""))
	if query != "" {
		var err error
		if body, err = d.page(query); err != nil {
			http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", page.Policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set(d.config.Names.Source, httpauth.SourceGateway)
	_, _ = w.Write(body)
}

// Assets returns the handler of all files under page.AssetPrefix.
func (d *Docs) Assets() http.Handler { return d.assets }

// Files returns the handlers of the page's files, by path.
func (d *Docs) Files() map[string]http.Handler {
	out := map[string]http.Handler{}
	for _, url := range d.assets.URLs() {
		out[url] = d.assets
	}
	return out
}

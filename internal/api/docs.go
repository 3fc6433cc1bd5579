package api

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"

	"github.com/toksta/toksta/sdk/toksta"
)

// The page and its stylesheet are embedded. Documentation that loads files from another
// host would reveal its readers to that host and depend on it.
var (
	//go:embed docs.html
	docsTemplate string
	//go:embed docs.css
	docsStyle []byte
)

// pagePolicy lets the page load its stylesheet and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// group holds the endpoints of one family. The page omits a group without endpoints.
type group struct {
	toksta.FamilyInfo
	Endpoints []toksta.Route
}

// page renders the documentation. Families and their routes keep the order of the
// configuration.
func page(c Config) ([]byte, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var groups []group
	for _, f := range c.Families {
		g := group{FamilyInfo: f}
		for _, r := range c.Routes {
			if r.Family == f.Name {
				g.Endpoints = append(g.Endpoints, r)
			}
		}
		groups = append(groups, g)
	}
	var out bytes.Buffer
	err = t.Execute(&out, struct {
		Config
		Groups   []group
		Failures []failure
	}{c, groups, failures()})
	return out.Bytes(), err
}

// docs serves GET /docs.
func (a *API) docs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	a.send(w, "text/html; charset=utf-8", http.StatusOK, a.page)
}

// docsJSON serves GET /docs/json.
func (a *API) docsJSON(w http.ResponseWriter, _ *http.Request) {
	a.send(w, "application/json", http.StatusOK, a.openAPI)
}

// style serves GET /docs/style.css.
func (a *API) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	a.send(w, "text/css; charset=utf-8", http.StatusOK, docsStyle)
}

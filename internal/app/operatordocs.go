package app

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/toksta/toksta/docs"
	"github.com/toksta/toksta/internal/brand"
	apidocs "github.com/toksta/toksta/internal/docs"
	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// The paths of the operator API's documents.
const (
	operatorOpenAPI = client.PathPrefix + "openapi.json"
	operatorDocs    = client.PathPrefix + "docs"
)

// operatorDocuments returns the handlers of the OpenAPI document of the operator API and of the
// page that is rendered from it, by path. They need no credential: a browser cannot send one for
// a page, and they are equal in all installations of this version.
func operatorDocuments() (map[string]http.Handler, error) {
	compress, err := compressor()
	if err != nil {
		return nil, err
	}
	// Most servers never show the page, so rendering it waits for the first request.
	load := sync.OnceValues(newOperatorDocs)
	rendered := func(of func(*apidocs.Docs) http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, err := load()
			if err != nil {
				http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
				return
			}
			of(d).ServeHTTP(w, r)
		})
	}
	return all(compress, map[string]http.Handler{
		operatorOpenAPI:  http.HandlerFunc(serveOperatorOpenAPI),
		operatorDocs:     rendered(func(d *apidocs.Docs) http.Handler { return d }),
		page.AssetPrefix: rendered((*apidocs.Docs).Assets),
	}), nil
}

// serveOperatorOpenAPI serves the document as it is in the repository.
func serveOperatorOpenAPI(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, docs.OperatorOpenAPI)
}

// newOperatorDocs renders the page, with a family of operations for each tag of the document.
func newOperatorDocs() (*apidocs.Docs, error) {
	document, err := openapi.Parse([]byte(docs.OperatorOpenAPI))
	if err != nil {
		return nil, err
	}
	c := apidocs.Config{
		Look: brand.Look{Product: brand.Toksta}, Path: operatorDocs, JSON: operatorOpenAPI, PublicURL: "https://operator.example.com",
		Document: document, Names: httpauth.NewNames(httpauth.DefaultPrefix), Operator: true,
	}
	for _, t := range document.Tags {
		c.Families = append(c.Families, toksta.FamilyInfo{Name: toksta.Family(t.Name), Description: t.Description})
	}
	for _, r := range commonFailures(document.Operations) {
		status, err := strconv.Atoi(r.Status)
		if err != nil {
			return nil, err
		}
		c.Errors = append(c.Errors, apidocs.Error{Status: status, Meaning: r.Description})
	}
	for _, o := range document.Operations {
		family, _, _ := strings.Cut(strings.TrimPrefix(o.Path, client.PathPrefix), "/")
		c.Routes = append(c.Routes, toksta.Route{Method: o.Method, Pattern: o.Path, Operation: o.ID, Family: toksta.Family(family)})
	}
	return apidocs.New(c)
}

// commonFailures returns the responses with an error that all operations have, and removes them
// from the operations, so that the page shows them once. Other errors of an operation keep only
// their description: their bodies have the same form.
func commonFailures(operations []openapi.Operation) (common []openapi.Response) {
	count := map[string]int{}
	for _, o := range operations {
		for _, r := range o.Responses {
			count[r.Status]++
		}
	}
	isCommon := func(r openapi.Response) bool { return !isSuccess(r) && count[r.Status] == len(operations) }
	for i := range operations {
		o := &operations[i]
		if i == 0 {
			common = slices.DeleteFunc(slices.Clone(o.Responses), func(r openapi.Response) bool { return !isCommon(r) })
		}
		o.Responses = slices.DeleteFunc(o.Responses, isCommon)
		for j, r := range o.Responses {
			if !isSuccess(r) {
				o.Responses[j].Content, o.Responses[j].Headers = nil, nil
			}
		}
	}
	return common
}

// isSuccess reports whether r is the response of a successful request.
func isSuccess(r openapi.Response) bool { return strings.HasPrefix(r.Status, "2") }

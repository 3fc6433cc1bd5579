package config

import (
	"strings"

	"github.com/toksta/toksta/internal/openapi"
)

// Docs configures the documentation page.
type Docs struct {
	OpenAPI string `yaml:"openapi"` // file, JSON or YAML; "": the page shows only the routes
}

// Document reads the vendor's OpenAPI document, nil if there is none. check has validated it, but
// it could have changed since.
func (d Docs) Document() (*openapi.Document, error) {
	if d.OpenAPI == "" {
		return nil, nil
	}
	return readFile(d.OpenAPI, openapi.MaxSize, openapi.Parse)
}

// checkDocs requires a document that can be read.
func (c *checker) checkDocs() {
	if _, err := c.cfg.Docs.Document(); err != nil {
		message := strings.TrimSuffix(err.Error(), ".")
		c.report("docs.openapi", strings.ToUpper(message[:1])+message[1:]+".", "name an OpenAPI document of version 3.0 or 3.1, in JSON or YAML")
	}
}

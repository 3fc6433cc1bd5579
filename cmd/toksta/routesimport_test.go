package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/setup"
)

// Every operation of a large public API becomes a route or is in the report, and
// the configuration with these routes is valid.
func TestImportPublicDocuments(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"box": 235, "digitalocean": 285, "github": 660} {
		doc := publicDocument(t, name)
		answers := setup.Answers{Product: name, PublicURL: "http://localhost:8080", Backend: "http://127.0.0.1:9000", Prefix: setup.Prefix(name), Data: "data"}
		answers.Mapping = setup.Map(doc, setup.Options{Upstream: setup.Upstream})
		c := &cli{err: io.Discard}
		cfg, invalid, err := c.fit("toksta.yaml", &answers.Mapping, func() (draft, error) {
			return draft{setup.New(answers), answers.Mapping.Routes, 0}, nil
		})
		if err != nil || invalid != nil {
			t.Errorf("%s: %v %v", name, err, invalid)
			continue
		}
		m := answers.Mapping
		if len(m.Routes)+len(m.LeftOut) != len(doc.Operations) || len(doc.Operations) < 200 {
			t.Errorf("%s: %d routes and %d left out of %d operations", name, len(m.Routes), len(m.LeftOut), len(doc.Operations))
		}
		if len(m.Routes) < least || len(cfg.Routes) != len(m.Routes) {
			t.Errorf("%s: only %d routes; left out: %v", name, len(m.Routes), m.LeftOut)
		}
		for _, n := range m.LeftOut {
			if n.Where == "" || n.Message == "" || n.Line == 0 {
				t.Errorf("%s: incomplete note %+v", name, n)
			}
		}
		again, err := setup.Merge(setup.New(answers), m, false)
		if err != nil || !again.IsEmpty() {
			t.Errorf("%s: a second import changes %d routes: %v", name, len(again.Added)+len(again.Removed), err)
		}
	}
}

// Only a route that was imported is left out for a problem of the configuration:
// any other problem stops the import.
func TestFitKeepsForeignProblems(t *testing.T) {
	m := setup.Mapping{Routes: []setup.Route{{Method: "GET", Path: "/a", Operation: "a", Family: "api", Upstream: "backend"}}}
	c := &cli{err: io.Discard}
	_, invalid, err := c.fit("toksta.yaml", &m, func() (draft, error) {
		return draft{strings.Replace(config.DefaultYAML, "credits: 10,", "credits: -10,", 1), m.Routes, 1000}, nil
	})
	if err != nil || invalid == nil || len(m.Routes) != 1 || len(m.LeftOut) != 0 {
		t.Errorf("%v %v %+v", invalid, err, m)
	}
}

// publicDocument parses a document of a public API.
func publicDocument(t *testing.T, name string) *openapi.Document {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "internal", "openapi", "testdata", "public", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	// MaxSize is the largest document that Parse reads, in bytes.
	MaxSize = 32 << 20

	maxNodes      = 2_000_000 // of a document, so that a small text does not become gigabytes
	maxDepth      = 200       // of nested values
	maxProblems   = 500
	maxOperations = 5_000

	maxAllFields   = 300_000  // of all bodies; bodies of one schema count once
	maxAllExamples = 32 << 20 // of the examples of all bodies, in bytes
)

// Parse reads a document in JSON or YAML. An error means that data is no OpenAPI
// document, or that it exceeds a limit; a part that cannot be read is a Problem
// of the document. The limits bound time and memory for any data.
func Parse(data []byte) (*Document, error) {
	root, err := load(data)
	if err != nil {
		return nil, err
	}
	r := &reader{root: target(root), names: map[*yaml.Node]map[string]*yaml.Node{}, schemas: map[*yaml.Node]schemaFields{}, values: map[*yaml.Node]Value{}, types: map[typeKey]string{}, budget: budget{maxAllFields, maxAllExamples}}
	if err := r.checkVersion(); err != nil {
		return nil, err
	}
	return r.document(), nil
}

// contentPattern matches a line that is more than a comment.
var contentPattern = regexp.MustCompile(`(?m)^\s*[^#\s]`)

// load parses data into nodes. JSON has a parser of its own, because YAML rejects
// some JSON: tabs before a value, and escapes of surrogate pairs.
func load(data []byte) (*yaml.Node, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the document has %d bytes, the limit is %d", len(data), MaxSize)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		return loadJSON(data)
	}
	// Each node of a YAML text needs at least one of these characters.
	if bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte(",")) > maxNodes/2 {
		return nil, fmt.Errorf("the document has more than %d values", maxNodes/2)
	}
	if !contentPattern.Match(data) {
		return nil, errors.New("the document is empty")
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc, yaml.WithPlugin(depthLimit{})); err != nil {
		if one, ok := errors.AsType[*yaml.LoadError](err); ok {
			return nil, fmt.Errorf("the document is not YAML: line %d: %s", one.Mark.Line, one.Message)
		}
		return nil, fmt.Errorf("the document is not YAML: %w", err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil, errors.New("the document is empty")
	}
	return doc.Content[0], nil
}

// depthLimit limits the depth of a YAML document. Aliases need no limit: the
// nodes keep them as pointers.
type depthLimit struct{}

// CheckDepth rejects a depth above maxDepth.
func (depthLimit) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d nested values", maxDepth)
	}
	return nil
}

// CheckAlias accepts any number of aliases.
func (depthLimit) CheckAlias(int, int) error { return nil }

// checkVersion returns an error unless the document states OpenAPI 3.
func (r *reader) checkVersion() error {
	version := text(r.get(r.root, "openapi"))
	switch {
	case strings.HasPrefix(version, "3."):
		return nil
	case r.get(r.root, "swagger") != nil:
		return fmt.Errorf("the document is in the format Swagger %s; convert it to OpenAPI 3.0 or 3.1 first", text(r.get(r.root, "swagger")))
	case version != "":
		return fmt.Errorf("the document is in the version %q of OpenAPI; 3.0 and 3.1 are supported", version)
	}
	return errors.New("this is not an OpenAPI document: it has no field openapi, such as openapi: 3.1.0")
}

// document reads the whole document.
func (r *reader) document() *Document {
	info := r.get(r.root, "info")
	r.servers = r.readServers(r.get(r.root, "servers"))
	doc := &Document{
		Version: text(r.get(r.root, "openapi")), Title: text(r.get(info, "title")),
		APIVersion: text(r.get(info, "version")), Description: text(r.get(info, "description")),
		Servers: r.servers,
	}
	paths := r.get(r.root, "paths")
	if paths == nil {
		r.problem(0, "The document has no paths.")
	}
	for path, item := range r.pairs(paths) {
		if strings.HasPrefix(path.Value, "x-") {
			continue
		}
		doc.Operations = append(doc.Operations, r.pathItem(path, item)...)
		if len(doc.Operations) > maxOperations {
			doc.Operations = doc.Operations[:maxOperations]
			r.where = ""
			r.problem(path.Line, fmt.Sprintf("The document has more than %d operations; the others are left out.", maxOperations))
			break
		}
	}
	r.where = ""
	if hooks := r.get(r.root, "webhooks"); hooks != nil && len(hooks.Content) > 0 {
		r.problem(hooks.Line, "The webhooks are calls to your customers, so they are no operations of the API.")
	}
	doc.Tags = r.tags(doc.Operations)
	doc.Problems = r.problems
	return doc
}

// tags lists the declared tags, and then the other tags of operations.
func (r *reader) tags(operations []Operation) []Tag {
	var out []Tag
	seen := map[string]bool{}
	add := func(t Tag) {
		if t.Name != "" && !seen[t.Name] {
			seen[t.Name] = true
			out = append(out, t)
		}
	}
	for _, t := range items(r.get(r.root, "tags")) {
		add(Tag{Name: text(r.get(t, "name")), Description: text(r.get(t, "description"))})
	}
	for _, o := range operations {
		for _, name := range o.Tags {
			add(Tag{Name: name})
		}
	}
	return out
}

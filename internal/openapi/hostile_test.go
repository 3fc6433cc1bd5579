package openapi

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Guarantee: a small document does not need the time or the memory that its references and
// variables could multiply to. Without a limit, each of these documents needs more than
// minutes, or more than gigabytes.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	paths := func(body string) string {
		return "paths: {/a: {post: {requestBody: {content: {application/json: " + body + "}}}}}\n"
	}
	variables := ""
	for i := range 60 {
		variables += fmt.Sprintf("v%d: {default: '{v%d}{v%d}'}, ", i, i+1, i+1)
	}
	arrays := strings.Repeat("array, ", 1000)
	parts := strings.Repeat("{type: array, items: {$ref: '#/components/schemas/S'}, oneOf: [{$ref: '#/components/schemas/S'}, {type: array, items: {$ref: '#/components/schemas/S'}}]}, ", maxParts)
	var names strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&names, "n%d: x, ", i)
	}
	for name, text := range map[string]string{
		"variables of a server": "servers: [{url: 'http://a/{v0}', variables: {" + variables + "}}]\n" + paths("{}"),
		"repeated types":        "components: {schemas: {S: {type: [" + arrays + "], items: {$ref: '#/components/schemas/S'}}}}\n" + paths("{schema: {$ref: '#/components/schemas/S'}}"),
		"parts of an array":     "components: {schemas: {S: {allOf: [" + parts + "]}}}\n" + paths("{schema: {$ref: '#/components/schemas/S'}}"),
		"example in itself":     paths("{example: &self {me: *self, " + names.String() + "}}"),
	} {
		done := make(chan error, 1)
		go func() {
			_, err := Parse([]byte("openapi: 3.1.0\n" + text))
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: not read after 30 s", name)
		}
	}
}

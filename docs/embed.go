// Package docs embeds the documents of this directory that the program serves.
package docs

import _ "embed" // for OperatorOpenAPI

// OperatorOpenAPI is the OpenAPI 3.1 document of the operator API, in JSON. A test generates it
// from the operations and their types.
//
//go:embed operator-openapi.json
var OperatorOpenAPI string

package api

import (
	"maps"
	"strconv"
	"strings"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// object is a JSON object of the document. The encoder sorts its keys, so nodes with the
// same configuration serve identical documents.
type object = map[string]any

// Failures lists the error codes of every endpoint with their meaning. The list is part
// of the public contract. It omits errors of HTTP itself, such as 405 and 413.
func Failures() []Failure {
	return []Failure{
		{toksta.CodeBadRequest, "The path, the query or the body is not valid (also VALIDATION_ERROR)."},
		{toksta.CodeUnauthorized, "No usable, known, live API key."},
		{toksta.CodeInsufficientCredits, "The balance is below the cost of the call."},
		{toksta.CodeForbidden, "Plan, billing, entitlement or the key's scopes do not allow the call."},
		{toksta.CodeNotFound, "Unknown endpoint or id."},
		{toksta.CodeRateLimited, "Over a rate limit; wait as long as Retry-After says."},
		{toksta.CodeInternal, "Unexpected server error."},
		{toksta.CodeNotImplemented, "The endpoint is listed but not implemented yet."},
	}
}

// Failure is an error code with its description.
type Failure struct {
	Code    toksta.Code
	Meaning string
}

// Status returns the HTTP status of the code.
func (f Failure) Status() int { return httpauth.Status(f.Code) }

// document describes the configured routes in OpenAPI 3.0.3, which every client generator
// supports.
func document(c Config) object {
	paths := object{}
	for _, r := range c.Routes {
		path, ok := paths[r.Pattern].(object)
		if !ok {
			path = object{}
			paths[r.Pattern] = path
		}
		for _, method := range methodsOf(r) {
			path[method] = c.operation(r, method)
		}
	}
	maps.Copy(paths, systemPaths(c.Endpoints))
	doc := object{
		"openapi": "3.0.3",
		"info":    object{"title": c.Name + " API", "version": c.Version},
		"paths":   paths,
		"components": object{
			"securitySchemes": object{"bearerAuth": object{"type": "http", "scheme": "bearer"}},
			"schemas":         schemas(),
			"responses":       responses(),
		},
		"tags": tags(c.Families),
	}
	if c.PublicURL != "" {
		doc["servers"] = []object{{"url": c.PublicURL}}
	}
	return doc
}

// operation describes a route. The payloads of the vendor are unknown, so a success is
// the envelope with any data.
func (c Config) operation(r toksta.Route, method string) object {
	responses := object{"2XX": object{
		"description": "The call succeeded.",
		"content":     jsonContent("Success"),
	}}
	for _, f := range Failures() {
		status := strconv.Itoa(f.Status())
		responses[status] = object{"$ref": "#/components/responses/" + string(f.Code)}
	}
	op := object{
		"operationId": c.operationID(r, method),
		"tags":        []string{string(r.Family)},
		"security":    []object{{"bearerAuth": []string{}}},
		"responses":   responses,
		"x-credits":   r.Credits,
	}
	if r.Public {
		op["tags"], op["security"] = []string{"system"}, []object{}
	}
	if parameters := parameters(r); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	return op
}

// methodsOf returns the methods of a route in lower case.
func methodsOf(r toksta.Route) []string {
	if r.Method == "*" {
		return []string{"get", "head", "post", "put", "patch", "delete", "options"}
	}
	return []string{strings.ToLower(r.Method)}
}

// operationID returns an id that is unique in the document: the operation, with the method if several
// methods have the operation.
func (c Config) operationID(r toksta.Route, method string) string {
	same := 0
	for _, other := range c.Routes {
		if other.Operation == r.Operation {
			same++
		}
	}
	if r.Method == "*" || same > 1 {
		return r.Operation + "_" + method
	}
	return r.Operation
}

// parameters returns the OpenAPI parameters of a route: those in its path and, only for
// the usage report, the query parameter month.
func parameters(r toksta.Route) []object {
	var out []object
	for segment := range strings.SplitSeq(r.Pattern, "/") {
		if strings.HasPrefix(segment, "{") {
			out = append(out, object{
				"name": strings.Trim(segment, "{}"), "in": "path", "required": true,
				"schema": object{"type": "string"},
			})
		}
	}
	if r.Operation == OperationUsage {
		out = append(out, object{
			"name": "month", "in": "query", "description": "YYYY-MM; the current month by default.",
			"schema": object{"type": "string", "pattern": `^\d{4}-\d{2}$`},
		})
	}
	return out
}

// systemPaths returns the endpoints without a key, except the documentation itself.
func systemPaths(at Endpoints) object {
	get := func(summary, schema string) object {
		return object{"get": object{
			"summary":   summary,
			"tags":      []string{"system"},
			"responses": object{"200": object{"description": summary, "content": jsonContent(schema)}},
		}}
	}
	out := object{
		at.Health:  get("The process responds.", "Plain"),
		at.Ready:   get("This node takes traffic.", "Plain"),
		at.Version: get("The program's version.", "Plain"),
		at.Routes:  get("Every endpoint of the API.", "Success"),
	}
	delete(out, "") // switched off
	return out
}

// responses returns the error responses, to which operations refer.
func responses() object {
	out := object{}
	for _, f := range Failures() {
		out[string(f.Code)] = object{"description": f.Meaning, "content": jsonContent("Error")}
	}
	return out
}

// schemas returns the schemas of the two envelopes and of the probes.
func schemas() object {
	text := object{"type": "string"}
	meta := object{
		"type": "object", "required": []string{"request_id"},
		"properties": object{"request_id": text, "trace_id": text},
	}
	return object{
		"Plain": object{"type": "object"},
		"Success": object{
			"type": "object", "required": []string{"success", "data", "meta"},
			"properties": object{
				"success": object{"type": "boolean", "enum": []bool{true}},
				"data":    object{"type": "object", "additionalProperties": true},
				"meta":    meta,
			},
		},
		"Error": object{
			"type": "object", "required": []string{"success", "error", "meta"},
			"properties": object{
				"success": object{"type": "boolean", "enum": []bool{false}},
				"error": object{
					"type": "object", "required": []string{"code", "message"},
					"properties": object{
						"code": text, "message": text,
						"details": object{"type": "object", "additionalProperties": true},
					},
				},
				"meta": meta,
			},
		},
	}
}

// tags returns a tag for each endpoint family.
func tags(families []toksta.FamilyInfo) []object {
	out := []object{{"name": "system", "description": "Endpoints without a key."}}
	for _, f := range families {
		out = append(out, object{"name": f.Name, "description": f.Description})
	}
	return out
}

// jsonContent describes a body with one of the schemas.
func jsonContent(schema string) object {
	return object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + schema}}}
}

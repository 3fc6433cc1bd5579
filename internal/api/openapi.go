package api

import (
	"maps"
	"strconv"
	"strings"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// object is a JSON object of the document. The encoder sorts its keys, so the
// document is the same bytes in every process with the same configuration.
type object = map[string]any

// failures are the codes that every endpoint may answer with, each with what
// it means to the caller. The list is the public contract; codes of the path in
// front of an endpoint (405, 413 and the like) are HTTP's own.
func failures() []failure {
	return []failure{
		{toksta.CodeBadRequest, "The path, the query or the body is not valid (also VALIDATION_ERROR)."},
		{toksta.CodeUnauthorized, "No usable, known, live API key."},
		{toksta.CodeInsufficientCredits, "The balance is below the cost of the call."},
		{toksta.CodeForbidden, "Plan, billing, entitlement or the key's scopes do not allow the call."},
		{toksta.CodeNotFound, "Unknown endpoint or id."},
		{toksta.CodeRateLimited, "Over the limit per minute; wait as long as Retry-After says."},
		{toksta.CodeInternal, "Unexpected server error."},
		{toksta.CodeNotImplemented, "The endpoint is listed but not implemented yet."},
	}
}

// failure is a code as the documents explain it.
type failure struct {
	Code    toksta.Code
	Meaning string
}

// Status is the code's HTTP status.
func (f failure) Status() int { return httpauth.Status(f.Code) }

// document describes the configured routes as OpenAPI 3.0.3, the version that
// every generator of clients reads.
func document(c Config) object {
	paths := object{}
	for _, r := range c.Routes {
		path, ok := paths[r.Pattern].(object)
		if !ok {
			path = object{}
			paths[r.Pattern] = path
		}
		path[strings.ToLower(r.Method)] = operation(r)
	}
	maps.Copy(paths, systemPaths())
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

// operation describes one route. The vendor's own payloads are not known here,
// so success is the envelope around anything.
func operation(r toksta.Route) object {
	answers := object{"2XX": object{
		"description": "The call succeeded.",
		"content":     jsonContent("Success"),
	}}
	for _, f := range failures() {
		status := strconv.Itoa(f.Status())
		answers[status] = object{"$ref": "#/components/responses/" + string(f.Code)}
	}
	op := object{
		"operationId": r.Operation,
		"tags":        []string{string(r.Family)},
		"security":    []object{{"bearerAuth": []string{}}},
		"responses":   answers,
		"x-credits":   r.Credits,
	}
	if parameters := parameters(r); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	return op
}

// parameters are the pattern's own, and the one query parameter that this
// system reads itself.
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

// systemPaths are the endpoints that need no key. The documentation itself is
// not among them: it is for people.
func systemPaths() object {
	get := func(summary, schema string) object {
		return object{"get": object{
			"summary":   summary,
			"tags":      []string{"system"},
			"responses": object{"200": object{"description": summary, "content": jsonContent(schema)}},
		}}
	}
	return object{
		"/health":  get("The process answers.", "Plain"),
		"/ready":   get("This node takes traffic.", "Plain"),
		"/version": get("The program's version.", "Plain"),
		"/v1/":     get("Every endpoint of the API.", "Success"),
	}
}

// responses are shared by reference: the error envelope is one for all.
func responses() object {
	out := object{}
	for _, f := range failures() {
		out[string(f.Code)] = object{"description": f.Meaning, "content": jsonContent("Error")}
	}
	return out
}

// schemas are the two envelopes, and the probes' bare objects.
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

// tags group operations by endpoint family.
func tags(families []toksta.FamilyInfo) []object {
	out := []object{{"name": "system", "description": "Endpoints without a key."}}
	for _, f := range families {
		out = append(out, object{"name": f.Name, "description": f.Description})
	}
	return out
}

// jsonContent is a body of one of the schemas.
func jsonContent(schema string) object {
	return object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + schema}}}
}

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/toksta"
)

// The values of Route.Access.
const (
	AccessKey    = "key"    // calls need a key
	AccessPublic = "public" // calls need no key, and belong to no account
)

// Route is one operation of the API, or several with the same path.
type Route struct {
	Method      Methods       `yaml:"method,flow"`            // one, a list, or "*"; GET includes HEAD unless HEAD is listed
	Path        string        `yaml:"path"`                   // {id} matches one segment, a final * the rest
	Operation   string        `yaml:"operation"`              // name for logs and documentation; default: from method and path
	Family      toksta.Family `yaml:"family"`                 // group that plans and scopes admit; "" for a public route
	Upstream    string        `yaml:"upstream"`               // default: the only one; "" for the family account, which Toksta serves
	CostKey     string        `yaml:"cost_key"`               // name under which usage groups its calls; default: the operation
	Credits     int64         `yaml:"credits"`                // per call with a status below 400
	Weight      *int          `yaml:"weight,omitempty"`       // number of calls as which a call counts in the rate windows; default 1
	Access      string        `yaml:"access,omitempty"`       // key (default), or public
	StripPrefix string        `yaml:"strip_prefix,omitempty"` // removed from the path for the back end
	Rewrite     string        `yaml:"rewrite,omitempty"`      // the path for the back end, with parameters of path
	MaxBody     Size          `yaml:"max_body,omitempty"`     // of a request; default gateway.max_body
	Timeout     time.Duration `yaml:"timeout,omitempty"`      // without progress, until the header of the response; default that of the upstream
}

// Methods lists methods. In the file it is a list or, for one method, text.
type Methods []string

// UnmarshalYAML accepts text and a list.
func (m *Methods) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*m = Methods{n.Value}
		return nil
	}
	return n.Load((*[]string)(m))
}

// MarshalYAML encodes one method as text.
func (m Methods) MarshalYAML() (any, error) {
	if len(m) == 1 {
		return m[0], nil
	}
	return []string(m), nil
}

// setRouteDefaults sets the upstream and the operation of routes that do not state them.
func (c *checker) setRouteDefaults() {
	only := ""
	if len(c.cfg.Upstreams) == 1 {
		for name := range c.cfg.Upstreams {
			only = name
		}
	}
	for i := range c.cfg.Routes {
		r := &c.cfg.Routes[i]
		if r.Upstream == "" && r.Family != toksta.FamilyAccount {
			r.Upstream = only
		}
		switch {
		case r.Operation != "":
		case r.Family == toksta.FamilyAccount:
			r.Operation = OperationUsage
		default:
			r.Operation = operationName(r.Method, r.Path)
		}
	}
}

// maxOperation is the length of the longest operation.
const maxOperation = 80

// operationSeparators matches the text between two words of an operation.
var operationSeparators = regexp.MustCompile(`[^A-Za-z0-9]+`)

// operationName returns the operation of a route without a configured one: GET /forecast/{city} is
// get_forecast_by_city. It depends on nothing but the route, so that usage keeps its name.
func operationName(methods []string, path string) string {
	words := []string{strings.ToLower(strings.Join(methods, "_"))}
	if len(methods) == 0 || slices.Contains(methods, route.AnyMethod) {
		words[0] = "any"
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch name := strings.Trim(operationSeparators.ReplaceAllString(segment, "_"), "_"); {
		case segment == "*":
			words = append(words, "rest")
		case segment == "" && len(words) == 1:
			words = append(words, "root")
		case segment == "":
			words = append(words, "slash")
		case strings.HasPrefix(segment, "{"):
			words = append(words, "by", name)
		case name != "":
			words = append(words, name)
		}
	}
	out := strings.Join(words, "_")
	if len(out) > maxOperation {
		sum := sha256.Sum256([]byte(out))
		out = out[:maxOperation-9] + "_" + hex.EncodeToString(sum[:4])
	}
	return out
}

// catalogRoutes returns a route for each method of r.
func (r Route) catalogRoutes() []toksta.Route {
	weight := 1
	if r.Weight != nil {
		weight = *r.Weight
	}
	out := make([]toksta.Route, 0, len(r.Method))
	for _, method := range r.Method {
		next := toksta.Route{
			Method: method, Pattern: r.Path, Operation: r.Operation, Family: r.Family, CostKey: r.CostKey, Credits: r.Credits,
			Upstream: r.Upstream, Weight: weight, Public: r.Access == AccessPublic,
			StripPrefix: r.StripPrefix, Rewrite: r.Rewrite, MaxBody: int64(r.MaxBody), Timeout: r.Timeout,
		}
		if !next.Public {
			next.NotEntitled = toksta.NotEntitled(r.Family)
		}
		out = append(out, next)
	}
	return out
}

// checkRoutes checks every route by itself, and then the table of all.
func (c *checker) checkRoutes() {
	c.require(len(c.cfg.Routes) > 0, "routes", "There are no routes: every call would be 404.", "list the API's operations")
	operations := map[string]bool{}
	for i, r := range c.cfg.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		c.checkRoute(path, r)
		c.require(!operations[r.Operation], path+".operation", fmt.Sprintf("Another route has the operation %q.", r.Operation), "choose another name")
		operations[r.Operation] = true
	}
	c.checkTable()
}

// checkTable reports ambiguous paths, paths of the account pages, and public routes that expose
// others. A line of the file has at most one such problem.
func (c *checker) checkTable() {
	table, settings := c.cfg.openRoutes(), []string{}
	for _, r := range table {
		settings = append(settings, "endpoints."+r.Operation)
	}
	for i, r := range c.cfg.Routes {
		for _, one := range r.catalogRoutes() {
			table = append(table, one)
			settings = append(settings, fmt.Sprintf("routes[%d]", i))
		}
	}
	if usage := c.cfg.impliedUsage(); usage != nil {
		table, settings = append(table, *usage), append(settings, "endpoints.usage")
	}
	reported := map[string]bool{}
	for _, p := range route.Check(table) {
		setting, fix := settings[p.Route], p.Fix
		if p.Other >= 0 && strings.HasPrefix(settings[p.Other], "endpoints.") {
			fix = "choose another path, or move Toksta's own endpoint with " + settings[p.Other]
		}
		if reported[setting] {
			continue
		}
		reported[setting] = true
		if strings.HasPrefix(setting, "routes[") {
			field := p.Field
			if field == "" {
				field = "path"
			}
			setting += "." + field
		}
		c.report(setting, strings.ToUpper(p.Message[:1])+p.Message[1:]+".", fix)
	}
	if c.cfg.PagesShareListener() {
		for i, r := range table {
			c.require(reported[settings[i]] || !IsPagePath(r.Pattern), settings[i], "The path "+r.Pattern+" belongs to the account pages.", "choose another path, or give the pages their own host or listener")
		}
	}
}

// checkRoute requires a family, which guards the route, unless it is public, and an upstream, unless
// Toksta itself serves the family.
func (c *checker) checkRoute(path string, r Route) {
	c.require(len(r.Method) > 0, path+".method", "The route has no method.", "write one such as GET, a list such as [GET, POST], or \"*\"")
	c.require(len(r.Method) <= 1 || !slices.Contains(r.Method, route.AnyMethod), path+".method", "The list has * beside other methods.", "write only \"*\" for all methods")
	c.require(operationPattern.MatchString(r.Operation), path+".operation", "The operation is malformed.", "write a name such as getCreator")
	c.require(r.Credits >= 0, path+".credits", "A cost cannot be negative.", "choose 0 or more")
	c.require(r.CostKey == "" || isName(r.CostKey), path+".cost_key", "The cost key is malformed.", "write lower-case letters, digits and _")
	c.require(r.MaxBody >= 0, path+".max_body", "A size cannot be negative.", "choose a size such as 1MiB")
	c.require(r.Timeout == 0 || r.Timeout >= 10*time.Millisecond && r.Timeout <= 24*time.Hour, path+".timeout", "The duration "+r.Timeout.String()+" is out of range.", "choose one from 10ms to 24h, with its unit")
	c.checkWeight(path, r)
	c.checkAccess(path, r)
	_, known := c.cfg.Upstreams[r.Upstream]
	switch {
	case r.Family == toksta.FamilyAccount:
		c.require(r.Upstream == "", path+".upstream", "Toksta itself serves the routes of the family account.", "remove the upstream, or choose another family")
	case r.Upstream == "":
		c.report(path+".upstream", "The route has no upstream, so no call could be forwarded.", "name one from upstreams")
	default:
		c.require(known, path+".upstream", fmt.Sprintf("There is no upstream %q.", r.Upstream), "add it to upstreams, or correct the name"+orNearest(r.Upstream, slices.Collect(maps.Keys(c.cfg.Upstreams))))
	}
}

// checkAccess requires either a family or the statement that the route is public. What belongs to an
// account has no effect on a public route.
func (c *checker) checkAccess(path string, r Route) {
	switch r.Access {
	case "", AccessKey:
		c.require(r.Family != "", path+".family", "The route has no family, so no plan and no scope would guard it.", "name one from families, or write access: public if calls need no key")
		if r.Family != "" {
			c.requireFamily(r.Family, path+".family")
		}
	case AccessPublic:
		c.require(r.Family == "", path+".family", "The route is public, so no plan and no scope guards it.", "remove the family, or access: public")
		c.require(r.Credits == 0 && r.CostKey == "" && r.Weight == nil, path, "The route is public, so no account pays or counts its calls.", "remove credits, cost_key and weight, or access: public")
	default:
		c.report(path+".access", "There is no such access.", "write key or public")
	}
}

// isKnownFamily reports whether f is configured.
func (c *checker) isKnownFamily(f toksta.Family) bool {
	return slices.ContainsFunc(c.cfg.Families, func(known Family) bool { return known.Name == f })
}

package config

import (
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// OperationUsage is the operation of the endpoint that reports an account's usage.
const OperationUsage = "getAccountUsage"

// Endpoints are the paths of Toksta's own endpoints on the public listener. They are no part of routes.
// "" switches one off.
type Endpoints struct {
	Usage   string `yaml:"usage"`   // an account's usage; needs a key of the family account
	Routes  string `yaml:"routes"`  // the list of routes
	Docs    string `yaml:"docs"`    // the documentation, with its files below
	Health  string `yaml:"health"`  // 200 while the process runs
	Ready   string `yaml:"ready"`   // 200 while the node admits calls
	Version string `yaml:"version"` // of this program
}

// named returns the endpoints by their settings, in the order of the file.
func (e Endpoints) named() [][2]string {
	return [][2]string{{"usage", e.Usage}, {"routes", e.Routes}, {"docs", e.Docs}, {"health", e.Health}, {"ready", e.Ready}, {"version", e.Version}}
}

// checkEndpoints requires literal paths. The table of all routes finds conflicts with others.
func (c *checker) checkEndpoints() {
	for _, e := range c.cfg.Endpoints.named() {
		name, path := e[0], e[1]
		literal := !strings.ContainsAny(path, "{}*") && strings.HasPrefix(path, "/") && (path != "/" || name != "docs")
		c.require(path == "" || literal, "endpoints."+name, "This is not a path without parameters.", "write one such as /"+name+", or \"\" to switch the endpoint off")
	}
	c.require(c.cfg.Endpoints.Docs == "" || !strings.HasSuffix(c.cfg.Endpoints.Docs, "/"), "endpoints.docs", "The path ends with a slash.", "remove the slash")
}

// openRoutes returns the routes of the endpoints that need no key, with the names of their settings as
// operations.
func (c Config) openRoutes() (out []toksta.Route) {
	add := func(name, path string) {
		out = append(out, toksta.Route{Method: "GET", Pattern: path, Operation: name, Public: true})
	}
	for _, e := range c.Endpoints.named() {
		switch name, path := e[0], e[1]; {
		case path == "" || name == "usage":
		case name == "docs":
			add(name, path)
			add(name, path+"/json")
		default:
			add(name, path)
		}
	}
	return out
}

// impliedUsage returns the route of the usage endpoint. It returns nil if the endpoint is switched off,
// and if routes lists it: earlier configurations did, and decide its path, operation and cost key.
func (c Config) impliedUsage() *toksta.Route {
	listed := slices.ContainsFunc(c.Routes, func(r Route) bool {
		return r.Family == toksta.FamilyAccount && (r.Operation == OperationUsage || r.Path == c.Endpoints.Usage)
	})
	if c.Endpoints.Usage == "" || listed {
		return nil
	}
	return &toksta.Route{
		Method: "GET", Pattern: c.Endpoints.Usage, Operation: OperationUsage, Family: toksta.FamilyAccount,
		Weight: 1, NotEntitled: toksta.NotEntitled(toksta.FamilyAccount),
	}
}

// UsagePath returns the path of the usage endpoint, or "" if it is switched off.
func (c Config) UsagePath() string {
	for _, r := range c.Routes {
		if r.Family == toksta.FamilyAccount && r.Operation == OperationUsage {
			return r.Path
		}
	}
	if usage := c.impliedUsage(); usage != nil {
		return usage.Pattern
	}
	return ""
}

// ExamplePath returns the path of the call in examples: the usage endpoint or, without it, the first
// route that a key can GET.
func (c Config) ExamplePath() string {
	if usage := c.UsagePath(); usage != "" {
		return usage
	}
	for _, r := range c.Routes {
		if r.Access != AccessPublic && slices.Contains(r.Method, "GET") {
			return r.Path
		}
	}
	return "/"
}

// PublicRoutes returns every route of the public listener: those of the API, and the endpoints that
// need no key.
func (c Config) PublicRoutes() []toksta.Route {
	return append(c.openRoutes(), c.Catalog().Routes...)
}

// insertUsage adds the route of the usage endpoint behind the routes of the families that are listed
// before the family account, which is its place in the list of routes.
func (c Config) insertUsage(routes []toksta.Route) []toksta.Route {
	usage := c.impliedUsage()
	if usage == nil {
		return routes
	}
	rank := func(f toksta.Family) int {
		return slices.IndexFunc(c.Families, func(known Family) bool { return known.Name == f })
	}
	at := 0
	for i, r := range routes {
		if known := rank(r.Family); known >= 0 && known < rank(toksta.FamilyAccount) {
			at = i + 1
		}
	}
	return slices.Insert(routes, at, *usage)
}

// setFamilyDefault adds the family account, in every plan too, to a configuration whose families do
// not list it while the usage endpoint belongs to it.
func (c *checker) setFamilyDefault() {
	cfg := c.cfg
	if len(cfg.Families) == 0 || cfg.UsagePath() == "" || c.isKnownFamily(toksta.FamilyAccount) {
		return
	}
	cfg.Families = append(cfg.Families, Family{Name: toksta.FamilyAccount, Description: "Read usage and limits"})
	for i := range cfg.Plans {
		if p := &cfg.Plans[i]; len(p.Families) > 0 && !slices.Contains(p.Families, toksta.FamilyAccount) {
			p.Families = append(slices.Clone(p.Families), toksta.FamilyAccount)
		}
	}
}

// PagesShareListener reports whether the account pages and the API have one address, so that a path
// belongs to either.
func (c Config) PagesShareListener() bool { return c.Listen.Pages == "" && c.Listen.PagesHost == "" }

// IsPagePath reports whether a path belongs to the account pages, or the pattern of a route can only
// match such paths.
func IsPagePath(path string) bool {
	first, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "", "signout", "invitation", "unsubscribe", "favicon.ico", "robots.txt":
		return !more
	case "account", "signin", "signup", "confirm", "embed":
		return true
	case "assets":
		return more
	case ".well-known":
		return rest == "change-password"
	}
	return false
}

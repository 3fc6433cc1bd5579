package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/toksta"
)

// routes returns the commands that explain and import the routes of the configuration. They need no server.
func (c *cli) routes() *cobra.Command {
	return commandGroup("routes", "List and import the routes, and explain which one a call takes", c.routesList(), c.routesMatch(), c.routesImport())
}

// routeRow is a route in the output of JSON and YAML.
type routeRow struct {
	Method      string   `json:"method"`
	Path        string   `json:"path"`
	Operation   string   `json:"operation,omitempty"`
	Access      string   `json:"access"`
	Family      string   `json:"family,omitempty"`
	Upstream    string   `json:"upstream,omitempty"`     // "": Toksta itself
	UpstreamAt  string   `json:"upstream_at,omitempty"`  // the path for the upstream, if the route changes it
	Credits     int64    `json:"credits"`                // price
	MaxBody     int64    `json:"max_body,omitempty"`     // bytes
	Timeout     string   `json:"timeout,omitempty"`      //
	NarrowsDown []string `json:"narrows_down,omitempty"` // keyed routes below which a public one lies
}

// describe converts a route. all are the routes of its table.
func describeRoute(r toksta.Route, all []toksta.Route) routeRow {
	row := routeRow{
		Method: r.Method, Path: r.Pattern, Operation: r.Operation, Access: config.AccessKey, Family: string(r.Family),
		Upstream: r.Upstream, Credits: r.Credits, MaxBody: r.MaxBody, UpstreamAt: r.Rewrite,
	}
	if r.Timeout > 0 {
		row.Timeout = r.Timeout.String()
	}
	if r.StripPrefix != "" {
		row.UpstreamAt = cmp.Or(strings.TrimPrefix(r.Pattern, strings.TrimSuffix(r.StripPrefix, "/")), "/")
	}
	if r.Public {
		row.Access = config.AccessPublic
		for _, wider := range route.Wider(r, all) {
			if !wider.Public {
				row.NarrowsDown = append(row.NarrowsDown, wider.Method+" "+wider.Pattern)
			}
		}
	}
	return row
}

// routesList returns the command that lists the routes of the public listener.
func (c *cli) routesList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List every route, Toksta's own endpoints and public ones included", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			all := cfg.PublicRoutes()
			rows := make([]routeRow, len(all))
			t := table{header: []string{"method", "path", "access", "family", "operation", "upstream", "upstream path", "credits", "inside"}}
			for i, r := range all {
				row := describeRoute(r, all)
				rows[i] = row
				t.add(row.Method, row.Path, row.Access, row.Family, row.Operation, cmp.Or(row.Upstream, "toksta"), cmp.Or(row.UpstreamAt, row.Path),
					strconv.FormatInt(row.Credits, 10), strings.Join(row.NarrowsDown, ", "))
			}
			return c.show(rows, t)
		},
	}
}

// matchResult is the result of routes match in JSON and YAML.
type matchResult struct {
	Method     string           `json:"method"`
	Path       string           `json:"path"`
	Route      *routeRow        `json:"route"`                 // null: no route serves the call
	Pages      bool             `json:"pages,omitempty"`       // the account pages serve it
	Upstream   string           `json:"upstream_at,omitempty"` // the path for the upstream
	Status     int              `json:"status,omitempty"`      // of a rejection
	Code       toksta.Code      `json:"code,omitempty"`
	Message    string           `json:"message,omitempty"`
	Allow      string           `json:"allow,omitempty"`
	Candidates []matchCandidate `json:"candidates"`
}

// matchCandidate is a route that does not serve the call.
type matchCandidate struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Why    string `json:"why"`
}

// routesMatch returns the command that explains the route of a call. It fails if no route serves it.
func (c *cli) routesMatch() *cobra.Command {
	return &cobra.Command{
		Use: "match METHOD PATH", Short: "Explain which route a call takes, and why no other", Args: exactArgs("METHOD", "PATH"),
		Example: "  toksta routes match GET /v1/creators/42\n  toksta routes match POST 'https://api.example.com/hooks/a?x=1'",
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			result, err := explainCall(cfg, args[0], args[1])
			if err != nil {
				return err
			}
			if err := c.show(result, result.table()); err != nil {
				return err
			}
			if result.Route == nil && !result.Pages {
				return fmt.Errorf("no route serves %s %s: %s", result.Method, result.Path, result.Message)
			}
			return nil
		},
	}
}

// explainCall explains a call of the method to a path, or to a URL of the API.
func explainCall(cfg config.Config, method, target string) (matchResult, error) {
	out := matchResult{Method: method, Candidates: []matchCandidate{}}
	path, ok := admit.TargetPath(target)
	if out.Path = path; !ok {
		return out, usageError{fmt.Errorf("%q is not a path or a URL: write it as /v1/creators/42", target), "toksta routes match"}
	}
	if decoded, err := url.PathUnescape(path); err == nil && cfg.PagesShareListener() && config.IsPagePath(decoded) {
		out.Pages, out.Message = true, "The account pages serve this path."
		return out, nil
	}
	all := cfg.PublicRoutes()
	t, err := route.New(all)
	if err != nil {
		return out, err
	}
	matched, others, err := t.Explain(method, path)
	for _, o := range others {
		out.Candidates = append(out.Candidates, matchCandidate{o.Route.Method, o.Route.Pattern, o.Why})
	}
	if rejection, ok := errors.AsType[*toksta.Error](err); ok {
		out.Code, out.Message = rejection.Code, rejection.Message
		out.Status = map[toksta.Code]int{toksta.CodeBadRequest: 400, toksta.CodeNotFound: 404, toksta.CodeMethodNotAllowed: 405}[rejection.Code]
		out.Allow, _ = rejection.Details["allow"].(string)
		return out, nil
	}
	if err != nil {
		return out, err
	}
	row := describeRoute(*matched, all)
	out.Route = &row
	if matched.Upstream != "" {
		rewritten, err := route.NewTarget(matched)
		if err != nil {
			return out, err
		}
		out.Upstream = rewritten.Path(path)
	}
	return out, nil
}

// table returns the result for people: the decision first, then the other candidates.
func (m matchResult) table() table {
	t := table{header: []string{"result", "method", "path", "why"}}
	switch {
	case m.Pages:
		t.add("pages", m.Method, m.Path, m.Message)
	case m.Route == nil:
		why := fmt.Sprintf("%d %s: %s", m.Status, m.Code, m.Message)
		if m.Allow != "" {
			why += " Allowed: " + m.Allow + "."
		}
		t.add("rejected", m.Method, m.Path, why)
	default:
		t.add("taken", m.Route.Method, m.Route.Path, m.Route.describe(m.Upstream))
	}
	for _, other := range m.Candidates {
		t.add("not taken", other.Method, other.Path, other.Why)
	}
	return t
}

// describe returns the properties of the taken route for people.
func (r routeRow) describe(upstreamPath string) string {
	parts := []string{"operation " + cmp.Or(r.Operation, "none")}
	if r.Access == config.AccessPublic {
		parts = append(parts, "needs no key")
	} else {
		parts = append(parts, "needs a key of the family "+r.Family)
	}
	if r.Upstream == "" {
		parts = append(parts, "served by Toksta")
	} else {
		parts = append(parts, "forwarded to "+r.Upstream+" as "+upstreamPath)
	}
	if len(r.NarrowsDown) > 0 {
		parts = append(parts, "inside "+strings.Join(slices.Compact(r.NarrowsDown), ", "))
	}
	return strings.Join(parts, "; ")
}

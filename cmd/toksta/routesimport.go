package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/setup"
)

// importFlags are the choices of an import of routes.
type importFlags struct {
	base     string
	upstream string
	public   bool
	keep     bool
	write    bool
}

// add adds the flags to a command.
func (f *importFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.base, "base-path", "", "`path` before the paths of the document (default: that of its servers; /: none)")
	cmd.Flags().BoolVar(&f.public, "public", false, "make a route public if the document states that the operation needs no credential")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "keep routes of the configuration that the document does not have")
	cmd.Flags().BoolVar(&f.write, "write", false, "change the configuration file")
}

// options returns the options of the mapping to an upstream.
func (f *importFlags) options(upstream string) setup.Options {
	o := setup.Options{Upstream: upstream, Public: f.public}
	if f.base != "" {
		base := "/" + strings.Trim(f.base, "/")
		o.Base = &base
	}
	return o
}

// routesImport returns the command that imports the routes of an OpenAPI document
// into the configuration file. It needs no server.
func (c *cli) routesImport() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import the routes of an OpenAPI document", Args: exactArgs("FILE"),
		Long: "Compare the routes of the configuration file with the operations of an OpenAPI\n" +
			"document of version 3.0 or 3.1, in JSON or YAML, and print the difference. With\n" +
			"--write, change the lists routes and families of the file; everything else in it\n" +
			"stays, also comments. A route that is in both stays as it is, with its price and\n" +
			"limits. What a route cannot express is reported on standard error.\n\n" +
			"An operation becomes a route, its first tag the family, and the path of the first\n" +
			"server stands before its path. References to other documents are not followed.",
		Example: "  toksta routes import openapi.yaml\n  toksta routes import openapi.yaml --write",
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := c.readOpenAPI(args[0])
			if err != nil {
				return err
			}
			return c.importRoutes(args[0], doc, f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.upstream, "upstream", "", "`name` of the upstream of new routes (default: the only upstream)")
	return cmd
}

// readOpenAPI reads an OpenAPI document from a file, or from standard input for
// "-".
func (c *cli) readOpenAPI(path string) (*openapi.Document, error) {
	if path != standardInput {
		if info, err := os.Stat(path); err == nil && info.Size() > openapi.MaxSize {
			return nil, fmt.Errorf("read %s: the document has %d bytes, the limit is %d", path, info.Size(), openapi.MaxSize)
		}
	}
	content, err := c.textFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	doc, err := openapi.Parse([]byte(content))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return doc, nil
}

// writtenFile returns the path of the configuration file to write, which need not
// exist.
func (c *cli) writtenFile() string { return cmp.Or(c.configPath, defaultConfig) }

// importRoutes prints the difference between the routes of the configuration file
// and those of a document, and writes the file if the flags say so.
func (c *cli) importRoutes(source string, doc *openapi.Document, f importFlags) error {
	path := c.writtenFile()
	text, err := c.textFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w; create one with: toksta init --openapi %s", err, source)
	}
	upstream, err := c.importUpstream(path, text, f.upstream)
	if err != nil {
		return err
	}
	m := setup.Map(doc, f.options(upstream))
	var change setup.Change
	cfg, invalid, err := c.fit(path, &m, func() (draft, error) {
		var err error
		change, err = setup.Merge(text, m, f.keep)
		return draft{change.Text, change.Added, change.Kept}, err
	})
	if err != nil {
		return fmt.Errorf("edit %s: %w", path, err)
	}
	c.reportMapping(source, m)
	if len(m.Routes) == 0 {
		return fmt.Errorf("no operation of %s can be a route; the configuration stays as it is", source)
	}
	for _, n := range change.Differ {
		c.say("%s: %s", path, n)
	}
	if err := c.showImport(m, change); err != nil {
		return err
	}
	c.say("%s: %d routes to add, %d to remove, %d stay.", path, len(change.Added), len(change.Removed), change.Kept)
	if invalid != nil {
		c.say("The changed configuration would be invalid, so nothing is written. The lines are those after the change.")
		return invalid
	}
	return c.writeImport(path, cfg, change, f.write)
}

// draft is the text of a configuration that is not written yet.
type draft struct {
	text   string
	routes []setup.Route // imported ones
	first  int           // index of the first imported route in the list routes
}

// fit builds a draft with the routes of m and checks it. As long as the check
// rejects imported routes, such as one with the path of an account page, it moves
// these from m to the operations that are left out, and builds the draft again. It
// returns the remaining problems as invalid.
func (c *cli) fit(path string, m *setup.Mapping, build func() (draft, error)) (cfg config.Config, invalid, err error) {
	for {
		d, err := build()
		if err != nil {
			return cfg, nil, err
		}
		cfg, invalid = config.Parse(path, []byte(d.text), c.process.Environ)
		problems, _ := errors.AsType[config.Problems](invalid)
		rejected := map[int]bool{}
		for _, p := range problems {
			if i, ok := routeIndex(p.Field); ok && i >= d.first && i-d.first < len(d.routes) && !rejected[i] {
				rejected[i] = true
				m.Reject(d.routes[i-d.first], p.Message, p.Fix)
			}
		}
		if len(rejected) == 0 || len(m.Routes) == 0 {
			return cfg, invalid, nil
		}
	}
}

// routeIndex returns the index in the name of a setting such as "routes[3].path".
func routeIndex(field string) (int, bool) {
	rest, found := strings.CutPrefix(field, "routes[")
	digits, _, closed := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	return i, found && closed && err == nil
}

// importUpstream returns the name of the upstream of new routes.
func (c *cli) importUpstream(path, text, name string) (string, error) {
	upstreams, err := setup.Upstreams(text)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if len(upstreams) == 0 {
		upstreams = []string{setup.Upstream} // of the default configuration
	}
	switch {
	case name != "":
		return name, nil
	case len(upstreams) > 1:
		return "", usageError{fmt.Errorf("the configuration has several upstreams; choose one with --upstream: %s", strings.Join(upstreams, ", ")), "toksta routes import"}
	}
	return upstreams[0], nil
}

// reportMapping prints the parts of a document that a route does not express, and
// the operations that are no routes.
func (c *cli) reportMapping(source string, m setup.Mapping) {
	for _, n := range m.Notes {
		c.say("%s:%s", source, spaced(n))
	}
	for _, n := range m.LeftOut {
		c.say("%s:%s", source, spaced(n))
	}
	c.say("%s: %d operations are routes, %d are left out.", source, len(m.Routes), len(m.LeftOut))
}

// spaced returns a note as it follows the name of its file: "12: …" or " …".
func spaced(n setup.Note) string {
	if n.Line > 0 {
		return n.String()
	}
	return " " + n.String()
}

// showImport prints the difference on standard output.
func (c *cli) showImport(m setup.Mapping, change setup.Change) error {
	if c.output != formatTable {
		return c.show(struct {
			setup.Change
			LeftOut []setup.Note `json:"left_out"`
			Notes   []setup.Note `json:"notes"`
		}{change, m.LeftOut, m.Notes}, importTable(change))
	}
	_, err := fmt.Fprint(c.out, change.Diff())
	return err
}

// importTable lists the changed routes.
func importTable(change setup.Change) table {
	t := table{header: []string{"change", "route"}}
	for line := range strings.Lines(change.Diff()) {
		t.add(line[:1], strings.TrimSpace(line[2:]))
	}
	return t
}

// writeImport writes the changed configuration if write is true.
func (c *cli) writeImport(path string, cfg config.Config, change setup.Change, write bool) error {
	if change.IsEmpty() {
		c.say("Nothing to change.")
		return nil
	}
	for _, f := range change.Families {
		if !isInPlan(cfg, f.Name) {
			c.say("%s: No plan has the family %s, so its routes respond 403. Fix: add it to the families of a plan.", path, f.Name)
		}
	}
	if !write {
		c.say("Nothing is written. To change the file, add --write.")
		return nil
	}
	if err := replaceFile(path, change.Text); err != nil {
		return err
	}
	c.say("%s is changed. A running server reads it when it restarts.", path)
	return nil
}

// isInPlan reports whether a plan lists a family.
func isInPlan(cfg config.Config, family string) bool {
	for _, p := range cfg.Plans {
		for _, f := range append(p.Families[:len(p.Families):len(p.Families)], p.Entitled...) {
			if string(f) == family {
				return true
			}
		}
	}
	return false
}

// replaceFile replaces a file whole and keeps its permissions. A symbolic link
// stays, and its target is replaced.
func replaceFile(path, text string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".toksta-*.yaml")
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	defer os.Remove(f.Name()) // after a failure; the rename removes the name
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

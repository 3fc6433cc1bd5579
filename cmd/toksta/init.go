package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/openapi"
	"github.com/toksta/toksta/internal/setup"
)

// initFlags are the answers of toksta init. A person is asked for those that are
// missing.
type initFlags struct {
	product, publicURL, backend, prefix string
	openapi                             string
	data                                string
	account                             accountFlags
	routes                              importFlags
}

// initialize returns the command that writes a configuration file and creates the first
// account. It runs a server for the time of the command.
func (c *cli) initialize() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use: "init", Short: "Write the configuration of an API, and create a first account and key", Args: exactArgs(),
		Long: "Write toksta.yaml for an API, create the data directory, and create a first account\n" +
			"with a member and a key. On a terminal, the command asks for the answers that no\n" +
			"flag gives; elsewhere --product and --backend are required.\n\n" +
			"With --openapi, the operations of an OpenAPI document are the routes; without it,\n" +
			"one route forwards every call. An existing file is never replaced: with --openapi,\n" +
			"the command shows the difference of its routes, and --write changes only those.",
		Example: "  toksta init\n" +
			"  toksta init --product \"Weather API\" --backend http://127.0.0.1:9000 --prefix wx --openapi openapi.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runInit(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.product, "product", "", "`name` of the API that customers know")
	flags.StringVar(&f.publicURL, "public-url", "", "`address` of the API for callers (default http://localhost:8080)")
	flags.StringVar(&f.backend, "backend", "", "`URL` of the back end")
	flags.StringVar(&f.prefix, "prefix", "", "`start` of each key; wx stands for wx_live_ (default: from the product)")
	flags.StringVar(&f.openapi, "openapi", "", "OpenAPI document, `file` in JSON or YAML (default: one route for every call)")
	flags.StringVar(&f.data, "data", "toksta-data", "data `directory`")
	f.routes.add(cmd)
	f.account.add(cmd)
	return cmd
}

// runInit writes the configuration, or changes the routes of an existing one.
func (c *cli) runInit(ctx context.Context, f initFlags) error {
	path := c.writtenFile()
	_, err := os.Lstat(path)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the configuration: %w", err)
	}
	if exists && f.openapi == "" {
		return usageError{fmt.Errorf("%s exists and stays as it is; compare its routes with a document with --openapi FILE, or name another file with --config", path), "toksta init"}
	}
	if !exists {
		if err := c.ask(&f); err != nil {
			return err
		}
	}
	var doc *openapi.Document
	if f.openapi != "" {
		if doc, err = c.readOpenAPI(f.openapi); err != nil {
			return err
		}
	}
	if exists {
		c.say("%s exists; only its routes are compared with the document.", path)
		return c.importRoutes(f.openapi, doc, f.routes)
	}
	return c.create(ctx, path, f, doc)
}

// create writes a new configuration, and creates the first account.
func (c *cli) create(ctx context.Context, path string, f initFlags, doc *openapi.Document) error {
	answers := setup.Answers{Product: f.product, PublicURL: f.publicURL, Backend: f.backend, Prefix: setup.Prefix(f.prefix), Data: f.data}
	m := &answers.Mapping
	if doc != nil {
		*m = setup.Map(doc, f.routes.options(setup.Upstream))
		if backend, moved := setup.WithoutBase(f.backend, m.Routes); moved {
			c.say("The routes contain the path of %s, so the back end is %s.", f.backend, backend)
			answers.Backend = backend
		}
	}
	var text string
	cfg, invalid, err := c.fit(path, m, func() (draft, error) {
		text = setup.New(answers)
		return draft{text, m.Routes, 0}, nil
	})
	if err != nil {
		return err
	}
	if doc != nil {
		c.reportMapping(f.openapi, *m)
		if len(m.Routes) == 0 {
			return fmt.Errorf("no operation of %s can be a route; nothing is written", f.openapi)
		}
	}
	if invalid != nil {
		c.say("The configuration would be invalid, so nothing is written. The lines are those of the new file.")
		return invalid
	}
	password, err := f.account.secret(c)
	if err != nil {
		return err
	}
	if err := createFile(path, text); err != nil {
		return err
	}
	c.say("%s is written.", path)
	if f.account.none {
		return nil
	}
	first, err := c.createFirst(ctx, cfg, f.account, password)
	if err != nil {
		return fmt.Errorf("create the first account: %w; the configuration is written, so create the account with: toksta serve, toksta accounts create", err)
	}
	first.Config = path
	return c.showFirst(cfg, first, answers.Mapping.Routes)
}

// ask completes the flags: by questions on a terminal, by defaults elsewhere.
func (c *cli) ask(f *initFlags) error {
	if !isTerminal(c.in) {
		for _, need := range []struct{ name, value string }{{"product", f.product}, {"backend", f.backend}} {
			if need.value == "" {
				return usageError{fmt.Errorf("without a terminal, --%s is required", need.name), "toksta init"}
			}
		}
		f.complete()
		return nil
	}
	in := bufio.NewReader(c.in)
	for _, q := range []struct {
		question string
		value    *string
		instead  func() string
	}{
		{"Name of the API, for customers", &f.product, nil},
		{"Address of the API, for callers", &f.publicURL, func() string { return defaultPublicURL }},
		{"URL of your back end", &f.backend, func() string { return "http://127.0.0.1:9000" }},
		{"Start of each key", &f.prefix, func() string { return setup.Prefix(f.product) }},
		{"OpenAPI document (empty: one route for every call)", &f.openapi, func() string { return "" }},
	} {
		if err := c.question(in, q.question, q.value, q.instead); err != nil {
			return err
		}
	}
	f.complete()
	return nil
}

// defaultPublicURL is the address of the API on the vendor's own machine.
const defaultPublicURL = "http://localhost:8080"

// complete sets the defaults of answers.
func (f *initFlags) complete() {
	if f.publicURL == "" {
		f.publicURL = defaultPublicURL
	}
	f.publicURL = strings.TrimRight(f.publicURL, "/")
	if f.prefix == "" {
		f.prefix = setup.Prefix(f.product)
	}
}

// question asks for a value unless it is set. Without a default, it repeats the
// question until there is an answer.
func (c *cli) question(in *bufio.Reader, question string, value *string, instead func() string) error {
	for *value == "" {
		prompt := question
		if instead != nil && instead() != "" {
			prompt += " [" + instead() + "]"
		}
		fmt.Fprint(c.err, prompt+": ")
		line, err := in.ReadString('\n')
		if *value = strings.TrimSpace(line); *value != "" {
			return nil
		}
		if err != nil {
			return errCanceled
		}
		if instead != nil {
			*value = instead()
			return nil
		}
	}
	return nil
}

// createFile writes a new file, and fails if it exists.
func createFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	_, err = f.WriteString(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
)

// cli is one run of the program: its streams and the flags of every command.
type cli struct {
	process config.Process // what the environment says beside the settings
	in      io.Reader      // a password, or the answer to a question
	out     io.Writer      // data
	err     io.Writer      // messages, prompts, progress

	configPath string // "": defaultConfig, if it is there
	socket     string // "": the configuration's
	output     string // one of the formats
	timeout    time.Duration
	bom        bool // CSV begins with a byte-order mark
}

// defaultConfig is the file that is read when none is named and it exists.
const defaultConfig = "toksta.yaml"

// root is the whole tree of commands, made anew for each run: flags are bound to
// variables of the command's own, so nothing is left from one run to the next.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "toksta",
		Short:         "Self-serve API keys for an HTTP API",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return checkFormat(c.output)
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&c.configPath, "config", c.process.Config, "configuration `file` (default ./toksta.yaml if it exists)")
	flags.StringVar(&c.socket, "socket", c.process.Socket, "operator `socket` of the server (default from the configuration)")
	flags.StringVarP(&c.output, "output", "o", formatTable, "output `format`: table, json, yaml or csv")
	flags.BoolVar(&c.bom, "bom", false, "begin CSV with a byte-order mark, for spreadsheets that need it to read UTF-8")
	flags.DurationVar(&c.timeout, "timeout", time.Minute, "give up a call without a response after this `time`; 0 for never")
	root.AddGroup(&cobra.Group{ID: "server", Title: "Server"}, &cobra.Group{ID: "manage", Title: "Manage"}, &cobra.Group{ID: "look", Title: "Look"})
	for group, commands := range map[string][]*cobra.Command{
		"server": {c.serve(), c.demo(), c.demoUpstream(), c.config()},
		"manage": {c.accounts(), c.keys(), c.credits(), c.store(), c.mail(), c.events(), c.export()},
		"look":   {c.audit(), c.usage(), c.nodes(), c.doctor(), c.version(), c.licenses()},
	} {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
	return root
}

// run executes args and returns the exit code. Whatever went wrong has been said
// on standard error by then, once.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{err, cmd.CommandPath()} })
	err := misused(root.ExecuteContext(ctx))
	c.report(err)
	return exitCode(err)
}

// load reads the configuration that the flags and the environment name. An
// error that is config.Problems lists all that is wrong with it.
func (c *cli) load() (config.Config, error) {
	path := c.configPath
	if path == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			path = defaultConfig
		}
	}
	return config.Load(path, c.process.Environ)
}

// client returns a client of the server that the flags name. With a socket the
// configuration is not even read: it may be another server's, or broken.
func (c *cli) client() (*client.Client, error) {
	address := c.socket
	if address == "" {
		cfg, err := c.load()
		if err != nil {
			return nil, err
		}
		address = cfg.Listen.Private
	}
	out := client.New(address)
	out.Operator = c.process.Operator
	out.Wait = client.Wait{Limit: c.timeout, Notice: c.notice, After: noticeAfter}
	if c.timeout > 0 {
		out.Wait.After = min(out.Wait.After, c.timeout/2)
	}
	return out, nil
}

// noticeAfter is how long a person may look at a silent terminal.
const noticeAfter = 3 * time.Second

// longTimeout is the least time for a call that reads the whole database.
const longTimeout = 10 * time.Minute

// notice says what a command waits for.
func (c *cli) notice(endpoint string) {
	until := ""
	if c.timeout > 0 {
		until = fmt.Sprintf(", at most %v in all", c.timeout)
	}
	c.say("Waiting for the server to respond to %s%s. It may be waiting for its database, or for a node that does not answer.", endpoint, until)
}

// terminal reports whether a stream is one that a person sits at, who can be
// asked and shown what moves.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say prints a message for people, apart from the data: a pipe never gets it.
func (c *cli) say(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// exact checks the number of arguments and names what is missing. Nothing has
// been done when it complains.
func exact(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		wanted := "no arguments"
		if len(names) > 0 {
			wanted = strings.Join(names, " ")
		}
		return usageError{fmt.Errorf("expected %s, got %d arguments", wanted, len(args)), cmd.CommandPath()}
	}
}

// atLeast is exact for commands whose last argument may be repeated.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return exact(names...)(cmd, args)
		}
		return nil
	}
}

// noun groups commands. By itself it prints its help; a verb that it does not
// have is an error, so that a script cannot take the help for an answer.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()), cmd.CommandPath()}
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// misused gives cobra's own complaints, which have no type, the type of ours.
func misused(err error) error {
	if err == nil {
		return nil
	}
	for _, start := range []string{"unknown command", "required flag", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), start) {
			return usageError{err, "toksta"}
		}
	}
	return err
}

// errCanceled means that the person said no.
var errCanceled = errors.New("canceled, nothing was changed")

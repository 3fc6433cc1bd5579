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
)

// cli holds the streams of one run of the program, and the flags of every command.
type cli struct {
	process config.Process // the environment
	in      io.Reader      // passwords and confirmations
	out     io.Writer      // data
	err     io.Writer      // messages, prompts, progress

	configPath string // "": defaultConfig, if it exists
	socket     string // see target
	profile    string // see target
	output     string // one of the formats
	timeout    time.Duration
	bom        bool     // start CSV with a byte-order mark
	columns    []string // of a table or CSV; empty: all
}

// defaultConfig is the configuration file that is read, if it exists, without --config.
const defaultConfig = "toksta.yaml"

// rootCommand builds the tree of commands. Each run builds a new one, because
// flags are bound to variables of their commands.
func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "toksta",
		Short:         "Self-serve API keys for an HTTP API",
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // RunE rejects them
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return checkFormat(c.output)
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&c.configPath, "config", c.process.Config, "configuration `file` (default ./toksta.yaml if it exists)")
	flags.StringVar(&c.socket, "socket", "", "operator `socket` of a server on this machine (default from the configuration)")
	flags.StringVar(&c.profile, "profile", "", "`name` of the profile of a server on another machine, as toksta login stored it")
	flags.StringVarP(&c.output, "output", "o", formatTable, "output `format`: table, json, yaml, csv, or name for the ids alone")
	flags.BoolVar(&c.bom, "bom", false, "start CSV with a byte-order mark, for spreadsheets that need it to read UTF-8")
	flags.DurationVar(&c.timeout, "timeout", time.Minute, "longest `time` to wait for the response of a call; 0: no limit")
	root.AddGroup(&cobra.Group{ID: "server", Title: "Server"}, &cobra.Group{ID: "manage", Title: "Manage"}, &cobra.Group{ID: "inspect", Title: "Inspect"}, &cobra.Group{ID: "remote", Title: "Another machine"})
	for group, commands := range map[string][]*cobra.Command{
		"server":  {c.initialize(), c.serve(), c.demo(), c.demoUpstream(), c.config()},
		"remote":  {c.login(), c.logout(), c.profileCommands()},
		"manage":  {c.accounts(), c.memberCommands(), c.invitationCommands(), c.keys(), c.operatorKeys(), c.sessions(), c.credits(), c.store(), c.mail(), c.events(), c.export()},
		"inspect": {c.routes(), c.audit(), c.usage(), c.nodes(), c.doctor(), c.version(), c.licenses()},
	} {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
	c.addColumns(root.Commands())
	_ = root.RegisterFlagCompletionFunc("profile", c.completeProfiles) // fails only without the flag
	return root
}

// run executes args and returns the exit code. It prints an error once, on standard
// error.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return unknownCommand(cmd, words[0]) // the flag is one of the command that was meant
		}
		return usageError{err, cmd.CommandPath()}
	})
	err := asUsageError(root.ExecuteContext(ctx))
	c.report(err)
	return exitCode(err)
}

// loadConfig reads the configuration that the flags and the environment name. An
// error of the type config.Problems lists every problem in it.
func (c *cli) loadConfig() (config.Config, error) {
	return config.Load(c.configFile(), c.process.Environ)
}

// configFile returns the path of the configuration file: the one that the flag names,
// else the one in the working directory, else "".
func (c *cli) configFile() string {
	if c.configPath != "" {
		return c.configPath
	}
	if _, err := os.Stat(defaultConfig); err == nil {
		return defaultConfig
	}
	return ""
}

// longTimeout is the shortest timeout of a call that reads the whole database.
const longTimeout = 10 * time.Minute

// printWaitNotice reports the call that a command waits for.
func (c *cli) printWaitNotice(endpoint string) {
	until := ""
	if c.timeout > 0 {
		until = fmt.Sprintf(", at most %v in total", c.timeout)
	}
	c.say("Waiting for the server to respond to %s%s. It may be waiting for its database, or for a node that does not respond.", endpoint, until)
}

// isTerminal reports whether a stream is an interactive terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say prints a message on standard error, so that a pipe receives only data.
func (c *cli) say(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// exactArgs requires one argument for each name. cobra checks it before it runs the
// command.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		wanted := "no arguments"
		if len(names) > 0 {
			wanted = strings.Join(names, " ")
		}
		noun := "arguments"
		if len(args) == 1 {
			noun = "argument"
		}
		return usageError{fmt.Errorf("expected %s, got %d %s", wanted, len(args), noun), cmd.CommandPath()}
	}
}

// minArgs requires one or more arguments for the last name, and one for each other.
func minArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return exactArgs(names...)(cmd, args)
		}
		return nil
	}
}

// commandGroup groups commands. Without arguments it prints its help. An unknown
// verb is an error, so that a script does not read the help as data.
func commandGroup(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// asUsageError converts cobra's usage errors, which have no type of their own.
func asUsageError(err error) error {
	if _, ok := errors.AsType[usageError](err); ok || err == nil {
		return err
	}
	for _, start := range []string{"unknown command", "required flag", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), start) {
			return usageError{err, "toksta"}
		}
	}
	return err
}

// errCanceled means that the person did not confirm.
var errCanceled = errors.New("canceled, nothing was changed")

package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// withClient runs fn with a client of the server that the flags name. The client
// connects when fn makes a call.
func withClient(c *cli, cmd *cobra.Command, fn func(context.Context, *client.Client) error) error {
	api, err := c.newClient()
	if err != nil {
		return err
	}
	return fn(cmd.Context(), api)
}

// pageSize is the number of rows per request.
const pageSize = 500

// listAll reads the pages of a list, which next returns with the cursor of the
// following page, until that cursor is zero or, if limit is not 0, until there
// are limit rows. It never returns a part of the rows with an error. An empty
// list is not nil, so that JSON shows [].
func listAll[Row any, Cursor comparable](limit int, next func(after Cursor, n int) ([]Row, Cursor, error)) ([]Row, error) {
	var zero, after Cursor
	all := []Row{}
	for {
		n := pageSize
		if limit > 0 {
			n = min(n, limit-len(all))
		}
		rows, cursor, err := next(after, n)
		if err != nil {
			return nil, err
		}
		if all = append(all, rows...); cursor == zero || limit > 0 && len(all) >= limit {
			return all, nil
		}
		after = cursor
	}
}

// printReceipt prints the number of a change, the nodes that enforce it and the
// duration. The number is 0 if nothing had to change.
func (c *cli) printReceipt(r client.Receipt) {
	if r.Sequence == 0 {
		c.say("Nothing had to change.")
		return
	}
	confirmed := make([]string, len(r.Confirmed))
	for i, n := range r.Confirmed {
		confirmed[i] = n.Node
	}
	text := fmt.Sprintf("Change %d is in effect on %d of %d nodes", r.Sequence, len(confirmed), len(confirmed)+len(r.Fenced))
	if len(confirmed) > 0 {
		text += " (" + strings.Join(confirmed, ", ") + ")"
	}
	if len(r.Fenced) > 0 {
		text += "; the lease of " + strings.Join(r.Fenced, ", ") + " has expired"
	}
	c.say("%s, %.1f ms after the commit.", text, r.Milliseconds)
}

// completionTime limits the wait of a shell for completions.
const completionTime = time.Second

// completeAccounts completes the first argument with the ids of the first page of
// accounts, described by their names.
func (c *cli) completeAccounts(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.completeWith(cmd, args, func(ctx context.Context, api *client.Client) (out []string, err error) {
		page, err := api.ListAccounts(ctx, client.ListAccountsRequest{Limit: pageSize})
		for _, a := range page.Accounts {
			out = append(out, cobra.CompletionWithDesc(string(a.ID), printable(a.Name)))
		}
		return out, err
	})
}

// completeKeys completes the first argument with the ids of the first page of keys,
// described by their names.
func (c *cli) completeKeys(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.completeWith(cmd, args, func(ctx context.Context, api *client.Client) (out []string, err error) {
		page, err := api.ListKeys(ctx, client.ListKeysRequest{Limit: pageSize})
		for _, k := range page.Keys {
			out = append(out, cobra.CompletionWithDesc(string(k.ID), printable(k.Name)))
		}
		return out, err
	})
}

// completeWith completes the first argument with the result of names. On an error
// it offers nothing: a message would appear in the line that the person types.
func (c *cli) completeWith(cmd *cobra.Command, args []string, names func(context.Context, *client.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	api, err := c.newClient()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	out, err := names(ctx, api)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// release is set by the build: -ldflags "-X main.release=v1.2.3".
var release string

// buildVersion returns the release or, without one, the module version that the
// toolchain recorded. It is never "", because doctor compares it.
func buildVersion() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// version returns the command that prints the version of this program. The
// running server can have another one; doctor compares them.
func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, and the Go release it was built with", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			return c.show(map[string]string{"name": "toksta", "version": buildVersion(), "go": runtime.Version()},
				table{rows: [][]string{{buildVersion(), runtime.Version()}}})
		},
	}
}

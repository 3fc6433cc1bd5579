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

// act runs fn with a client of the server that the flags name. No connection is
// made before fn makes a call.
func act(c *cli, cmd *cobra.Command, fn func(context.Context, *client.Client) error) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return fn(cmd.Context(), api)
}

// pageSize is how many rows are asked for at once.
const pageSize = 500

// pages follows a list to its end, or to limit when that is not 0. It returns
// all rows or an error, never a part: a script could not tell the difference.
// The zero cursor is the end, and an empty list is not nil, which JSON shows.
func pages[Row any, Cursor comparable](limit int, next func(after Cursor, n int) ([]Row, Cursor, error)) ([]Row, error) {
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

// receipt tells people what was enforced, where, and how fast. A change that
// nothing needed has no number and says so.
func (c *cli) receipt(r client.Receipt) {
	if r.Sequence == 0 {
		c.say("Nothing to change.")
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
		text += "; waited until " + strings.Join(r.Fenced, ", ") + " could admit nothing"
	}
	c.say("%s, %.1f ms after the commit.", text, r.Milliseconds)
}

// completionTime is how long a shell waits for names to complete.
const completionTime = time.Second

// completeAccounts offers accounts for the first argument, the first page of
// them, by id with the name beside.
func (c *cli) completeAccounts(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd, args, func(ctx context.Context, api *client.Client) (out []string, err error) {
		page, err := api.ListAccounts(ctx, client.PageRequest{Limit: pageSize})
		for _, a := range page.Accounts {
			out = append(out, cobra.CompletionWithDesc(string(a.ID), printable(a.Name)))
		}
		return out, err
	})
}

// completeKeys offers keys for the first argument, in the same way.
func (c *cli) completeKeys(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd, args, func(ctx context.Context, api *client.Client) (out []string, err error) {
		page, err := api.ListKeys(ctx, client.ListKeysRequest{Limit: pageSize})
		for _, k := range page.Keys {
			out = append(out, cobra.CompletionWithDesc(string(k.ID), printable(k.Name)))
		}
		return out, err
	})
}

// complete asks a server that answers in time, and offers nothing otherwise: a
// message would land in the line that is being typed.
func (c *cli) complete(cmd *cobra.Command, args []string, names func(context.Context, *client.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	api, err := c.client()
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

// version is the release, or what the toolchain knows of the source; never "",
// since doctor compares two of them.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// version prints what this program is, which may not be what is serving: doctor
// compares the two.
func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, and the Go release it was built with", Args: exact(),
		RunE: func(*cobra.Command, []string) error {
			return c.show(map[string]string{"name": "toksta", "version": version(), "go": runtime.Version()},
				table{rows: [][]string{{version(), runtime.Version()}}})
		},
	}
}

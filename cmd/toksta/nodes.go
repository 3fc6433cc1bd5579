package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// nodes returns the command that prints the nodes that must confirm a change
// before it is enforced.
func (c *cli) nodes() *cobra.Command {
	return &cobra.Command{
		Use: "nodes", Short: "List the nodes that changes wait for", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
				all, err := api.Nodes(ctx)
				if err != nil {
					return err
				}
				t := table{header: []string{"name", "version", "applied", "secrets", "lease", "seen", "state"}}
				for _, n := range all.Nodes {
					state := "live"
					if n.Stale {
						state = "stale"
					}
					t.add(n.Name, n.Version, strconv.FormatInt(n.Applied, 10), strconv.FormatInt(n.Keys, 10), n.Lease, formatTime(n.SeenAt), state)
				}
				return c.show(all.Nodes, t)
			})
		},
	}
}

package main

import (
	_ "embed"
	"fmt"

	"github.com/spf13/cobra"
)

// licensesText is the output of scripts/licenses for the modules of this build.
//
//go:generate sh -c "../../scripts/licenses > licenses.txt"
//go:embed licenses.txt
var licensesText string

// licenses prints what the licenses of the linked modules ask for: their texts.
func (c *cli) licenses() *cobra.Command {
	return &cobra.Command{
		Use: "licenses", Short: "Print the licenses of all that is built into this program", Args: exact(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(c.out, licensesText)
			return err
		},
	}
}

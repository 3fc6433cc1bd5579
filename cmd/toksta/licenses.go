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

// licenses returns the command that prints the texts of the linked modules'
// licenses, as they require.
func (c *cli) licenses() *cobra.Command {
	return &cobra.Command{
		Use: "licenses", Short: "Print the licenses of the modules in this program", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(c.out, licensesText)
			return err
		},
	}
}

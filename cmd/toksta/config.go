package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/config"
)

// config groups what needs no server: check exits with 1 when there is a fault,
// print and default write YAML that a server can be started with.
func (c *cli) config() *cobra.Command {
	return noun("config", "Check and print the configuration",
		&cobra.Command{
			Use: "check", Short: "Report every fault with its line and a remedy", Args: exact(),
			RunE: func(*cobra.Command, []string) error {
				cfg, err := c.load()
				if err != nil {
					return err
				}
				c.say("The configuration is sound.")
				if cfg.Mail.Server == "" {
					c.say("Mail is off, since mail.server is empty: customers get no notices.")
				}
				if cfg.Export.URL == "" {
					c.say("The export of usage is off, since export.url is empty.")
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "print", Short: "Print the effective settings, passwords redacted", Args: exact(),
			RunE: func(*cobra.Command, []string) error {
				cfg, err := c.load()
				if err != nil {
					return err
				}
				text, err := cfg.Print()
				if err != nil {
					return fmt.Errorf("print the configuration: %w", err)
				}
				_, err = c.out.Write(text)
				return err
			},
		},
		&cobra.Command{
			Use: "default", Short: "Print the shipped configuration with its comments", Args: exact(),
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprint(c.out, config.DefaultYAML)
				return err
			},
		},
	)
}

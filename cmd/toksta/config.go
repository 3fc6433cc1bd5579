package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/config"
)

// config returns the commands that check and print the configuration. They need no
// server. The output of print and default is a valid configuration file.
func (c *cli) config() *cobra.Command {
	return commandGroup("config", "Check and print the configuration",
		&cobra.Command{
			Use: "check", Short: "Report every problem with its line and a fix", Args: exactArgs(),
			RunE: func(*cobra.Command, []string) error {
				cfg, err := c.loadConfig()
				if err != nil {
					return err
				}
				if _, err := app.Letters(cfg); err != nil {
					return err
				}
				c.say("The configuration is valid.")
				for _, warning := range cfg.Warnings() {
					c.say("Warning: %s", warning)
				}
				if cfg.Mail.Server == "" {
					c.say("Mail is off, because mail.server is empty: customers receive no mails.")
				}
				if cfg.Export.URL == "" {
					c.say("The export of usage is off, because export.url is empty.")
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "print", Short: "Print the effective configuration, secrets redacted", Args: exactArgs(),
			RunE: func(*cobra.Command, []string) error {
				cfg, err := c.loadConfig()
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
			Use: "default", Short: "Print the default configuration with its comments", Args: exactArgs(),
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprint(c.out, config.DefaultYAML)
				return err
			},
		},
	)
}

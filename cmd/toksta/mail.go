package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// mail returns the commands that test the mail server and show the mails.
func (c *cli) mail() *cobra.Command {
	return commandGroup("mail", "Test the mail settings, and show all mails",
		&cobra.Command{
			Use: "test ADDRESS", Short: "Send a test message through the running server", Args: exactArgs("ADDRESS"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
					if err := api.TestMail(ctx, client.TestMailRequest{To: args[0]}); err != nil {
						return err
					}
					c.say("The mail server has accepted the message to %s.", args[0])
					return nil
				})
			},
		},
		c.mailList(), c.mailPreview(),
	)
}

// mailRow is a mail in the output of JSON and YAML.
type mailRow struct {
	Name    string `json:"name"`
	Sent    string `json:"sent"`
	Subject string `json:"subject"` // with invented values
}

// mailList returns the command that lists all mails, with the subjects of the configured
// templates.
func (c *cli) mailList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List every mail that people can get; needs no server", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			letters, err := c.letters()
			if err != nil {
				return err
			}
			var rows []mailRow
			t := table{header: []string{"name", "sent", "subject"}}
			for _, s := range mail.Samples() {
				row := mailRow{Name: s.Name(), Sent: s.About(), Subject: letters.Preview(s).Subject}
				rows = append(rows, row)
				t.add(row.Name, row.Sent, row.Subject)
			}
			return c.show(rows, t)
		},
	}
}

// mailPreview returns the command that writes mails with invented values.
func (c *cli) mailPreview() *cobra.Command {
	dir, html := "", false
	cmd := &cobra.Command{
		Use: "preview [NAME]", Short: "Write mails with invented values; needs no server",
		Long: "Write every mail with invented values, as NAME.html and NAME.txt, into the directory of --dir,\n" +
			"or one mail to standard output. The look and the templates are those of the configuration.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			letters, err := c.letters()
			switch {
			case err != nil:
				return err
			case len(args) == 1 && dir == "":
				return c.printMail(letters, args[0], html)
			case len(args) == 1 || dir == "" || html:
				return toksta.Invalid("dir", "Give the name of one mail, or --dir DIRECTORY for all of them. --html is for one mail.")
			default:
				return c.writeMails(letters, dir)
			}
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write all mails into this `directory`, which is created if needed")
	cmd.Flags().BoolVar(&html, "html", false, "print the HTML of the mail instead of its text")
	return cmd
}

// letters returns the mails in the look and with the templates of the configuration.
func (c *cli) letters() (*mail.Letters, error) {
	cfg, err := c.loadConfig()
	if err != nil {
		return nil, err
	}
	return app.Letters(cfg)
}

// printMail prints one mail.
func (c *cli) printMail(letters *mail.Letters, name string, html bool) error {
	samples := mail.Samples()
	at := slices.IndexFunc(samples, func(s mail.Sample) bool { return s.Name() == name })
	if at < 0 {
		return &toksta.Error{Code: toksta.CodeNotFound, Message: fmt.Sprintf("There is no mail %.60q.", name), Hint: "toksta mail list shows the names"}
	}
	m := letters.Preview(samples[at])
	text := "Subject: " + m.Subject + "\n\n" + m.Text
	if html {
		text = m.HTML
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}

// writeMails writes each mail as HTML and as text into a directory.
func (c *cli) writeMails(letters *mail.Letters, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the directory: %w", err)
	}
	samples := mail.Samples()
	for _, s := range samples {
		m := letters.Preview(s)
		for ext, text := range map[string]string{".html": m.HTML, ".txt": "Subject: " + m.Subject + "\n\n" + m.Text} {
			if err := os.WriteFile(filepath.Join(dir, s.Name()+ext), []byte(text), 0o644); err != nil {
				return fmt.Errorf("write a mail: %w", err)
			}
		}
	}
	c.say("%d mails are in %s, each as HTML and as text.", len(samples), dir)
	return nil
}

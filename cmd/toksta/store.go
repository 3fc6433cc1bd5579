package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store/sqlstore"
)

// store returns the command that copies the database. It needs no server.
func (c *cli) store() *cobra.Command {
	return commandGroup("store", "Copy the database", c.storeCopy())
}

// targetVariable is the variable with the URL of the target, which may contain a
// password.
const targetVariable = "TOKSTA_STORE_COPY_TO"

// storeCopy returns the command that copies SQLite into PostgreSQL. It does not
// change the source, so that store.url can be set back to it.
func (c *cli) storeCopy() *cobra.Command {
	from, to, file := "", "", ""
	cmd := &cobra.Command{
		Use: "copy", Short: "Copy a SQLite database into PostgreSQL and compare the two", Args: exactArgs(),
		Long: "Copy everything into an empty PostgreSQL database, with all sequence numbers, and\n" +
			"compare both row by row. Stop the server first. A repeat continues an interrupted\n" +
			"copy. A URL with a password comes from --to-file or " + targetVariable + ".",
		Example: `  toksta store copy --from sqlite:/var/lib/toksta/toksta.db --to "postgres:///toksta?host=/run/postgresql"
  toksta store copy --to-file /etc/toksta/store-url`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := c.copyTarget(to, file)
			if err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if from == "" {
				cfg, err := c.loadConfig()
				if err != nil {
					return err
				}
				from = cfg.Store.URL
			}
			return c.copyStore(cmd.Context(), from, target)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "SQLite `database` to read (default: the configuration's)")
	cmd.Flags().StringVar(&to, "to", "", "PostgreSQL `URL` without a password")
	cmd.Flags().StringVar(&file, "to-file", "", "`file` with the URL")
	return cmd
}

// copyTarget returns the URL of the target. It rejects a password in an argument,
// which other users of the machine can read.
func (c *cli) copyTarget(to, file string) (string, error) {
	for _, variable := range c.process.Environ {
		if value, ok := strings.CutPrefix(variable, targetVariable+"="); ok && to == "" && file == "" {
			return value, nil
		}
	}
	switch {
	case to != "" && file != "":
		return "", errors.New("set --to or --to-file, not both")
	case file != "":
		content, err := c.textFile(file)
		return strings.TrimSpace(content), err
	case config.Redact(to) != to:
		return "", fmt.Errorf("other users can read a password in an argument; use --to-file or %s", targetVariable)
	case to == "":
		return "", fmt.Errorf("the target is missing: set --to, --to-file or %s", targetVariable)
	default:
		return to, nil
	}
}

// copyStore copies the database and prints the progress every second.
func (c *cli) copyStore(ctx context.Context, from, to string) error {
	start, shown, rows := time.Now(), time.Time{}, map[string]int64{}
	err := sqlstore.Copy(ctx, sqlstore.CopyConfig{From: from, To: to, Progress: func(p sqlstore.CopyProgress) {
		rows[p.Table] = max(rows[p.Table], p.Rows)
		if p.Rows < p.Of && time.Since(shown) < time.Second {
			return
		}
		shown = time.Now()
		if p.Comparing {
			c.say("comparing %s (%d of %d)", p.Table, p.Number, p.Tables)
			return
		}
		c.say("%s: %d of %d rows (%d of %d)", p.Table, p.Rows, p.Of, p.Number, p.Tables)
	}})
	if err != nil {
		return err
	}
	total := int64(0)
	for _, n := range rows {
		total += n
	}
	c.say("Copied and compared %d rows in %v. Point store.url to the new database, and keep the tombstones file.",
		total, time.Since(start).Round(time.Millisecond))
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/client"
)

// serve returns the command that runs one node until a signal arrives, then lets
// requests in flight finish. The log goes to standard error.
func (c *cli) serve() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Serve the API and the account pages", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			node, err := app.New(cmd.Context(), cfg, app.Options{Version: buildVersion(), ConfigPath: c.configFile(), Log: newLog(c.err, cfg.Logs)})
			if err != nil {
				return err
			}
			return node.Run(cmd.Context())
		},
	}
}

// isServer reports whether args run a command that serves until a signal arrives.
func isServer(args []string) bool {
	cmd, _, err := new(cli).rootCommand().Find(args)
	return err == nil && slices.Contains([]string{"toksta serve", "toksta demo", "toksta demo-upstream"}, cmd.CommandPath())
}

// ignoreHangup keeps a server running after its terminal has closed (SIGHUP) or the
// reader of its log has ended (SIGPIPE). Later log records are lost.
func ignoreHangup() { signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) }

// newLog returns a log that writes to w as configured.
func newLog(w io.Writer, l config.Logs) *telemetry.Log {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // config has validated the level
	return telemetry.NewLog(telemetry.LogConfig{
		Out: w, Level: level, Text: l.Format == "text", Buffer: int(l.Buffer), RejectedPerSecond: l.RejectedPerSecond,
	})
}

const (
	// demoData is the default data directory of the demo, as a variable.
	demoData = "TOKSTA_DATA=demo-data"
	// demoLogName is the log file in the data directory.
	demoLogName = "toksta.log"
)

// demo returns the command that runs a node with a demo back end and accounts.
// Only the default of the data directory differs from that of serve.
func (c *cli) demo() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Serve with a demo back end and demo data", Args: exactArgs(),
		Long: "Serve the API and the account pages in front of a demo back end, with one\naccount per plan and billing state. All data is in the directory demo-data.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.process.Environ = append([]string{demoData}, c.process.Environ...)
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			linkVendorPages(&cfg)
			// The page of mails takes the place of a mail server.
			cfg.Signup.Verification = cmp.Or(cfg.Signup.Verification, config.VerifyBeforeSignIn)
			log, err := demoLog(cfg.Data)
			if err != nil {
				return err
			}
			defer log.Close()
			node, err := app.New(cmd.Context(), cfg, app.Options{Version: buildVersion(), ConfigPath: c.configFile(), Log: newLog(log, cfg.Logs), Demo: true})
			if err != nil {
				return err
			}
			return c.runDemo(cmd.Context(), cfg, node)
		},
	}
}

// linkVendorPages links the account pages to the pages of the demo's vendor, unless the
// configuration names others.
func linkVendorPages(cfg *config.Config) {
	for _, u := range cfg.Upstreams {
		if network, address := u.Address(); network == "tcp" {
			cfg.Branding.BillingURL = cmp.Or(cfg.Branding.BillingURL, "http://"+address+demo.BillingPath)
			cfg.Branding.CreditsURL = cmp.Or(cfg.Branding.CreditsURL, "http://"+address+demo.CreditsPath)
			return
		}
	}
}

// demoLog opens the demo's log file for appending. On the terminal, the log would
// hide the demo's instructions.
func demoLog(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(data, demoLogName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the demo's log: %w", err)
	}
	return log, nil
}

// runDemo runs the node and its back end, and creates the demo's accounts. It
// returns when one of them fails or ctx ends.
func (c *cli) runDemo(ctx context.Context, cfg config.Config, node *app.App) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, within := errgroup.WithContext(ctx)
	api := client.New(cfg.Listen.Private)
	api.Operator = "demo"
	for _, u := range cfg.Upstreams {
		group.Go(func() error {
			network, address := u.Address()
			return serveUpstream(within, network, address, demo.ReservingUpstream(api))
		})
	}
	group.Go(func() error {
		defer stop()
		return node.Run(within)
	})
	group.Go(func() error {
		err := demo.Seed(within, demo.SeedConfig{API: api, Data: cfg.Data, Log: filepath.Join(cfg.Data, demoLogName), URL: cfg.PublicURL, Call: cfg.ExamplePath(), Out: c.out, Flush: node.AddUsage})
		if within.Err() != nil {
			return nil // stopped before it was ready
		}
		return err
	})
	return group.Wait()
}

// demoUpstream returns the command that runs the demo back end alone, for a
// server elsewhere.
func (c *cli) demoUpstream() *cobra.Command {
	address := ""
	cmd := &cobra.Command{
		Use: "demo-upstream", Short: "Serve only the demo back end", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.say("The demo back end listens on http://%s.", address)
			return serveUpstream(cmd.Context(), "tcp", address, demo.Upstream())
		},
	}
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:8081", "`address` to listen on")
	return cmd
}

// serveUpstream serves the demo back end until ctx ends, then closes its connections
// at once.
func serveUpstream(ctx context.Context, network, address string, backend http.Handler) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return fmt.Errorf("listen for the demo's back end: %w", err)
	}
	server := &http.Server{Handler: backend, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the demo's back end: %w", err)
	}
	return nil
}

package main

import (
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

// serve runs one node until a signal, then lets requests in flight finish. The
// log goes to standard error; nothing goes to standard output.
func (c *cli) serve() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Serve the API and the account pages", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ignoreHangup()
			cfg, err := c.load()
			if err != nil {
				return err
			}
			node, err := app.New(cmd.Context(), cfg, app.Options{Version: version(), Log: newLog(c.err, cfg.Logs)})
			if err != nil {
				return err
			}
			return node.Run(cmd.Context())
		},
	}
}

// ignoreHangup keeps a server running after its terminal has closed (SIGHUP) and
// after the reader of its log has ended (SIGPIPE): log records are lost then.
func ignoreHangup() { signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) }

// newLog writes records to w, in the format and from the level that the
// configuration has.
func newLog(w io.Writer, l config.Logs) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // config knows four words only
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return telemetry.NewLog(w, level)
}

const (
	// demoData is where the demo keeps everything, unless told otherwise.
	demoData = "TOKSTA_DATA=demo-data"
	// demoLogName is the file in it that the log goes to.
	demoLogName = "toksta.log"
)

// demo is serve with a back end and accounts to try it with. The configuration
// is the usual one, but for the folder.
func (c *cli) demo() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Serve everything with made-up data, to try it out", Args: exact(),
		Long: "Serve the API and the account pages in front of a made-up back end, with one\naccount per plan and billing state. Everything is kept in the folder demo-data.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ignoreHangup()
			c.process.Environ = append([]string{demoData}, c.process.Environ...)
			cfg, err := c.load()
			if err != nil {
				return err
			}
			log, err := demoLog(cfg.Data)
			if err != nil {
				return err
			}
			defer log.Close()
			node, err := app.New(cmd.Context(), cfg, app.Options{Version: version(), Log: newLog(log, cfg.Logs)})
			if err != nil {
				return err
			}
			return c.runDemo(cmd.Context(), cfg, node)
		},
	}
}

// demoLog opens the file of the demo's log: on the terminal it would bury what
// the demo says. A file of an earlier run is written on.
func demoLog(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(data, demoLogName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the demo's log: %w", err)
	}
	return log, nil
}

// runDemo runs the node, its back end and the visit of an operator who makes
// the demo's accounts. It ends with the first of them that fails, or with ctx.
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
		err := demo.Seed(within, demo.SeedConfig{API: api, Data: cfg.Data, Log: filepath.Join(cfg.Data, demoLogName), URL: cfg.PublicURL, Out: c.out})
		if within.Err() != nil {
			return nil // stopped before it was ready
		}
		return err
	})
	return group.Wait()
}

// demoUpstream runs the made-up back end by itself, for a server elsewhere.
func (c *cli) demoUpstream() *cobra.Command {
	address := ""
	cmd := &cobra.Command{
		Use: "demo-upstream", Short: "Serve a made-up back end alone", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ignoreHangup()
			c.say("A made-up back end answers on http://%s.", address)
			return serveUpstream(cmd.Context(), "tcp", address, demo.Upstream())
		},
	}
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:8081", "`address` to listen on")
	return cmd
}

// serveUpstream answers as the demo's back end until ctx ends. It owes nobody a
// graceful end: what it answers is made up.
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

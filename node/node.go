package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
)

// Config configures [Start].
type Config struct {
	// File is the path of the configuration file; "": the default configuration. The
	// node does not listen on listen.public: the program serves its API itself.
	File string
	// Data is the data directory; "": the one of the configuration. No two running nodes
	// may share a directory.
	Data string
	// Environ overrides settings by variables such as TOKSTA_STORE_URL, in the form of
	// os.Environ. Nothing else of the environment is read.
	Environ []string
	// Log receives the log of the node and its request records; nil: os.Stderr.
	Log io.Writer
	// Version names the build in the log and in the list of nodes; "": "embedded".
	Version string
}

// Node is a running node. Its methods are safe for concurrent use.
type Node struct {
	app    *app.App
	socket string
	jobs   *client.Verifier
	cancel context.CancelFunc
	done   chan struct{} // closed when the node has stopped
	err    error         // of the node; read after done
}

// Start starts a node and returns when it can decide: it holds a lease and knows every
// key and balance. If ctx ends before, Start stops the node and returns the error of ctx;
// later, ctx has no effect. The caller must call [Node.Close]. An error of the
// configuration lists every problem with its line.
func Start(ctx context.Context, c Config) (*Node, error) {
	environ := c.Environ
	if c.Data != "" {
		environ = append(environ[:len(environ):len(environ)], "TOKSTA_DATA="+c.Data)
	}
	settings, err := config.Load(c.File, environ)
	if err != nil {
		return nil, fmt.Errorf("configure the node: %w", err)
	}
	var out io.Writer = os.Stderr
	if c.Log != nil {
		out = c.Log
	}
	a, err := app.New(ctx, settings, app.Options{
		Version: cmp.Or(c.Version, "embedded"), ConfigPath: c.File, Log: newLog(out, settings.Logs), Embedded: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &Node{app: a, socket: settings.Listen.Private, jobs: client.NewVerifier(settings.Listen.Private), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(n.done)
		n.err = a.Run(running)
	}()
	select {
	case <-a.Started():
		return n, nil
	case <-n.done:
		if n.err == nil {
			return nil, errors.New("start the node: it stopped before it could decide")
		}
		return nil, fmt.Errorf("start the node: %w", n.err)
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), n.Close())
	}
}

// newLog returns the log that the settings describe.
func newLog(out io.Writer, l config.Logs) *telemetry.Log {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // config has validated the level
	return telemetry.NewLog(telemetry.LogConfig{
		Out: out, Level: level, Text: l.Format == "text", Buffer: int(l.Buffer), RejectedPerSecond: l.RejectedPerSecond,
	})
}

// Verifier returns a verifier that decides in memory. It admits, limits, counts and
// charges calls as the gateway does, at the decision, and writes the same request
// records. When the node has stopped or its lease has expired, it rejects every call
// with 503.
func (n *Node) Verifier() httpauth.Verifier { return n.app }

// Handler returns the handler of the public API: the account pages, the usage endpoint
// and routes with an upstream. Calls pass the gateway there, so do not put
// httpauth.Require in front of it.
func (n *Node) Handler() http.Handler { return n.app.Handler() }

// Pages returns the handler of the account pages, for a program that serves them itself:
// on a host of their own, or as the handler of every path that its API does not have.
func (n *Node) Pages() http.Handler { return n.app.PagesHandler() }

// Socket returns the path of the node's operator socket, which the commands of toksta use.
func (n *Node) Socket() string { return n.socket }

// Operator returns a client of the operator API, through the socket of the node.
func (n *Node) Operator() *client.Client { return client.New(n.socket) }

// Settle charges the price of a job, in credits, from the reservation of d, and releases
// the rest; see client.Verifier.Settle.
func (n *Node) Settle(ctx context.Context, d *httpauth.Decision, credits int64) error {
	return n.jobs.Settle(ctx, d, credits)
}

// Done returns a channel that is closed when the node has stopped, by Close or because
// of a failure such as a damaged database.
func (n *Node) Done() <-chan struct{} { return n.done }

// Close stops the node and returns when its counts are in the database, it has left the
// cluster and the database is closed. Stop the program's own server first. It returns
// the error with which the node stopped.
func (n *Node) Close() error {
	n.cancel()
	<-n.done
	return n.err
}

// Command toksta serves self-serve API keys for an HTTP API and manages them.
//
// It stands in front of everything: main turns signals into a context, the
// commands turn arguments into calls of internal/app and client. It holds no
// logic of the product, takes no secret from an argument and prints data on
// standard output, messages on standard error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/toksta/toksta/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once: the default action is back.
	context.AfterFunc(ctx, stop)
	c := &cli{process: config.ReadProcess(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(c.run(ctx, os.Args[1:]))
}

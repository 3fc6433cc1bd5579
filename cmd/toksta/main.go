// Command toksta serves self-serve API keys for an HTTP API and manages them.
//
// main converts signals to a context, and the commands convert arguments to calls
// of internal/app and client. The command has no logic of the product. It accepts
// no secret as an argument. It prints data on standard output and messages on
// standard error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/toksta/toksta/internal/config"
)

func main() {
	if isServer(os.Args[1:]) {
		// Now, because a signal ends the process until the command runs.
		ignoreHangup()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Restore the default action, so that a second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	c := &cli{process: config.ReadProcess(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(c.run(ctx, os.Args[1:]))
}

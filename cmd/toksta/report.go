package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/toksta"
)

// Exit codes, as gh has them.
const (
	exitOK       = 0
	exitError    = 1
	exitCanceled = 2 // by the person, or called wrongly
	exitAuth     = 4 // this user may not open the operator socket
)

// usageError is a command called wrongly.
type usageError struct {
	error          // what is wrong with the call
	command string // whose help says how it is done
}

// Unwrap lets the cause be found through it.
func (e usageError) Unwrap() error { return e.error }

// exitCode is the one table from an error to what a script sees. A signal counts
// as the person's no, so an interrupted import exits as a canceled one does.
func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitCanceled
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errCanceled), errors.Is(err, context.Canceled):
		return exitCanceled
	case errors.Is(err, fs.ErrPermission):
		return exitAuth
	default:
		return exitError
	}
}

// report prints a failure and what to do about it, on standard error.
// Problems of the configuration are listed one per line.
func (c *cli) report(err error) {
	if err == nil {
		return
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		c.say("%s", problems)
		c.say("toksta: problems in the configuration: %d", len(problems))
		return
	}
	switch e, ok := errors.AsType[*toksta.Error](err); {
	case ok:
		c.say("toksta: %s", sentence(e))
	case errors.Is(err, context.Canceled):
		c.say("toksta: interrupted")
	default:
		c.say("toksta: %v", err)
	}
	if hint := hint(err); hint != "" {
		c.say("hint: %s", hint)
	}
}

// sentence names the fields that a message is about.
func sentence(e *toksta.Error) string {
	if fields := e.Fields(); len(fields) == 1 {
		for field, message := range fields {
			return field + ": " + message
		}
	}
	return e.Message // which names several fields itself
}

// hint says what to run or change next, "" when there is nothing to say. The
// server knows best, so its own hint comes first.
func hint(err error) string {
	if e, ok := errors.AsType[*toksta.Error](err); ok {
		return e.Hint
	}
	if e, ok := errors.AsType[usageError](err); ok {
		return "see " + e.command + " --help"
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return "stop what listens there, or move with TOKSTA_LISTEN_PUBLIC, the demo's back end with TOKSTA_UPSTREAMS_BACKEND_URL"
	}
	_, dialing := errors.AsType[*net.OpError](err)
	switch {
	case dialing && errors.Is(err, fs.ErrPermission):
		return "run this as the user that the server runs as"
	case dialing && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return "start the server with toksta serve, or name its socket with --socket"
	}
	return ""
}

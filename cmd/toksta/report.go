package main

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/toksta"
)

// Exit codes, the same as those of the GitHub CLI.
const (
	exitOK       = 0
	exitError    = 1
	exitCanceled = 2 // by the person or by an interrupt; also a usage error
	exitAuth     = 4 // no permission for the operator socket, or for the call with the operator key
)

// usageError is an error in the arguments or flags of a command.
type usageError struct {
	error          // the cause
	command string // the command path, for the hint to its help
}

// Unwrap returns the cause.
func (e usageError) Unwrap() error { return e.error }

// exitCode returns the exit code for an error, as the GitHub CLI does: a usage
// error and an interrupt both give exitCanceled, 2.
func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitCanceled
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errCanceled), errors.Is(err, context.Canceled):
		return exitCanceled
	case errors.Is(err, fs.ErrPermission), errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized}),
		errors.Is(err, &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonRoleInsufficient}):
		return exitAuth
	default:
		return exitError
	}
}

// report prints an error and a hint on standard error. Of a configuration, it
// prints each problem on a line.
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

// sentence returns the message of an error, with the name of its field.
func sentence(e *toksta.Error) string {
	if fields := e.Fields(); len(fields) == 1 {
		for field, message := range fields {
			return field + ": " + message
		}
	}
	return e.Message // names several fields itself
}

// hint returns the next step for the person, or "". The server's own hint has
// priority.
func hint(err error) string {
	if e, ok := errors.AsType[*toksta.Error](err); ok {
		if e.Code == toksta.CodeUnauthorized {
			return "the operator key is unknown, revoked, expired, or not for this network, or this is not the address of listen.operator; run toksta login URL with another one"
		}
		return e.Hint
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return "if you trust the certificate, run toksta login URL with --ca FILE"
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "check that this is the address of listen.operator; without TLS, it starts with http:"
	}
	if e, ok := errors.AsType[usageError](err); ok {
		return "see " + e.command + " --help"
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return "stop the program that listens on this address, or choose another one under listen in the configuration or with TOKSTA_LISTEN_PUBLIC, and for the demo's back end with TOKSTA_UPSTREAMS_BACKEND_URL"
	}
	dial, isDialing := errors.AsType[*net.OpError](err)
	switch {
	case isDialing && dial.Net != "unix":
		return profileHint(err)
	case isDialing && errors.Is(err, fs.ErrPermission):
		return "run this command as the user of the server"
	case isDialing && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return "start the server with toksta serve, or name its socket with --socket; for a server on another machine, run toksta login URL or toksta profiles use NAME"
	}
	return ""
}

// profileHint returns the next step after a failed connection to the server of a profile, or "" for
// another connection over the network, such as one to a database.
func profileHint(err error) string {
	if _, isCall := errors.AsType[*url.Error](err); !isCall {
		return ""
	}
	return "check that the server runs, and that listen.operator in its configuration has this address; toksta profiles list shows the profiles"
}

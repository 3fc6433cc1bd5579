package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this test binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"toksta": main, "receiver": receiver})
}

// The program keeps the promises of the README and the help about exit codes,
// streams, formats and secrets.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// The path of the work directory is too long for a socket.
			dir, err := os.MkdirTemp("", "toksta")
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("TOKSTA_DATA", dir)
			e.Setenv("TOKSTA_OPERATOR", "olga")
			e.Setenv("TOKSTA_LISTEN_PUBLIC", "127.0.0.1:0")
			backend, err := freeAddress()
			e.Setenv("TOKSTA_UPSTREAMS_BACKEND_URL", "http://"+backend)
			operators, operatorErr := freeAddress()
			e.Setenv("OPERATOR_ADDRESS", operators)
			return errors.Join(err, operatorErr)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"listening": listening, "holds": holds},
	})
}

// freeAddress returns an unused loopback address. Its port is below the ephemeral
// range, from which the system could assign it to another program.
func freeAddress() (address string, err error) {
	for range 100 {
		address = fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		l, listenErr := net.Listen("tcp", address)
		if listenErr == nil {
			return address, l.Close()
		}
		err = listenErr
	}
	return "", err
}

// listening waits until a server accepts connections on a socket.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, "nothing listens on "+args[0], func() bool {
		c, err := net.Dial("unix", args[0])
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// holds waits until a file contains a text.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, args[0]+" does not contain "+args[1], func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(data), args[1])
	})
}

// eventually waits until done returns true, and fails with failure after 30 s.
func eventually(ts *testscript.TestScript, failure string, done func() bool) {
	deadline := time.After(30 * time.Second)
	for again := time.NewTicker(20 * time.Millisecond); !done(); {
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("%s", failure)
		}
	}
}

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run this test binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"toksta": main, "receiver": receiver})
}

// What the README and the help promise of the command line holds for the real
// program: exit codes, streams, formats, and no secret where it does not belong.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// Sockets have short paths, which the work directory is not.
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
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"listening": listening, "holds": holds},
	})
}

// freeAddress returns one that nothing listens on now, from below the ports that
// the system gives out by itself: one of those is soon somebody else's.
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

// listening waits until a server answers on a socket.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, "nothing listens on "+args[0], func() bool {
		c, err := net.Dial("unix", args[0])
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// holds waits until a file holds a text.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, args[0]+" does not hold "+args[1], func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(data), args[1])
	})
}

func eventually(ts *testscript.TestScript, otherwise string, done func() bool) {
	deadline := time.After(30 * time.Second)
	for again := time.NewTicker(20 * time.Millisecond); !done(); {
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("%s", otherwise)
		}
	}
}

// Package redistest runs a private Redis server for tests, from Debian's binary. It
// listens on a free loopback port, writes nothing to disk and touches no other
// server.
package redistest

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Server is a Redis server that a test can stop, pause and start again. It ends with
// the test that started it.
type Server struct {
	tb   testing.TB
	bin  string
	port string
	run  *exec.Cmd // nil: killed
}

// Start starts a new server. It skips tb if the binary is missing.
func Start(tb testing.TB) *Server {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Skip("redis-server is missing: nothing was tested on it. Run: apt-get install -y redis-server")
	}
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, bin: bin, port: strconv.Itoa(probe.Addr().(*net.TCPAddr).Port)}
	probe.Close()
	s.Start()
	tb.Cleanup(s.Kill)
	return s
}

// URL returns the URL of the server, which may be stopped.
func (s *Server) URL() string { return "redis://127.0.0.1:" + s.port }

// Start starts an empty server after Kill, and waits until it responds.
func (s *Server) Start() {
	s.tb.Helper()
	s.run = exec.Command(s.bin, "--port", s.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.tb.TempDir())
	s.run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.run.Start(); err != nil {
		s.tb.Fatal(err)
	}
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	deadline := time.After(20 * time.Second)
	for s.ask("PING") == nil {
		select {
		case <-retry.C:
		case <-deadline:
			s.tb.Fatal("redis-server does not respond")
		}
	}
}

// Kill kills the server, which loses its data.
func (s *Server) Kill() {
	if s.run != nil {
		_ = s.run.Process.Kill()
		_ = s.run.Wait()
		s.run = nil
	}
}

// Pause makes the server hang: it accepts connections without responding.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.tb.Helper()
	if err := s.run.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

// Reads returns the number of reads from connections so far, including this request.
// A round trip is one read.
func (s *Server) Reads() int {
	s.tb.Helper()
	stats, err := redis.String(s.ask("INFO", "stats"), nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	for line := range strings.Lines(stats) {
		if text, found := strings.CutPrefix(line, "total_reads_processed:"); found {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				s.tb.Fatal(err)
			}
			return n
		}
	}
	s.tb.Fatal("this Redis does not count its reads")
	return 0
}

// ReadOnly makes the server reject every write, as a replica does.
func (s *Server) ReadOnly() {
	s.tb.Helper()
	// A replica of a port without a listener.
	if s.ask("REPLICAOF", "127.0.0.1", "1") == nil {
		s.tb.Fatal("redis-server cannot be made a replica")
	}
}

// ask sends a command and returns the response, or nil after any failure.
func (s *Server) ask(command string, args ...any) any {
	conn, err := redis.Dial("tcp", "127.0.0.1:"+s.port, redis.DialReadTimeout(5*time.Second))
	if err != nil {
		return nil
	}
	defer conn.Close()
	reply, err := conn.Do(command, args...)
	if err != nil {
		return nil
	}
	return reply
}

// Package redistest runs a private Redis server for tests, from the binary that
// Debian installs. It listens on a free loopback port, keeps nothing on disk and
// touches no server that is already there.
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

// Server is a server that a test stops, pauses and starts again. It ends with
// the test that started it.
type Server struct {
	tb   testing.TB
	bin  string
	port string
	run  *exec.Cmd // nil: killed
}

// Start runs a new server. Without the binary it skips tb.
func Start(tb testing.TB) *Server {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Skip("redis-server is missing: nothing was tested on it. Run: apt-get install -y redis-server")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, bin: bin, port: strconv.Itoa(free.Addr().(*net.TCPAddr).Port)}
	free.Close()
	s.Start()
	tb.Cleanup(s.Kill)
	return s
}

// URL is where the server is, running or not.
func (s *Server) URL() string { return "redis://127.0.0.1:" + s.port }

// Start starts the server after a Kill, empty, and waits until it answers.
func (s *Server) Start() {
	s.tb.Helper()
	s.run = exec.Command(s.bin, "--port", s.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.tb.TempDir())
	s.run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.run.Start(); err != nil {
		s.tb.Fatal(err)
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(20 * time.Second)
	for s.ask("PING") == nil {
		select {
		case <-again.C:
		case <-deadline:
			s.tb.Fatal("redis-server does not answer")
		}
	}
}

// Kill ends the server as a crash does. What it held is lost.
func (s *Server) Kill() {
	if s.run != nil {
		_ = s.run.Process.Kill()
		_ = s.run.Wait()
		s.run = nil
	}
}

// Pause makes the server hang: connections are accepted, nothing is answered.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.tb.Helper()
	if err := s.run.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

// Reads is how often the server has read from a connection, this question with
// it: once for each round trip.
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

// ReadOnly makes the server refuse every write, as a replica does.
func (s *Server) ReadOnly() {
	s.tb.Helper()
	// A replica of a port where nobody listens.
	if s.ask("REPLICAOF", "127.0.0.1", "1") == nil {
		s.tb.Fatal("redis-server cannot be made a replica")
	}
}

// ask returns nil for what was not answered.
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

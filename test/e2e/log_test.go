package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
)

// maxLogLoss is the age of the newest record that must survive a kill.
const maxLogLoss = 100 * time.Millisecond

// logLine is a line of the log in the fields that the tests read.
type logLine struct {
	Msg, Listener, Address string
	RequestID              string `json:"request_id"`
	Dropped                int
}

// serveLog starts the program with a file as the destination of its log.
func serveLog(t *testing.T, p *apptest.Program, log *os.File) {
	t.Helper()
	p.Process = p.Command(p.Path, "serve")
	p.Process.Stderr = log
	if err := p.Process.Start(); err != nil {
		t.Fatal(err)
	}
}

// listening reads the log until the program listens, and returns its URL.
func listening(log *bufio.Scanner) (url string) {
	for log.Scan() {
		var l logLine
		if json.Unmarshal(log.Bytes(), &l) == nil && l.Msg == "listening" && l.Listener == "public" {
			return "http://" + l.Address
		}
	}
	return ""
}

// sendID sends a request with a request id, which the record of the request repeats.
func sendID(c *http.Client, url, id string) error {
	r, err := http.NewRequest(http.MethodGet, url+"/health", nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Request-Id", id)
	_, err = apptest.Exchange(c, r)
	return err
}

// Guarantee: a killed process has lost at most the records of its last 100 ms. A busy
// machine may delay the write, so only three rounds that lose more are a failure.
func TestLogSurvivesKill(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	var loss time.Duration
	for range 3 {
		if loss = killedLoss(t, p); loss <= maxLogLoss {
			return
		}
	}
	t.Errorf("records of requests that ended up to %v before the kill are lost", loss)
}

// killedLoss sends requests to a new process, kills it, and returns the time between
// the first response without a record and the kill.
func killedLoss(t *testing.T, p *apptest.Program) (loss time.Duration) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	serveLog(t, p, log)
	url := ""
	apptest.Eventually(t, "the program does not listen", func() bool {
		text, err := os.ReadFile(path)
		url = listening(bufio.NewScanner(bytes.NewReader(text)))
		return err == nil && url != ""
	})
	var killed time.Time
	done := make(chan struct{})
	time.AfterFunc(500*time.Millisecond, func() {
		defer close(done)
		killed = time.Now()
		p.Kill()
	})
	received := map[string]time.Time{}
	client := &http.Client{Transport: &http.Transport{}}
	pace := time.NewTicker(5 * time.Millisecond) // too few records to fill a batch
	defer pace.Stop()
	for i := 0; ; i++ {
		<-pace.C
		id := "call-" + strconv.Itoa(i)
		if sendID(client, url, id) != nil {
			break
		}
		received[id] = time.Now()
	}
	<-done
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sent := len(received)
	for line := range bytes.Lines(text) {
		var l logLine
		if json.Unmarshal(line, &l) == nil {
			delete(received, l.RequestID)
		}
	}
	if sent == len(received) {
		t.Errorf("none of %d requests has a record", sent)
	}
	for _, at := range received {
		loss = max(loss, killed.Sub(at))
	}
	return loss
}

// Guarantee: a process whose log is not read goes on serving requests. The log then
// states how many lines it lacks. A clean stop loses none.
func TestLogReaderStuck(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	p.Env = append(p.Env, "TOKSTA_LOGS_BUFFER=64KiB")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	serveLog(t, p, write)
	write.Close()
	log := bufio.NewScanner(read)
	url := listening(log)
	client := &http.Client{Timeout: 10 * time.Second}
	send := func(n int) {
		t.Helper()
		for i := range n {
			if err := sendID(client, url, "call-"+strconv.Itoa(i)); err != nil {
				t.Fatalf("call %d while the log is not read: %v", i, err)
			}
		}
	}
	const unread, last = 2000, 100
	send(unread)

	var records, dropped int
	reported := make(chan struct{})
	var end sync.WaitGroup
	end.Go(func() {
		for log.Scan() {
			var l logLine
			if err := json.Unmarshal(log.Bytes(), &l); err != nil {
				t.Errorf("%q: %v", log.Bytes(), err)
			}
			if l.RequestID != "" {
				records++
			}
			if l.Dropped > 0 {
				dropped += l.Dropped
				close(reported)
			}
		}
	})
	select {
	case <-reported:
	case <-time.After(20 * time.Second):
		t.Fatal("the log does not state the number of dropped lines")
	}
	send(last)
	if err := p.End(syscall.SIGTERM); err != nil {
		t.Errorf("the stop: %v", err)
	}
	end.Wait()
	if records+dropped != unread+last || records <= last || dropped == 0 {
		t.Errorf("%d records and %d dropped lines of %d requests", records, dropped, unread+last)
	}
}

// Guarantee: an operator reads in the log which program served with which configuration
// and data, from when to when, and that its stop was clean. The store's password is
// not in it.
func TestLogOfStartAndStop(t *testing.T) {
	t.Parallel()
	p := apptest.Build(t)
	path := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	lines := func() map[string]map[string]any {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]map[string]any{}
		for line := range bytes.Lines(text) {
			var l map[string]any
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			out[l["msg"].(string)] = l
		}
		return out
	}
	serveLog(t, p, log)
	apptest.Eventually(t, "the program does not start", func() bool { return lines()["started"] != nil })
	if err := p.End(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	all := lines()
	for line, fields := range map[string][]string{
		"started":  {"version", "config", "environment", "node", "store", "accounts", "keys", "plans", "routes", "upstreams"},
		"stopping": {"uptime_s", "grace"},
		"stopped":  {"version", "uptime_s", "accounts", "keys"},
	} {
		for _, field := range fields {
			if all[line][field] == nil {
				t.Errorf("the line %q has no %s: %v", line, field, all[line])
			}
		}
	}
	if all["stopped"]["error"] != nil {
		t.Errorf("the stop was not clean: %v", all["stopped"])
	}
}

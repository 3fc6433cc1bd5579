package doors

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// exchanges sends one request again and again over one connection that is kept alive.
type exchanges struct {
	name    string
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	status  int
	says    string        // part of the body of each response
	cpu     int64         // processor time of the server, in nanoseconds
	body    *bytes.Buffer // of the last response
}

// run sends n requests.
func (e *exchanges) run(b *testing.B, n int) {
	b.Helper()
	for range n {
		if _, err := e.conn.Write(e.request); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(e.in, nil)
		if err != nil {
			b.Fatal(err)
		}
		e.body.Reset()
		if _, err := io.Copy(e.body, res.Body); err != nil || res.StatusCode != e.status || !strings.Contains(e.body.String(), e.says) {
			b.Fatalf("%s: %d %s, %v", e.name, res.StatusCode, e.body, err)
		}
	}
}

// newExchanges connects to an address.
func newExchanges(b *testing.B, name, address string) *exchanges {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &exchanges{name: name, conn: conn, in: bufio.NewReader(conn), body: &bytes.Buffer{}}
}

// cpuOf returns the processor time of all threads of a process, in nanoseconds.
func cpuOf(b *testing.B, process int) (sum int64) {
	b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", process))
	if err != nil || len(threads) == 0 {
		b.Skip("this system does not state the processor time of threads")
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		sum += n
	}
	return sum
}

// BenchmarkVerifyAPI measures the processor time of a server for a 403 of the gateway and, in
// turns, for the verify API with an admitted and with a rejected key, each over one
// connection that is kept alive.
func BenchmarkVerifyAPI(b *testing.B) {
	p := apptest.Build(b)
	operator := apptest.FreeAddress(b)
	p.Env = append(p.Env, "TOKSTA_LISTEN_OPERATOR_ADDRESS="+operator)
	p.Start()
	verifier, err := p.API.CreateOperatorKey(b.Context(), client.CreateOperatorKeyRequest{Name: "bench", Roles: []toksta.Role{toksta.RoleVerify}})
	if err != nil {
		b.Fatal(err)
	}
	key := func(name, entitlement string) string {
		account := apptest.NewAccount(b, p.API, name)
		made := apptest.NewKey(b, p.API, account, name)
		if entitlement != "" {
			apptest.Entitle(b, p.API, account, entitlement)
		}
		return made.Secret
	}
	live, off := key("live", ""), key("off", "api_access_enabled=false")
	rejected := newExchanges(b, "403", strings.TrimPrefix(p.URL, "http://"))
	rejected.request = fmt.Appendf(nil, "GET /v1/creators/7 HTTP/1.1\r\nHost: api.test\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\n\r\n", off)
	rejected.status, rejected.says = http.StatusForbidden, "api_access_disabled"
	verify := func(name, secret, says string) *exchanges {
		e := newExchanges(b, name, operator)
		body := fmt.Sprintf(`{"authorization":"Bearer %s","method":"GET","target":"/v1/creators/7","address":"192.0.2.1","agent":"bench"}`, secret)
		e.request = fmt.Appendf(nil, "POST %sverify HTTP/1.1\r\nHost: toksta\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			client.PathPrefix, verifier.Secret, len(body), body)
		e.status, e.says = http.StatusOK, says
		return e
	}
	all := []*exchanges{rejected, verify("admitted", live, `"admitted":true`), verify("rejected", off, `"admitted":false`)}
	const round = 50 // short, so that other programs of this machine disturb all alike
	sent := 0
	for _, e := range all {
		e.run(b, 1000)
	}
	for b.Loop() {
		for _, e := range all {
			before := cpuOf(b, p.Process.Process.Pid)
			e.run(b, round)
			e.cpu += cpuOf(b, p.Process.Process.Pid) - before
		}
		sent += round
	}
	b.ReportMetric(0, "ns/op")
	for _, e := range all {
		b.ReportMetric(float64(e.cpu)/float64(sent)/1000, e.name+"-cpu-µs")
		b.ReportMetric(float64(e.cpu)/float64(rejected.cpu), e.name+"/403")
	}
}

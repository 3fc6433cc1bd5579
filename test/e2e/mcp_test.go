package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
)

// mcpClient sends the messages of an MCP client over streamable HTTP.
type mcpClient struct {
	t               *testing.T
	url, key, token string // of the API, of the account, and of the session
}

// Guarantee: with the configuration of docs/integrations/mcp.md, an MCP client with a key
// initializes a session, lists the tools and calls one as a stream of events. The MCP server
// gets the account and no key; a session is of no use to another account; and a revoked key is
// rejected within an open session. A client of the revision without sessions needs no other route.
func TestMCP(t *testing.T) {
	t.Parallel()
	server := startMCP(t)
	p := apptest.Build(t)
	config := filepath.Join(t.TempDir(), "toksta.yaml")
	text := strings.Replace(mcpBlock(t, "yaml"), "http://127.0.0.1:9000", server, 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Env = []string{"TOKSTA_CONFIG=" + config, "TOKSTA_DATA=" + p.Dir(), "TOKSTA_LISTEN_PUBLIC=127.0.0.1:0"}
	p.Start()
	ann, bob := newMCPClient(t, p), newMCPClient(t, p)

	missing := &mcpClient{t: t, url: p.URL}
	if got := missing.post("initialize", nil); got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Bearer realm="Toksta"` {
		t.Errorf("without a key: %s %v", got.Status, got.Header)
	}
	got := ann.post("initialize", map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}})
	ann.token = got.Header.Get("Mcp-Session-Id")
	if got.StatusCode != 200 || ann.token == "" || got.Header.Get("X-RateLimit-Limit") != "60" {
		t.Fatalf("initialize: %s %v", got.Status, got.Header)
	}
	if got := ann.send("POST", `{"jsonrpc":"2.0","method":"notifications/initialized"}`); got.StatusCode != 202 {
		t.Errorf("a notification: %s", got.Status)
	}
	if names := ann.tools(); !cmp.Equal(names, []string{"forecast"}) {
		t.Errorf("the tools are %v", names)
	}
	ann.checkCall()
	if got := ann.send("GET", ""); got.StatusCode != 405 || got.Header.Get("X-Toksta-Source") != "upstream" {
		t.Errorf("the stream of the server: %s %v", got.Status, got.Header)
	}

	for _, method := range []string{"server/discover", "tools/list"} {
		got := bob.post(method, map[string]any{"_meta": map[string]string{"io.modelcontextprotocol/protocolVersion": "2026-07-28"}})
		if body, _ := io.ReadAll(got.Body); got.StatusCode != 200 || !strings.Contains(string(body), `"resultType": "complete"`) {
			t.Errorf("%s without a session: %s %s", method, got.Status, body)
		}
	}
	bob.token = ann.token
	if got := bob.post("tools/list", nil); got.StatusCode != 404 {
		t.Errorf("the session of another account: %s", got.Status)
	}
	owner, err := p.API.ListKeys(t.Context(), client.ListKeysRequest{Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.API.RevokeKey(t.Context(), client.KeyRef{Key: owner.Keys[0].ID}); err != nil {
		t.Fatal(err)
	}
	if got := ann.post("tools/list", nil); got.StatusCode != 401 || !strings.Contains(got.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("a revoked key in its session: %s %v", got.Status, got.Header)
	}
}

// mcpBlock returns the first block of a language of the page.
func mcpBlock(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "integrations", "mcp.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```"+language+"\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatalf("the page has no block of %s", language)
	}
	return block
}

// startMCP starts the server of the example and returns its URL.
func startMCP(t *testing.T) string {
	t.Helper()
	apptest.Require(t, "python3")
	cmd := exec.Command("python3", filepath.Join("..", "..", "examples", "mcp", "server.py"), "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// newMCPClient returns a client with a key of a new account.
func newMCPClient(t *testing.T, p *apptest.Program) *mcpClient {
	t.Helper()
	made, err := p.API.CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	return &mcpClient{t: t, url: p.URL, key: apptest.NewKey(t, p.API, made.Account.ID, "first").Secret}
}

// post sends a request of JSON-RPC.
func (c *mcpClient) post(method string, params any) *http.Response {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.send("POST", string(body), "Mcp-Method", method, "Mcp-Protocol-Version", "2026-07-28")
}

// send sends a request with fields, pairs of a name and a value, to the path of the MCP
// server. The body of the response is closed at the end of the test.
func (c *mcpClient) send(method, body string, fields ...string) *http.Response {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+"/mcp", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.token != "" {
		r.Header.Set("Mcp-Session-Id", c.token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { res.Body.Close() })
	return res
}

// tools returns the names of the tools.
func (c *mcpClient) tools() (names []string) {
	c.t.Helper()
	var message struct {
		Result struct{ Tools []struct{ Name string } }
	}
	if err := json.NewDecoder(c.post("tools/list", nil).Body).Decode(&message); err != nil {
		c.t.Fatal(err)
	}
	for _, tool := range message.Result.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// checkCall fails the test unless a tool responds with a stream of its progress and its result.
func (c *mcpClient) checkCall() {
	c.t.Helper()
	got := c.post("tools/call", map[string]any{
		"name": "forecast", "arguments": map[string]string{"city": "Björk"}, "_meta": map[string]any{"progressToken": 7},
	})
	if got.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Errorf("the response is %s %v", got.Status, got.Header)
	}
	text, err := io.ReadAll(got.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var kinds []string
	for event := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		var message struct {
			Method string
			Result any
		}
		_, data, _ := strings.Cut(event, "data: ")
		if err := json.Unmarshal([]byte(data), &message); err != nil {
			c.t.Fatalf("%q: %v", event, err)
		}
		kinds = append(kinds, message.Method+fmt.Sprint(message.Result))
	}
	if diff := cmp.Diff([]string{"notifications/progress<nil>", "map[content:[map[text:Tomorrow in Björk: sunny. type:text]] resultType:complete]"}, kinds); diff != "" {
		c.t.Errorf("events (-want +got)\n%s", diff)
	}
}

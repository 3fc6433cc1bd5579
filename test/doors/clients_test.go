package doors

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// python is Debian's interpreter, for which scripts/test-deps installs the frameworks.
const python = "/usr/bin/python3"

// framework is a door that is a program of a vendor: a block of a page in
// docs/integrations, whose handler is replaced by one that forwards to the back end.
type framework struct {
	page, section string
	websockets    bool     // add the block of the section WebSockets
	edits         []string // pairs of a text of the block and its replacement
	before, after string   // added to the block
}

// The lines of the pages that the tests replace.
const (
	nodeClient   = "{ url: 'https://toksta.internal:8443', keyFile: '/run/secrets/toksta-verify' }"
	nodeTest     = "{ url: process.env.OPERATOR, keyFile: process.env.KEY_FILE, timeout: 20_000 }" // a busy machine must not be a 503
	pythonClient = `"https://toksta.internal:8443", key_file="/run/secrets/toksta-verify"`
	pythonTest   = `os.environ["OPERATOR"], key_file=os.environ["KEY_FILE"], timeout=20`
)

var express = framework{page: "node.md", section: "Express", websockets: true, edits: []string{
	nodeClient, nodeTest,
	"app.get('/v1/creators/:id', (req, res) => res.json({ account: req.toksta.principal.account_id }))", "app.use(forward)",
	"app.listen(3000)", "app.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`))",
	"import { WebSocketServer } from 'ws'\n", "", "const sockets = new WebSocketServer({ noServer: true })\n", "",
	"sockets.handleUpgrade(req, socket, head, (ws) => ws.send(req.toksta.principal.account_id))", "tunnel(req, socket, head)",
}}

var fastify = framework{page: "node.md", section: "Fastify", edits: []string{
	nodeClient, nodeTest,
	"app.get('/v1/creators/:id', async (request) => ({ account: request.toksta.principal.account_id }))",
	"app.removeAllContentTypeParsers()\napp.addContentTypeParser('*', (request, payload, done) => done(null, payload))\napp.all('/*', reply)",
	"await app.listen({ port: 3000 })", "console.log((await app.listen({ port: 0, host: '127.0.0.1' })).slice(7))",
}}

var hono = framework{page: "node.md", section: "Hono", edits: []string{
	nodeClient, nodeTest,
	"app.get('/v1/creators/:id', (c) => c.json({ account: c.get('toksta').principal.account_id }))", "app.all('*', respond)",
	"serve({ fetch: app.fetch, port: 3000 })", "serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(`127.0.0.1:${port}`))",
}}

var flask = framework{page: "python.md", section: "Flask", edits: []string{
	pythonClient, pythonTest,
	"@app.get(\"/v1/creators/<id>\")\ndef creator(id):\n    return {\"account\": request.environ[\"toksta\"].principal.account_id}", `
@app.route("/<path:path>", methods=METHODS)
def everything(path):
    status, headers, body = wsgi(request.environ)
    return app.response_class(body, status, headers)
`,
}, after: "serve_wsgi(app)\n"}

var django = framework{page: "python.md", section: "Django", edits: []string{pythonClient, pythonTest}, before: `
from django.conf import settings
from django.http import StreamingHttpResponse
from django.urls import re_path

def everything(request):
    status, headers, body = wsgi(request.environ)
    response = StreamingHttpResponse(body, status=status)
    for name, value in headers:
        response[name] = value
    return response

urlpatterns = [re_path("", everything)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
`, after: "serve_wsgi(application)\n"}

var starlette = framework{page: "python.md", section: "Starlette and FastAPI", edits: []string{
	pythonClient, pythonTest,
	"async def creator(request):\n    return JSONResponse({\"account\": request.scope[\"toksta\"].principal.account_id})", `
async def everything(request):
    target = asgi.target(request.scope)
    status, headers, body = await run_in_threadpool(forward, request.method, target, request.headers.items(), await request.body())
    response = StreamingResponse(body, status)
    response.raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers]
    return response
`,
	`Route("/v1/creators/{id}", creator)`, `Route("/{path:path}", everything, methods=METHODS)`,
}, before: `
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from toksta import asgi
`, after: "serve_asgi(app)\n"}

// fastapi is the program of Starlette with the class of FastAPI.
var fastapi = framework{
	page: starlette.page, section: starlette.section, before: starlette.before, after: starlette.after,
	edits: append(slices.Clone(starlette.edits), "from starlette.applications import Starlette", "from fastapi import FastAPI as Starlette"),
}

// program returns the source of a framework's program.
func (f framework) program(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "integrations", f.page))
	if err != nil {
		t.Fatal(err)
	}
	block := f.block(t, string(text), f.section)
	if f.websockets {
		block += "\n" + f.block(t, string(text), "WebSockets")
	}
	for i := 0; i < len(f.edits); i += 2 {
		if strings.Count(block, f.edits[i]) != 1 {
			t.Fatalf("the program of %s, section %s, does not contain once: %s", f.page, f.section, f.edits[i])
		}
		block = strings.Replace(block, f.edits[i], f.edits[i+1], 1)
	}
	return f.before + block + "\n" + f.after
}

// block returns the first block of a section of a page.
func (f framework) block(t *testing.T, text, title string) string {
	t.Helper()
	_, section, _ := strings.Cut(text, "\n## "+title+"\n")
	_, block, _ := strings.Cut(section, "\n```")
	_, block, _ = strings.Cut(block, "\n")
	block, _, found := strings.Cut(block, "\n```\n")
	if !found {
		t.Fatalf("%s has no program in the section %s", f.page, title)
	}
	return block
}

// startNode starts the program of a framework for Node.
func (f framework) startNode(t *testing.T, w *World) string {
	t.Helper()
	modules, err := filepath.Abs("node")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	source := "import { forward, reply, respond, tunnel } from " + fmt.Sprintf("%q", "file://"+filepath.Join(modules, "forward.mjs")) + "\n" + f.program(t)
	return f.serve(t, w, filepath.Join(dir, "server.mjs"), source)
}

// startPython starts the program of a framework for Python.
func (f framework) startPython(t *testing.T, w *World) string {
	t.Helper()
	source := "import os\nfrom forward import METHODS, forward, serve_asgi, serve_wsgi, wsgi\n" + f.program(t)
	return f.serve(t, w, filepath.Join(t.TempDir(), "server.py"), source)
}

// serve writes a program to a file and runs it until t ends. It returns the first line that
// the program prints, its address.
func (f framework) serve(t *testing.T, w *World, file, source string) string {
	t.Helper()
	interpreter := "node"
	if filepath.Ext(file) == ".py" {
		interpreter = python
	}
	key := filepath.Join(filepath.Dir(file), "key")
	for path, text := range map[string]string{file: source, key: w.OperatorKey + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	helpers, errHelpers := filepath.Abs("python")
	client, errClient := filepath.Abs(filepath.Join("..", "..", "clients", "python", "src"))
	if errHelpers != nil || errClient != nil {
		t.Fatal(errHelpers, errClient)
	}
	var said apptest.Output
	cmd := exec.Command(interpreter, file)
	cmd.Env = append(os.Environ(), "OPERATOR="+w.Operator, "KEY_FILE="+key, "BACKEND="+w.BackEnd.URL,
		"PYTHONPATH="+helpers+":"+client, "PYTHONDONTWRITEBYTECODE=1", "NODE_ENV=production")
	cmd.Stderr = &said
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
		if t.Failed() {
			t.Logf("the program with %s printed:\n%.4000s", f.section, said.Bytes())
		}
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the program with %s ended: %v\n%s", f.section, err, said.Bytes())
	}
	return strings.TrimSpace(address)
}

// Guarantee: without a decision, no framework calls its handler: if Toksta cannot be reached,
// or if it does not accept the operator key. The response is 503 with Retry-After.
func TestFrameworksAway(t *testing.T) {
	t.Parallel()
	node := apptest.Start(t, func(c *config.Config) { c.Listen.Operator.Address = "127.0.0.1:0" })
	key := apptest.NewKey(t, node.Operator(), apptest.NewAccount(t, node.Operator(), "Acme"), "key").Secret
	back := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request reached the back end") }))
	t.Cleanup(back.Close)
	unreachable := &World{Node: node, BackEnd: back, Operator: "http://" + apptest.FreeAddress(t), OperatorKey: "tk_op_1"}
	unknown := &World{Node: node, BackEnd: back, Operator: "http://" + node.App.Addr("operator"), OperatorKey: "tk_op_" + strings.Repeat("0", 48)}
	t.Run("frameworks", func(t *testing.T) {
		each(t, []string{"express", "fastify", "hono", "flask", "django", "starlette", "fastapi"}, func(t *testing.T, d Door) {
			expectUnavailable(t, d.Name, d.Start(t, unreachable), key)
			expectUnavailable(t, d.Name, d.Start(t, unknown), key)
		})
	})
}

// Guarantee: the route handler of Next on the page, called as Next calls it, responds to an
// admitted call with the account and the fields of the decision, and to others as the gateway.
func TestNext(t *testing.T) {
	t.Parallel()
	if program := missingModules(); program != "" {
		t.Skip(program + " is missing: run scripts/test-deps")
	}
	node := apptest.Start(t)
	account := apptest.NewAccount(t, node.Operator(), "Acme")
	key := apptest.NewKey(t, node.Operator(), account, "key").Secret
	handler := framework{page: "node.md", section: "Next", edits: []string{nodeClient, fmt.Sprintf("{ socket: %q }", node.Socket())}, after: fmt.Sprintf(`
const responses = []
for (const authorization of ['Bearer %s', 'Bearer x']) {
  const request = new Request('http://localhost/v1/creators/7', { headers: { authorization } })
  const response = await GET(request, { params: Promise.resolve({ id: '7' }) })
  responses.push(response.status, response.headers.get('x-ratelimit-limit') ?? response.headers.get('www-authenticate'), (await response.json()).account)
}
console.log(responses.join('|'))
`, key)}
	got := handler.startNode(t, &World{Node: node, BackEnd: &httptest.Server{URL: "http://127.0.0.1:1"}})
	if want := fmt.Sprintf(`200|1000000|%s|401|Bearer realm="Toksta", error="invalid_token"|`, account); got != want {
		t.Errorf("the handler responded %s, want %s", got, want)
	}
}

// missingCommand returns a function that names a command that is not installed.
func missingCommand(name string) func() string {
	return func() string {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
		return ""
	}
}

// missingModules names the missing modules of the frameworks for Node, "" if all are installed.
func missingModules() string {
	if _, err := os.Stat(filepath.Join("node", "node_modules", "express")); err != nil {
		return "test/doors/node/node_modules"
	}
	return missingCommand("node")()
}

// missingPackage returns a function that names a Python package that is not installed.
func missingPackage(name string) func() string {
	return func() string {
		if exec.Command(python, "-c", "import "+name).Run() != nil {
			return "python3-" + name
		}
		return ""
	}
}

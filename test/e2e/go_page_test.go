package e2e

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// goPage holds the blocks of docs/integrations/go.md.
type goPage struct {
	shell                  string
	remote, hold, embedded string // Go
}

func readGoPage(t *testing.T) goPage {
	t.Helper()
	text, err := os.ReadFile("../../docs/integrations/go.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := func(language string) (out []string) {
		for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			out = append(out, m[1])
		}
		return out
	}
	shell, code := blocks("sh"), blocks("go")
	if len(shell) != 1 || len(code) != 3 {
		t.Fatalf("the page has %d blocks of shell and %d of Go", len(shell), len(code))
	}
	return goPage{shell[0], code[0], code[1], code[2]}
}

// buildGo builds a program of which main is the body of the function, and further is other
// code, with the imports that they need. It returns the path of the program.
func buildGo(t *testing.T, main, further string) string {
	t.Helper()
	code := "func main() {\n" + main + "\n}\n" + further + `
var api = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	caller, _ := httpauth.FromContext(r.Context())
	_, _ = w.Write([]byte(caller.AccountID))
})
`
	imports := []string{
		"context", "log", "net/http", "os", "os/signal", "strings", "syscall", "time", "github.com/toksta/toksta/node",
		"github.com/toksta/toksta/sdk/client", "github.com/toksta/toksta/sdk/httpauth", "github.com/toksta/toksta/sdk/toksta",
	}
	names := namesWithSelectors(t, "package main\n"+code)
	imports = slices.DeleteFunc(imports, func(path string) bool { return !names[filepath.Base(path)] })
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport (\n\t\""+strings.Join(imports, "\"\n\t\"")+"\"\n)\n\n"+code), 0o600); err != nil {
		t.Fatal(err)
	}
	// The file appears to be in this module, whose dependencies it uses.
	at, err := filepath.Abs(filepath.Join("..", "gopage", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {at: source}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "github.com/toksta/toksta/test/gopage")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, code)
	}
	return program
}

// namesWithSelectors returns each name x of the code that stands before a selector, as in x.Y.
// It parses the code: a text such as the path /tmp/toksta.D9K4 looks like a selector, too.
func namesWithSelectors(t *testing.T, code string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", code, 0)
	if err != nil {
		t.Fatalf("%v\n%s", err, code)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				names[x.Name] = true
			}
		}
		return true
	})
	return names
}

// run starts a program in dir and waits until it listens on address. The function that it
// returns ends the program with a signal.
func run(t *testing.T, program, dir, address string) (end func(syscall.Signal) error) {
	t.Helper()
	var output apptest.Output
	cmd := exec.Command(program)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func(signal syscall.Signal) error {
		if ended {
			return nil
		}
		ended = true
		_ = cmd.Process.Signal(signal)
		return cmd.Wait()
	}
	t.Cleanup(func() {
		_ = end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the program printed\n%s", output.Bytes())
		}
	})
	apptest.Eventually(t, "the program does not listen", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return end
}

// Guarantee: the programs of the page about Go work as printed: with the remote verifier and
// an operator key of the role verify, and with an embedded node, which loses no count if it is
// killed and ends without an error.
func TestGoPage(t *testing.T) {
	t.Parallel()
	page := readGoPage(t)
	check := func(t *testing.T, url string, api *client.Client) (owner toksta.AccountID) {
		t.Helper()
		owner = apptest.NewAccount(t, api, "Acme")
		key := apptest.NewKey(t, api, owner, "key")
		if got := apptest.Send(t, url, "GET /v1/creators/7", key.Secret); got.Status != 200 || string(got.Body) != string(owner) {
			t.Errorf("with a key: %d %s", got.Status, got.Body)
		}
		if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: key.Key.ID}); err != nil {
			t.Fatal(err)
		}
		if got := apptest.Send(t, url, "GET /v1/creators/7", key.Secret); got.Status != 401 || got.Error(t).Error.Code != "UNAUTHORIZED" {
			t.Errorf("with a revoked key: %d %s", got.Status, got.Body)
		}
		return owner
	}
	t.Run("remote", func(t *testing.T) {
		t.Parallel()
		n := apptest.Start(t, func(c *config.Config) { c.Listen.Operator.Address = "127.0.0.1:0" })
		dir, address := t.TempDir(), apptest.FreeAddress(t)
		shell := exec.Command("bash", "-euc", page.shell)
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PATH="+filepath.Dir(apptest.Binary(t))+":"+os.Getenv("PATH"), "TOKSTA_LISTEN_PRIVATE="+n.Socket())
		if out, err := shell.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		code := strings.NewReplacer("https://toksta.internal:8443", "http://"+n.App.Addr("operator"), ":9000", address).Replace(page.remote)
		hold := "func hold(ctx context.Context, verifier *client.Verifier, r *http.Request) {\n" + page.hold + "\n_, _ = protect, err\n}\n"
		run(t, buildGo(t, code, hold), dir, address)
		check(t, "http://"+address, n.Operator())
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		dir, err := os.MkdirTemp("", "toksta") // the path of a socket must be short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.WriteFile(filepath.Join(dir, "toksta.yaml"), []byte("environment: page\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		address := apptest.FreeAddress(t)
		program := buildGo(t, strings.NewReplacer("/var/lib/acme/toksta", dir, ":9000", address).Replace(page.embedded), "")
		end := run(t, program, dir, address)
		api := client.New(filepath.Join(dir, "toksta.sock"))
		owner := check(t, "http://"+address, api)
		if got := apptest.Send(t, "http://"+address, "GET /signin", ""); got.Status != 200 {
			t.Errorf("the account pages: %d", got.Status)
		}
		_ = end(syscall.SIGKILL)
		end = run(t, program, dir, address)
		var usage struct {
			Calls   int64            `json:"total_calls"`
			Refused map[string]int64 `json:"refused"`
		}
		apptest.Eventually(t, "the counts of the killed program are lost", func() bool {
			apptest.Usage(t, api, owner, &usage)
			return usage.Calls == 1 && usage.Refused["key_revoked"] == 1
		})
		if err := end(syscall.SIGTERM); err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
}

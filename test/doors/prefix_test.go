package doors

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// Guarantee: the command of the page for a prefix of the vendor's own changes every page, so that the
// back end receives the identity under that prefix, and none that the client made up.
func TestPrefix(t *testing.T) {
	t.Parallel()
	w := &World{t: t, Pages: t.TempDir(), BackEnd: httptest.NewServer(backEnd())}
	t.Cleanup(w.BackEnd.Close)
	if err := os.CopyFS(w.Pages, os.DirFS(pages)); err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(w.snippet(t, "README.md sh 1"), "sed -i ")
	files, err := filepath.Glob(filepath.Join(w.Pages, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	command = "sed -i " + strings.Replace(strings.TrimSpace(command), "FILE", strings.Join(files, " "), 1)
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %s", command, out)
	}
	w.Node = apptest.Start(t, w.configure, func(c *config.Config) { c.Branding.HeaderPrefix = "X-Acme" })
	owner := apptest.NewAccount(t, w.Node.Operator(), "Acme")
	key := apptest.NewKey(t, w.Node.Operator(), owner, "key").Secret
	each(t, proxies, func(t *testing.T, d Door) {
		address := d.Start(t, w)
		got := send(t, address, "GET /v1/things/7", "Authorization: Bearer "+key)
		var e echo
		if err := json.Unmarshal(got.Body, &e); err != nil || e.Header["x-acme-account-id"] != string(owner) || e.Header["x-acme-scopes"] == "" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if got := send(t, address, "GET /v1/none", "Authorization: Bearer "+key); got.Status != http.StatusNotFound || got.Error(t).Error.Code != "NOT_FOUND" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		got = send(t, address, "GET /v1/open/7", "X-Acme-Account-Id: forged", "X.Acme.Plan: forged")
		if strings.Contains(string(got.Body), `forged"`) || got.Status != http.StatusOK && got.Status != http.StatusBadRequest {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

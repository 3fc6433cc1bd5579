package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
)

// Guarantee: the examples of the page about the verify API work as printed, with the printed
// results.
func TestVerifyPage(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "curl")
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Vendor")
	key := apptest.NewKey(t, api, owner, "live").Secret
	page, err := os.ReadFile("../../docs/integrations/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```sh\n(.*?)```\n```json\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(examples) != strings.Count(string(page), "```sh") || len(examples) < 4 {
		t.Fatalf("%d examples with a result", len(examples))
	}
	for _, example := range examples {
		c := exec.Command("bash", "-euo", "pipefail", "-c", example[1])
		c.Env = append(c.Environ(), "SOCKET="+n.Socket(), "KEY="+key, "ACCOUNT="+string(owner))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", example[1], err, out)
		}
		if !printed(example[2]).Match(out) {
			t.Errorf("%s\nprinted\n%s\nthe page has\n%s", example[1], out, example[2])
		}
	}
}

// printed returns the pattern of a result on a page, in which "…" stands for any text, and
// line breaks for nothing.
func printed(result string) *regexp.Regexp {
	var one strings.Builder
	for line := range strings.Lines(result) {
		one.WriteString(strings.Trim(line, " \n"))
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(one.String()), "…", "(?s:.*)") + "$")
}

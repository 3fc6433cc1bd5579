package toksta

import (
	"os"
	"regexp"
	"testing"
)

// Guarantee: ChangeKinds has every kind that this package declares, or the audit trail could
// not be searched for it.
func TestChangeKinds(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("change.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[ChangeKind]bool{}
	for _, kind := range ChangeKinds() {
		listed[kind] = true
	}
	declared := regexp.MustCompile(`ChangeKind += +"([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1)
	for _, match := range declared {
		if !listed[ChangeKind(match[1])] {
			t.Errorf("%s is missing", match[1])
		}
	}
	if len(declared) < 20 || len(declared) != len(listed) {
		t.Errorf("%d declared, %d listed", len(declared), len(listed))
	}
}

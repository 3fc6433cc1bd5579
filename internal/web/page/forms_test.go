package page

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// Guarantee: a second click on the button of a form sends nothing, on every page. The form is sent once by
// app.js or, with a passkey, by passkey.js.
func TestFormsAreSentOnce(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`<form (?:\{\{[^}]*\}\}|[^>{])*>`)
	found := 0
	err := fs.WalkDir(templateFiles, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templateFiles, path)
		for _, tag := range form.FindAllString(string(text), -1) {
			if !strings.Contains(tag, `method="post"`) {
				continue
			}
			found++
			if !strings.Contains(tag, " data-once") && !strings.Contains(tag, " data-passkey=") {
				t.Errorf("%s: the form is sent by each click: %s", path, tag)
			}
		}
		return err
	})
	if err != nil || found < 40 {
		t.Errorf("%d forms, %v", found, err)
	}
}

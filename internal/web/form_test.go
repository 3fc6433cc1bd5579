package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/toksta/toksta/internal/web/page"
)

// A form that is too long, cut off or no text changes nothing and is the sender's
// error: as a failure of ours it would fill the log for free.
func TestFormsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body *http.Request
		want int
	}{
		"too long": {httptest.NewRequest("POST", "/signin", strings.NewReader("email="+strings.Repeat("a", maxForm))), http.StatusRequestEntityTooLarge},
		"zero":     {httptest.NewRequest("POST", "/signin", strings.NewReader("email=a%00b")), http.StatusBadRequest},
		"no text":  {httptest.NewRequest("POST", "/signin", strings.NewReader("email=%ff")), http.StatusBadRequest},
		"cut off":  {httptest.NewRequest("POST", "/signin", iotest.ErrReader(http.ErrBodyReadAfterClose)), http.StatusBadRequest},
	} {
		c.body.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		p.Handler().ServeHTTP(answer, c.body)
		if answer.Code != c.want || answer.Header().Get("Content-Security-Policy") != page.Policy {
			t.Errorf("%s: status %d, want %d as a page", name, answer.Code, c.want)
		}
	}
}

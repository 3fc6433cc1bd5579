package web

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: if the database fails during a rotation, the page does not claim
// that nothing was changed: the old secret may be revoked.
func TestOutageAfterChange(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SignIn: new(signin.Service)})
	if err != nil {
		t.Fatal(err)
	}
	const unchanged = "nothing was changed"
	written := &toksta.Error{Code: toksta.CodeUnavailable, Message: "The change was written, but not confirmed."}
	for want, err := range map[bool]error{
		true:  fmt.Errorf("read the account: %w", store.ErrUnavailable),
		false: fmt.Errorf("%w: list the nodes: %w", written, store.ErrUnavailable),
	} {
		answer := httptest.NewRecorder()
		p.fail(answer, httptest.NewRequest("POST", "/account/keys", nil), err)
		if got := strings.Contains(answer.Body.String(), unchanged); got != want || answer.Code != 503 {
			t.Errorf("%v: status %d, says that %s: %v", err, answer.Code, unchanged, got)
		}
	}
}

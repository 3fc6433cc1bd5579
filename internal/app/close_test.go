package app_test

import (
	"log/slog"
	"testing"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/app/apptest"
)

// Guarantee: who closes a node that has ended, or closes it twice, is not told of
// a failure that is none.
func TestCloseAgain(t *testing.T) {
	t.Parallel()
	a, err := app.New(t.Context(), apptest.Config(t.TempDir(), "http://127.0.0.1:1"), app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, which := range []string{"first", "second"} {
		if err := a.Close(); err != nil {
			t.Errorf("%s Close: %v", which, err)
		}
	}
}

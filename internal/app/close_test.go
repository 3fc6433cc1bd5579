package app_test

import (
	"log/slog"
	"testing"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/app/apptest"
)

// Guarantee: closing a node that has ended, or closing it twice, reports no failure.
func TestCloseAgain(t *testing.T) {
	t.Parallel()
	a, err := app.New(t.Context(), apptest.Config(t.TempDir(), "http://127.0.0.1:1"), app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"first", "second"} {
		if err := a.Close(); err != nil {
			t.Errorf("%s Close: %v", call, err)
		}
	}
}

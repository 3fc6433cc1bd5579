package app_test

import (
	"io"
	"testing"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/telemetry"
)

// Guarantee: closing a node that has ended, or closing it twice, reports no failure.
func TestCloseAgain(t *testing.T) {
	t.Parallel()
	a, err := app.New(t.Context(), apptest.Config(t.TempDir(), "http://127.0.0.1:1"), app.Options{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"first", "second"} {
		if err := a.Close(); err != nil {
			t.Errorf("%s Close: %v", call, err)
		}
	}
}

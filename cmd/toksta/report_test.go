package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Scripts can distinguish success, an error, a usage error and a missing permission
// by the exit code.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for want, errs := range map[int][]error{
		exitOK:       {nil},
		exitError:    {toksta.NotFound("key"), fmt.Errorf("dial: %w", fs.ErrNotExist)},
		exitCanceled: {errCanceled, usageError{errCanceled, "toksta"}, fmt.Errorf("call: %w", context.Canceled)},
		exitAuth:     {fmt.Errorf("dial: %w", fs.ErrPermission)},
	} {
		for _, err := range errs {
			if got := exitCode(err); got != want {
				t.Errorf("%v exits with %d, want %d", err, got, want)
			}
		}
	}
}

// A key name or User-Agent of a customer cannot control the operator's terminal.
func TestTablesEscapeControls(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &cli{out: &out, output: formatTable}
	if err := c.show(nil, table{header: []string{"agent"}, rows: [][]string{{"\x1b]0;owned\a\u202eevil\r\n"}}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\a\r\u202e") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("printed %q", out.String())
	}
}

// An expiry is the time that was written. A malformed expiry is an error.
func TestParseExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"90d": now.AddDate(0, 0, 90), "12h": now.Add(12 * time.Hour),
		"2027-01-31": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), "2027-01-31T01:00:00+01:00": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseExpiry(text, now); err != nil || (got == nil) != want.IsZero() || got != nil && !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := parseExpiry("", now); err != nil || got != nil {
		t.Errorf("no expiry: %v, %v", got, err)
	}
	for _, text := range []string{"0d", "-5d", "-1h", "soon", "31.01.2027", "90"} {
		if got, err := parseExpiry(text, now); err == nil {
			t.Errorf("%q was parsed as %v", text, got)
		}
	}
}

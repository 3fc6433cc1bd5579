package main

import "testing"

// A customer's name must not run as a formula in the vendor's spreadsheet, and
// a negative number must stay one.
func TestInert(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		`=HYPERLINK("https://evil.example")`: `'=HYPERLINK("https://evil.example")`,
		"@cmd":                               "'@cmd", "+1 555": "'+1 555", "-x": "'-x", "-1.5": "-1.5", "-": "-", "": "", "plain": "plain",
	} {
		if got := inert(cell); got != want {
			t.Errorf("inert(%q) = %q, want %q", cell, got, want)
		}
	}
}

package main

import "testing"

// A spreadsheet does not run a customer's name as a formula, and negative numbers
// are unchanged.
func TestEscapeFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		`=HYPERLINK("https://evil.example")`: `'=HYPERLINK("https://evil.example")`,
		"@cmd":                               "'@cmd", "+1 555": "'+1 555", "-x": "'-x", "-1.5": "-1.5", "-": "-", "": "", "plain": "plain",
	} {
		if got := escapeFormula(cell); got != want {
			t.Errorf("inert(%q) = %q, want %q", cell, got, want)
		}
	}
}

package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the error about the last owner names the flag that permits to stop the owner at once; other
// conflicts keep their own hint.
func TestWithoutOwnerHint(t *testing.T) {
	t.Parallel()
	for message, hinted := range map[string]bool{
		"The account would have no owner who can sign in. Make another member an owner first.": true,
		"The account is closed.": false,
	} {
		cmd := &cobra.Command{Use: "disable", RunE: func(*cobra.Command, []string) error {
			return &toksta.Error{Code: toksta.CodeConflict, Message: message}
		}}
		addWithoutOwner(cmd, new(bool))
		if got := hint(cmd.RunE(cmd, nil)); (got != "") != hinted {
			t.Errorf("%s: the hint is %q", message, got)
		}
	}
}

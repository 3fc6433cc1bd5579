package main

import (
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a list of members distinguishes people who are disabled in one account from those who are
// disabled in all, because another command enables them.
func TestMemberState(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for want, m := range map[string]client.Member{
		"active": {}, "disabled": {DisabledAt: at}, "disabled everywhere": {DisabledAt: at, DisabledEverywhere: true}, "removed": {DisabledAt: at, RemovedAt: at},
		"expires 2026-06-01 12:00:00Z": {ExpiresAt: at},
	} {
		if got := memberState(m); got != want {
			t.Errorf("%+v is %q, want %q", m, got, want)
		}
	}
}

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

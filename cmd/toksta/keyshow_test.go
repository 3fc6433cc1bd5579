package main

import (
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: keys show states since when and why calls with a key are rejected, and does not
// call a key live without this restriction.
func TestKeyStateText(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 28, 10, 12, 0, 0, time.UTC)
	const since = " since 2026-06-28 10:12:00Z"
	for want, k := range map[string]client.KeyDetail{
		"live, but every call gets 402 insufficient_credits" + since + ": The account does not have enough credits for this call.": {
			Rejection: &client.KeyRejection{Status: 402, Reason: toksta.ReasonInsufficientCredits, Since: at},
		},
		"live, but every call that costs credits gets 402 insufficient_credits: The account does not have enough credits for this call.": {
			Rejection: &client.KeyRejection{Status: 402, Reason: toksta.ReasonInsufficientCredits, Free: true},
		},
		"live, but every call gets 403 job_not_entitled: The account's plan does not reach this endpoint.": {
			Rejection: &client.KeyRejection{Status: 403, Reason: toksta.NotEntitled("job")},
		},
		"revoked: every call gets 401 key_revoked" + since: {
			Key:       client.Key{State: toksta.KeyRevoked},
			Rejection: &client.KeyRejection{Status: 401, Reason: toksta.ReasonKeyRevoked, Since: at},
		},
		"live, but every call gets 403: the account's plan has no families": {Families: []toksta.Family{}},
		"live for 3 days more": {Families: []toksta.Family{"data"}, Key: client.Key{ExpiresAt: at.AddDate(0, 0, 3)}},
		"live":                 {Families: []toksta.Family{"data"}},
	} {
		if k.State == "" {
			k.State = toksta.KeyLive
		}
		if got := keyStateText(k, at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

package client

import (
	"context"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Caller is the author of a request of the operator API, as the server identifies it.
type Caller struct {
	OperatorKeyID toksta.OperatorKeyID `json:"operator_key_id,omitempty"` // "" for the socket
	Name          string               `json:"name"`                      // in the audit trail
	Roles         []toksta.Role        `json:"roles"`
	Networks      []netip.Prefix       `json:"networks,omitempty"`  // that can use the key; empty: any
	ExpiresAt     time.Time            `json:"expires_at,omitzero"` // zero: never
	Address       string               `json:"address,omitempty"`   // of the client, as the server sees it
	Version       string               `json:"version"`             // of the server
}

// WhoAmI returns the caller as the server identifies it. Every operator key may call
// it, so it checks a key.
func (c *Client) WhoAmI(ctx context.Context) (Caller, error) {
	return call[Caller](ctx, c, "whoami", struct{}{})
}

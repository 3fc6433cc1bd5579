package client

import "context"

// TestMailRequest names who gets a test message.
type TestMailRequest struct {
	To string `json:"to"` // a bare address
}

// TestMail sends a message by the server's mail settings and returns once their
// mail server has taken it.
func (c *Client) TestMail(ctx context.Context, r TestMailRequest) error {
	_, err := call[struct{}](ctx, c, "mail/test", r)
	return err
}

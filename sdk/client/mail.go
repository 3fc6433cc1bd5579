package client

import "context"

// TestMailRequest names the recipient of a test message.
type TestMailRequest struct {
	To string `json:"to"` // a bare address
}

// TestMail sends a message with the mail settings of the server. It returns
// once the mail server has accepted the message.
func (c *Client) TestMail(ctx context.Context, r TestMailRequest) error {
	_, err := call[struct{}](ctx, c, "mail/test", r)
	return err
}

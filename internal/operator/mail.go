package operator

import (
	"context"
	netmail "net/mail"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// testMail sends a test mail. Its error contains the mail server's response, because the
// server is the operator's own.
func (s server) testMail(ctx context.Context, _ toksta.Actor, r client.TestMailRequest) (struct{}, error) {
	if s.Mail == nil {
		return struct{}{}, &toksta.Error{
			Code: toksta.CodeConflict, Message: "No mail is sent: no mail server is configured.",
			Hint: "set mail.server and mail.from, then restart the server",
		}
	}
	if to, err := netmail.ParseAddress(r.To); err != nil || to.Address != r.To {
		return struct{}{}, toksta.Invalid("to", "Give an e-mail address such as ada@example.com.")
	}
	m := s.Letters.Test()
	m.To = r.To
	if err := s.Mail.Send(ctx, m); err != nil {
		return struct{}{}, &toksta.Error{
			Code: toksta.CodeUpstreamError, Message: "The message was not sent: " + err.Error() + ".",
			Hint: "correct the section mail of the configuration, then restart the server",
		}
	}
	return struct{}{}, nil
}

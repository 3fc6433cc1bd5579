package operator

import (
	"context"
	"net/url"
	"time"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// createSession returns a link that starts a session in one account, for a person whom the
// vendor's own sign-in has authenticated.
func (s server) createSession(ctx context.Context, by toksta.Actor, r client.CreateSessionRequest) (client.SessionResponse, error) {
	path := signin.VendorPath
	if r.Embed {
		path = signin.EmbeddedPath
		if !s.Embeds {
			return client.SessionResponse{}, &toksta.Error{
				Code: toksta.CodeConflict, Message: "No page may embed the keys. List its origin in the setting embed.origins.",
			}
		}
	}
	link, err := s.SignIn.CreateVendorLink(ctx, by, signin.VendorRequest{
		Account: r.Account, Member: r.Member.ID, Email: r.Member.Email, Name: r.Member.Name, Role: r.Role,
		Next: r.Next, Embedded: r.Embed, Lifetime: time.Duration(r.Lifetime) * time.Second,
	})
	if err != nil {
		return client.SessionResponse{}, err
	}
	out := client.SessionResponse{
		URL:       s.PagesURL + path + "?code=" + url.QueryEscape(link.Code.Reveal()),
		ExpiresAt: link.ExpiresAt, Member: member(link.Member),
	}
	out.Member.Role = link.Role
	return out, nil
}

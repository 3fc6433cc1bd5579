package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// CreateSessionRequest asks for a session of a person in one account. The program that sends it
// has authenticated the person, and vouches for the person's address.
type CreateSessionRequest struct {
	AccountRef
	Member SessionMember `json:"member"`
	// Role of the person, if the person becomes a member of the account by this request. "":
	// developer. The role of a member does not change.
	Role toksta.MemberRole `json:"role,omitempty"`
	// Next is the path of the first page, such as /account/keys/new. "": the overview.
	Next string `json:"next,omitempty"`
	// Embed makes the link one for the frame of a page whose origin is in embed.origins.
	Embed bool `json:"embed,omitempty"`
	// Lifetime of the session, 60 to 43,200 seconds. 0: one hour.
	Lifetime int64 `json:"lifetime_seconds,omitempty"`
}

// SessionMember is the person of a session: a member of the account with an id or, without an
// id, the person with an address. If the person is not a member yet, the request creates the
// person, who then needs a name, or adds the person to the account.
type SessionMember struct {
	ID    toksta.MemberID `json:"id,omitempty"`
	Email string          `json:"email,omitempty"`
	Name  string          `json:"name,omitempty"` // of a new person
}

// SessionResponse has the link that starts the session, which is shown only once. Send the
// person's browser there by a redirect, or use it as the address of a frame.
type SessionResponse struct {
	URL       string    `json:"url"`        // works once
	ExpiresAt time.Time `json:"expires_at"` // of the link, not of the session
	Member    Member    `json:"member"`     // with the role in the account
}

// CreateSession creates a session of a person whom the caller has authenticated.
func (c *Client) CreateSession(ctx context.Context, r CreateSessionRequest) (SessionResponse, error) {
	return call[SessionResponse](ctx, c, "sessions/create", r)
}

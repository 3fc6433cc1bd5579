package operator

import (
	"context"
	"net/url"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// listMembers returns the members of an account.
func (s server) listMembers(ctx context.Context, _ toksta.Actor, r client.AccountRef) (client.MemberList, error) {
	if err := s.mustExist(ctx, r.Account); err != nil {
		return client.MemberList{}, err
	}
	all, err := s.Members.List(ctx, r.Account)
	out := client.MemberList{Members: []client.Member{}}
	for _, m := range all {
		out.Members = append(out.Members, accountMember(m))
	}
	return out, err
}

// mustExist returns NOT_FOUND if the account does not exist, also for the empty id.
func (s server) mustExist(ctx context.Context, id toksta.AccountID) error {
	_, err := s.Accounts.Get(ctx, id)
	return err
}

// inviteMember invites a person. The response reveals the code, unless the link was sent by mail.
func (s server) inviteMember(ctx context.Context, by toksta.Actor, r client.InviteMemberRequest) (client.InvitedMember, error) {
	if err := s.mustExist(ctx, r.Account); err != nil {
		return client.InvitedMember{}, err
	}
	if r.Role == "" {
		return client.InvitedMember{}, toksta.Invalid("role", "Give the person a role: owner, admin, developer, billing or viewer.")
	}
	invited, err := s.Members.Invite(ctx, by, members.InviteRequest{Account: r.Account, Email: r.Email, Role: r.Role, ByMail: r.ByMail})
	if err != nil {
		return client.InvitedMember{}, err
	}
	out := client.InvitedMember{Invitation: invitation(invited.Invitation), Receipt: client.NewReceipt(invited.Receipt)}
	if !r.ByMail {
		out.Code, out.URL = s.invitationLink(invited)
	}
	return out, nil
}

// invitationLink reveals the code of a new invitation, and returns it with its link. The page of an
// invitation to an account also serves a person who has a sign-in.
func (s server) invitationLink(invited members.Invited) (code, link string) {
	code = invited.Code.Reveal()
	if invited.Invitation.AccountID != "" {
		return code, s.PagesURL + "/invitation?code=" + url.QueryEscape(code)
	}
	return code, s.PagesURL + "/signup?invitation=" + url.QueryEscape(code)
}

// setRole changes the role of a member in an account.
func (s server) setRole(ctx context.Context, by toksta.Actor, r client.SetRoleRequest) (client.ChangedMember, error) {
	return changedMember(s.Members.SetRole(ctx, by, members.RoleRequest{Ref: memberRef(r.MemberRef), Role: r.Role, WithoutOwner: r.WithoutOwner}))
}

// disableMember disables a member in an account, or everywhere.
func (s server) disableMember(ctx context.Context, by toksta.Actor, r client.DisableMemberRequest) (client.ChangedMember, error) {
	return changedMember(s.Members.Disable(ctx, by, members.DisableRequest{
		Ref: members.Ref{Account: r.Account, Member: r.Member}, WithoutOwner: r.WithoutOwner,
	}))
}

// enableMember enables a disabled member in an account, or everywhere.
func (s server) enableMember(ctx context.Context, by toksta.Actor, r client.EnableMemberRequest) (client.ChangedMember, error) {
	return changedMember(s.Members.Enable(ctx, by, members.Ref{Account: r.Account, Member: r.Member}))
}

// removeMember removes a member from an account. With the choice to revoke the keys, it returns
// once no node admits any of them.
func (s server) removeMember(ctx context.Context, by toksta.Actor, r client.RemoveMemberRequest) (client.RemovedMember, error) {
	removed, err := s.Members.Remove(ctx, by, members.RemoveRequest{
		Ref: memberRef(r.MemberRef), Keys: members.KeyChoice(r.Keys), WithoutOwner: r.WithoutOwner,
	})
	if err != nil {
		return client.RemovedMember{}, err
	}
	return client.RemovedMember{
		Member: accountMember(removed.Member), KeptKeys: s.keyList(removed.Kept), RevokedKeys: s.keyList(removed.Revoked),
		Receipt: client.NewReceipt(removed.Receipt),
	}, nil
}

// keyList converts keys to their form in a response; it is never nil.
func (s server) keyList(all []toksta.Key) []client.Key {
	out := []client.Key{}
	for _, k := range all {
		out = append(out, s.key(k))
	}
	return out
}

// resetFactors removes all second factors of a person and ends the person's sessions.
func (s server) resetFactors(ctx context.Context, by toksta.Actor, r client.PersonRef) (struct{}, error) {
	return struct{}{}, s.SignIn.ResetFactors(ctx, by, r.Member)
}

// sessions returns the sessions of a person.
func (s server) sessions(ctx context.Context, _ toksta.Actor, r client.PersonRef) (client.SessionList, error) {
	all, err := s.SignIn.SessionsOf(ctx, r.Member)
	out := client.SessionList{Sessions: []client.Session{}}
	for _, v := range all {
		out.Sessions = append(out.Sessions, client.Session{
			AccountID: v.Account, Method: string(v.Method), CreatedAt: v.CreatedAt, SeenAt: v.SeenAt, ExpiresAt: v.ExpiresAt,
			Address: v.Address, Agent: v.Agent,
		})
	}
	return out, err
}

// endSessions ends all sessions of a person.
func (s server) endSessions(ctx context.Context, by toksta.Actor, r client.PersonRef) (client.EndedSessions, error) {
	n, err := s.SignIn.EndSessionsOf(ctx, by, r.Member)
	return client.EndedSessions{Ended: n}, err
}

// listInvitations returns the open invitations to an account, or to new accounts.
func (s server) listInvitations(ctx context.Context, _ toksta.Actor, r client.InvitationsRequest) (client.InvitationList, error) {
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.InvitationList{}, err
	}
	all, err := s.Members.Invitations(ctx, r.Account)
	out := client.InvitationList{Invitations: []client.Invitation{}}
	for _, i := range all {
		out.Invitations = append(out.Invitations, invitation(i))
	}
	return out, err
}

// revokeInvitation revokes an open invitation.
func (s server) revokeInvitation(ctx context.Context, by toksta.Actor, r client.InvitationRef) (client.RevokedInvitation, error) {
	receipt, err := s.Members.RevokeInvitation(ctx, by, members.InvitationRef{Account: r.Account, Invitation: r.Invitation})
	if err != nil {
		return client.RevokedInvitation{}, err
	}
	return client.RevokedInvitation{Receipt: client.NewReceipt(receipt)}, nil
}

// memberRef converts a reference to a member of an account.
func memberRef(r client.MemberRef) members.Ref {
	return members.Ref{Account: r.Account, Member: r.Member}
}

// changedMember converts a changed member to the response.
func changedMember(c members.Changed, err error) (client.ChangedMember, error) {
	if err != nil {
		return client.ChangedMember{}, err
	}
	return client.ChangedMember{Member: accountMember(c.Member), Receipt: client.NewReceipt(c.Receipt)}, nil
}

// accountMember converts a member with the role in an account.
func accountMember(m store.AccountMember) client.Member {
	out := member(m.Member)
	out.Role = m.Membership.Role
	out.JoinedAt, out.RemovedAt = m.Membership.CreatedAt, m.Membership.RemovedAt
	if out.DisabledAt.IsZero() {
		out.DisabledAt = m.Membership.DisabledAt
	}
	return out
}

// invitation converts an invitation without its code.
func invitation(i store.Invitation) client.Invitation {
	return client.Invitation{
		ID: i.ID, AccountID: i.AccountID, Email: i.Email, Role: i.Role,
		CreatedAt: i.CreatedAt, CreatedBy: toksta.MemberID(i.CreatedBy), ExpiresAt: i.ExpiresAt,
	}
}

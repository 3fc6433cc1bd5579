package operator

import (
	"context"
	"net/url"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// createAccount creates an account, on the free plan unless the request names another.
func (s server) createAccount(ctx context.Context, by toksta.Actor, r client.CreateAccountRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.Create(ctx, by, accounts.CreateRequest{
		Name: r.Name, Plan: r.Plan, Status: r.Status, Cadence: r.Cadence, CycleAnchor: r.CycleAnchor,
		ExternalID: r.ExternalID, Metadata: r.Metadata, Token: r.Token,
	}))
}

// listAccounts returns a page of accounts in the order of their ids, which is the order
// of creation.
func (s server) listAccounts(ctx context.Context, _ toksta.Actor, r client.PageRequest) (client.AccountPage, error) {
	shown, asked, err := pageOf(r.Limit)
	if err != nil {
		return client.AccountPage{}, err
	}
	rows, err := s.Accounts.List(ctx, store.Page{After: r.After, Limit: asked})
	if err != nil {
		return client.AccountPage{}, err
	}
	page := client.AccountPage{Accounts: []client.Account{}}
	for _, a := range rows[:min(len(rows), shown)] {
		page.Accounts = append(page.Accounts, s.account(a))
	}
	if len(rows) > shown {
		page.Next = rows[shown-1].ID
	}
	return page, nil
}

// showAccount reads the account, its members and its number of keys one after another,
// so it could show a concurrent change in part.
func (s server) showAccount(ctx context.Context, _ toksta.Actor, r client.AccountRef) (client.AccountDetail, error) {
	a, err := s.Accounts.Get(ctx, r.Account)
	if err != nil {
		return client.AccountDetail{}, err
	}
	out := client.AccountDetail{Account: s.account(a), Members: []client.Member{}}
	members, err := s.Accounts.Members(ctx, a.ID)
	if err != nil {
		return client.AccountDetail{}, err
	}
	for _, m := range members {
		out.Members = append(out.Members, member(m))
	}
	out.LiveKeys, err = s.Keys.Live(ctx, a.ID)
	return out, err
}

// renameAccount changes the displayed name of an account. The id, by which other
// requests refer to the account, stays.
func (s server) renameAccount(ctx context.Context, by toksta.Actor, r client.RenameAccountRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.Rename(ctx, by, accounts.RenameRequest{Account: r.Account, Name: r.Name}))
}

// setPlan changes the plan of an account. It returns once no node decides by the old
// plan.
func (s server) setPlan(ctx context.Context, by toksta.Actor, r client.SetPlanRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.SetPlan(ctx, by, accounts.PlanRequest{
		Account: r.Account, Plan: r.Plan, Cadence: r.Cadence, CycleAnchor: r.CycleAnchor,
	}))
}

// setStatus blocks or unblocks an account for billing. It revokes no key.
func (s server) setStatus(ctx context.Context, by toksta.Actor, r client.SetStatusRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.SetStatus(ctx, by, accounts.StatusRequest{Account: r.Account, Status: r.Status}))
}

// setEntitlement sets one exception of an account from its plan. The accounts service
// parses the value.
func (s server) setEntitlement(ctx context.Context, by toksta.Actor, r client.SetEntitlementRequest) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.SetEntitlement(ctx, by, accounts.EntitlementRequest{
		Account: r.Account, Name: r.Name, Value: r.Value, Token: r.Token,
	}))
}

// accountResponse converts a changed account to the response.
func (s server) accountResponse(c accounts.Changed, err error) (client.AccountResponse, error) {
	if err != nil {
		return client.AccountResponse{}, err
	}
	return client.AccountResponse{Account: s.account(c.Account), Receipt: client.NewReceipt(c.Receipt)}, nil
}

// checkAccount returns an error if the account does not exist, because an empty list
// would hide a typing error. The id "" stands for all accounts and is valid.
func (s server) checkAccount(ctx context.Context, id toksta.AccountID) error {
	if id == "" {
		return nil
	}
	_, err := s.Accounts.Get(ctx, id)
	return err
}

// invite returns a new invitation code. Only its digest is stored.
func (s server) invite(ctx context.Context, by toksta.Actor, r client.InviteRequest) (client.InviteResponse, error) {
	invited, err := s.Accounts.Invite(ctx, by, accounts.InviteRequest{Account: r.Account, Email: r.Email, Valid: s.Invitation})
	if err != nil {
		return client.InviteResponse{}, err
	}
	code := invited.Code.Reveal()
	return client.InviteResponse{
		Code: code, URL: s.PagesURL + "/signup?invitation=" + url.QueryEscape(code),
		ExpiresAt: invited.ExpiresAt, Receipt: client.NewReceipt(invited.Receipt),
	}, nil
}

// addMember creates a member who signs in with a password.
func (s server) addMember(ctx context.Context, by toksta.Actor, r client.AddMemberRequest) (client.MemberResponse, error) {
	m, err := s.Members.CreateMember(ctx, by, signin.MemberRequest{
		Account: r.Account, Name: r.Name, Email: r.Email, Password: toksta.Hide(r.Password),
	})
	if err != nil {
		return client.MemberResponse{}, err
	}
	return client.MemberResponse{Member: member(m)}, nil
}

// setPassword replaces a member's password and ends the member's sessions.
func (s server) setPassword(ctx context.Context, by toksta.Actor, r client.SetPasswordRequest) (struct{}, error) {
	return struct{}{}, s.Members.ResetPassword(ctx, by, r.Member, toksta.Hide(r.Password))
}

// member converts a member without the hash of the password.
func member(m toksta.Member) client.Member {
	return client.Member{ID: m.ID, Email: m.Email, Name: m.Name, CreatedAt: m.CreatedAt, DisabledAt: m.DisabledAt}
}

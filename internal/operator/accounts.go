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

// createAccount puts an account on the free plan unless another is named.
func (s server) createAccount(ctx context.Context, by toksta.Actor, r client.CreateAccountRequest) (client.AccountAnswer, error) {
	return s.accountAnswer(s.Accounts.Create(ctx, by, accounts.CreateRequest{
		Name: r.Name, Plan: r.Plan, Status: r.Status, Cadence: r.Cadence, CycleAnchor: r.CycleAnchor, Token: r.Token,
	}))
}

// listAccounts returns a page in the order of ids, which is that of creation.
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

// showAccount reads account, people and number of keys one after another; a
// change between them shows in part.
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

// renameAccount changes what people see; nothing else refers to a name.
func (s server) renameAccount(ctx context.Context, by toksta.Actor, r client.RenameAccountRequest) (client.AccountAnswer, error) {
	return s.accountAnswer(s.Accounts.Rename(ctx, by, accounts.RenameRequest{Account: r.Account, Name: r.Name}))
}

// setPlan returns when no node decides on the old plan any more.
func (s server) setPlan(ctx context.Context, by toksta.Actor, r client.SetPlanRequest) (client.AccountAnswer, error) {
	return s.accountAnswer(s.Accounts.SetPlan(ctx, by, accounts.PlanRequest{
		Account: r.Account, Plan: r.Plan, Cadence: r.Cadence, CycleAnchor: r.CycleAnchor,
	}))
}

// setStatus is how billing blocks an account and opens it again; its keys are
// never revoked by it.
func (s server) setStatus(ctx context.Context, by toksta.Actor, r client.SetStatusRequest) (client.AccountAnswer, error) {
	return s.accountAnswer(s.Accounts.SetStatus(ctx, by, accounts.StatusRequest{Account: r.Account, Status: r.Status}))
}

// setEntitlement passes the value as the operator wrote it: what fits is for the
// accounts to say.
func (s server) setEntitlement(ctx context.Context, by toksta.Actor, r client.SetEntitlementRequest) (client.AccountAnswer, error) {
	return s.accountAnswer(s.Accounts.SetEntitlement(ctx, by, accounts.EntitlementRequest{
		Account: r.Account, Name: r.Name, Value: r.Value, Token: r.Token,
	}))
}

// accountAnswer is every changed account's way back to the wire.
func (s server) accountAnswer(c accounts.Changed, err error) (client.AccountAnswer, error) {
	if err != nil {
		return client.AccountAnswer{}, err
	}
	return client.AccountAnswer{Account: s.account(c.Account), Receipt: client.NewReceipt(c.Receipt)}, nil
}

// known refuses to list what belongs to an account that does not exist: an empty
// list would be believed. "" stands for all accounts.
func (s server) known(ctx context.Context, id toksta.AccountID) error {
	if id == "" {
		return nil
	}
	_, err := s.Accounts.Get(ctx, id)
	return err
}

// invite shows a new code, once; it is stored by its digest.
func (s server) invite(ctx context.Context, by toksta.Actor, r client.InviteRequest) (client.InviteAnswer, error) {
	invited, err := s.Accounts.Invite(ctx, by, accounts.InviteRequest{Account: r.Account, Email: r.Email, Valid: s.Invitation})
	if err != nil {
		return client.InviteAnswer{}, err
	}
	code := invited.Code.Reveal()
	return client.InviteAnswer{
		Code: code, URL: s.PagesURL + "/signup?invitation=" + url.QueryEscape(code),
		ExpiresAt: invited.ExpiresAt, Receipt: client.NewReceipt(invited.Receipt),
	}, nil
}

// addMember hides the password from here on.
func (s server) addMember(ctx context.Context, by toksta.Actor, r client.AddMemberRequest) (client.MemberAnswer, error) {
	m, err := s.Members.CreateMember(ctx, by, signin.MemberRequest{
		Account: r.Account, Name: r.Name, Email: r.Email, Password: toksta.Hide(r.Password),
	})
	if err != nil {
		return client.MemberAnswer{}, err
	}
	return client.MemberAnswer{Member: member(m)}, nil
}

// setPassword is for who forgot theirs; their sessions end with it.
func (s server) setPassword(ctx context.Context, by toksta.Actor, r client.SetPasswordRequest) (struct{}, error) {
	return struct{}{}, s.Members.ResetPassword(ctx, by, r.Member, toksta.Hide(r.Password))
}

// member leaves the hash of the password behind.
func member(m toksta.Member) client.Member {
	return client.Member{ID: m.ID, Email: m.Email, Name: m.Name, CreatedAt: m.CreatedAt, DisabledAt: m.DisabledAt}
}

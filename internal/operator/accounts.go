package operator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/members"
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

// listAccounts returns a page of the accounts that meet the conditions of the request.
func (s server) listAccounts(ctx context.Context, _ toksta.Actor, r client.ListAccountsRequest) (client.AccountPage, error) {
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return client.AccountPage{}, err
	}
	found, err := s.Accounts.Find(ctx, store.AccountSearch{
		Email: r.Email, Name: r.Name, ExternalID: r.ExternalID, Plan: r.Plan, Status: r.Status,
		Page: store.Page{After: r.After, Limit: limit},
	})
	if err != nil {
		return client.AccountPage{}, err
	}
	page := client.AccountPage{Accounts: []client.Account{}, Next: toksta.AccountID(found.Next)}
	for _, a := range found.Rows {
		page.Accounts = append(page.Accounts, s.account(a))
	}
	if len(page.Accounts) == 0 && page.Next == "" && r.After == "" {
		return page, s.checkOffer(r.Plan, r.Status)
	}
	return page, nil
}

// checkOffer returns an error if the catalog lacks the plan or the status of an empty
// list, because an empty list would hide a typing error. Accounts can have a plan that the
// catalog no longer has.
func (s server) checkOffer(plan toksta.PlanID, status toksta.Status) error {
	var planErr, statusErr error
	if _, known := s.Catalog.Plan(plan); plan != "" && !known {
		names := make([]string, len(s.Catalog.Plans))
		for i, p := range s.Catalog.Plans {
			names[i] = string(p.ID)
		}
		planErr = toksta.Invalid("plan", fmt.Sprintf("There is no plan %q. Choose from: %s.", plan, strings.Join(names, ", ")))
	}
	if _, known := s.Catalog.Statuses[status]; status != "" && !known {
		names := make([]string, 0, len(s.Catalog.Statuses))
		for _, name := range slices.Sorted(maps.Keys(s.Catalog.Statuses)) {
			names = append(names, string(name))
		}
		statusErr = toksta.Invalid("status", fmt.Sprintf("There is no status %q. Choose from: %s.", status, strings.Join(names, ", ")))
	}
	return toksta.InvalidFields(planErr, statusErr)
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
		out.Members = append(out.Members, accountMember(m))
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
	invited, err := s.Members.Invite(ctx, by, members.InviteRequest{Account: r.Account, Email: r.Email, Role: r.Role})
	if err != nil {
		return client.InviteResponse{}, err
	}
	code, link := s.invitationLink(invited)
	return client.InviteResponse{
		Code: code, URL: link, ExpiresAt: invited.Invitation.ExpiresAt, Receipt: client.NewReceipt(invited.Receipt),
	}, nil
}

// addMember creates a member who signs in with a password.
func (s server) addMember(ctx context.Context, by toksta.Actor, r client.AddMemberRequest) (client.MemberResponse, error) {
	m, err := s.SignIn.CreateMember(ctx, by, signin.MemberRequest{
		Account: r.Account, Name: r.Name, Email: r.Email, Password: toksta.Hide(r.Password), Role: r.Role,
	})
	if err != nil {
		return client.MemberResponse{}, err
	}
	return client.MemberResponse{Member: member(m)}, nil
}

// setPassword replaces a member's password and ends the member's sessions.
func (s server) setPassword(ctx context.Context, by toksta.Actor, r client.SetPasswordRequest) (struct{}, error) {
	return struct{}{}, s.SignIn.ResetPassword(ctx, by, r.Member, toksta.Hide(r.Password))
}

// member converts a member without the hash of the password.
func member(m toksta.Member) client.Member {
	return client.Member{
		ID: m.ID, Email: m.Email, Name: m.Name, CreatedAt: m.CreatedAt, VerifiedAt: m.VerifiedAt, ExpiresAt: m.ExpiresAt, DisabledAt: m.DisabledAt,
		DisabledEverywhere: !m.DisabledAt.IsZero(), Consent: m.Consent, ConsentAt: m.ConsentAt,
	}
}

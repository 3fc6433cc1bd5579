package e2e

import (
	"net/http"
	"net/url"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// memberPages returns calls of the forms about members, invitations and accounts. At the end, the
// person is an admin of the account, and its session shows it.
func (v *customer) memberPages() []change {
	ctx := v.t.Context()
	for _, email := range []string{"sam@fjordlight.example", "tea@fjordlight.example"} {
		if err := v.addMember(email); err != nil {
			v.t.Fatal(err)
		}
	}
	detail, err := v.api.Account(ctx, v.ref())
	if err != nil {
		v.t.Fatal(err)
	}
	pages := map[string]string{}
	for _, m := range detail.Members {
		pages[m.Email] = "/account/members/" + string(m.ID)
	}
	sam, tea := pages["sam@fjordlight.example"], pages["tea@fjordlight.example"]
	viewer := client.SetRoleRequest{MemberRef: client.MemberRef{AccountRef: v.ref(), Member: "tea@fjordlight.example"}, Role: toksta.MemberViewer}
	if _, err := v.api.SetRole(ctx, viewer); err != nil {
		v.t.Fatal(err)
	}
	second, err := v.api.CreateAccount(ctx, client.CreateAccountRequest{Name: "Second", Plan: "API_BUILD"})
	if err != nil {
		v.t.Fatal(err)
	}
	invited, err := v.api.InviteMember(ctx, client.InviteMemberRequest{AccountRef: client.AccountRef{Account: second.Account.ID}, Role: toksta.MemberViewer})
	if err != nil {
		v.t.Fatal(err)
	}
	return []change{
		{"POST /account/members", func() error {
			return v.post("/account/members", "email", "kim@fjordlight.example", "role", "viewer", "by", "link")
		}},
		{"POST /account/members/invitations/{id}/revoke", func() error {
			open, err := v.api.Invitations(ctx, client.InvitationsRequest{Account: v.account})
			if err != nil {
				return err
			}
			return v.post("/account/members/invitations/" + string(open.Invitations[0].ID) + "/revoke")
		}},
		{"POST /account/members/{id}/role", func() error { return v.post(sam+"/role", "role", "developer") }},
		{"POST /account/members/{id}/disable", func() error { return v.post(sam + "/disable") }},
		{"POST /account/members/{id}/enable", func() error { return v.post(sam + "/enable") }},
		{"POST /account/members/{id}/remove", func() error { return v.post(sam+"/remove", "keys", "revoke") }},
		{"POST /account/members/{id}/owner", func() error { return v.post(tea + "/owner") }},
		{"POST /invitation", func() error { return v.open(invited.Code) }},
		{"POST /account/leave", func() error { return v.post("/account/leave") }},
		{"POST /account/new", func() error { return v.post("/account/new", "name", "Third") }},
		{"POST /account/close", func() error {
			if err := v.post("/account/close", "name", "Third"); err != nil {
				return err
			}
			return v.post("/account/switch", "account", string(v.account))
		}},
	}
}

// open opens the link of an invitation and joins.
func (v *customer) open(code string) error {
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.n.URL+"/invitation?code="+url.QueryEscape(code), nil)
	if err != nil {
		return err
	}
	res, err := v.browser.Do(r)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	return v.post("/invitation")
}

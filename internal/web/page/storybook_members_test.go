package page

import (
	"slices"
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

var (
	storyMara  = view.Member{ID: "mem_1", Name: "Mara Lindqvist", Email: "mara@fjordlight.example", Role: "owner", Joined: day(1, 12), Keys: 3, You: true}
	storyTomas = view.Member{ID: "mem_2", Name: "Tomás Rey", Email: "tomas@fjordlight.example", Role: "developer", Joined: day(3, 2), Keys: 2}
)

func storyRoles(checked string) []view.Choice {
	out := []view.Choice{
		{Value: "viewer", Text: "Viewer", Note: "See everything, change nothing."},
		{Value: "billing", Text: "Billing", Note: "See everything, and get the notices about credits and billing."},
		{Value: "developer", Text: "Developer", Note: "Create, rotate and revoke keys."},
		{Value: "admin", Text: "Admin", Note: "Keys, members and the name of the account."},
		{Value: "owner", Text: "Owner", Note: "Everything, also other owners and closing the account."},
	}
	for i := range out {
		out[i].Checked = out[i].Value == checked
	}
	return out
}

// memberStories shows the pages of members, invitations and accounts.
func memberStories() []story {
	f := storyFrame(view.SectionMembers)
	viewer, nowhere := f, storyFrame(view.SectionSwitch)
	viewer.Role, viewer.Can = "viewer", view.Rights{}
	developer, closed, unread := f, f, f
	developer.Role, developer.Can, unread.Unread = "developer", view.Rights{Keys: true}, 3
	closed.ReadOnly, closed.Can = true, view.Rights{Members: true}
	nowhere.AccountID, nowhere.AccountName, nowhere.Role, nowhere.Can = "", "", "", view.Rights{}
	hostile := view.Member{ID: "mem_3", Name: hostileName, Email: "a-very-long-address-that-somebody-really-has@subdomain.of.fjordlight.example", Role: "viewer", Joined: day(6, 9), Badge: view.Badge{Tone: view.ToneOff, Text: "Disabled"}}
	waiting := view.Member{ID: "mem_4", Name: "Ines Vogt", Email: "ines@fjordlight.example", Role: "billing", Joined: day(6, 9), Badge: view.Badge{Tone: view.ToneWarn, Text: "Not verified"}}
	rows := []view.Member{storyMara, storyTomas, waiting, hostile}
	watcher := waiting
	watcher.Role, watcher.You, watcher.Badge = "viewer", true, view.Badge{}
	watched := slices.Clone(rows)
	watched[0].You, watched[2] = false, watcher
	made := []view.MadeKey{{ID: "key_1", Name: "Production CRM sync"}, {ID: "key_2", Name: hostileName}}
	keys := []view.Choice{
		{Value: "rotate", Text: "Keep them, and rotate them now", Note: "For secrets that the person could know. The next page lists the keys; programs work until you rotate each one."},
		{Value: "revoke", Text: "Revoke them", Note: "For keys that only this person used. Calls with them are rejected at once."},
		{Value: "keep", Text: "Keep them", Note: "For secrets that the person never saw, or that programs still need."},
	}
	fixed := storyRoles("viewer")
	fixed[4].Missing = "Only an owner can give this role."
	places := []view.Place{
		{ID: "acct_01JQ8Z6T4M", Name: "Fjordlight Studio", Role: "owner", Current: true},
		{ID: "acct_01JQ8Z7AAA", Name: "Nordic Weather Partners", Role: "viewer"},
		{ID: "acct_01JQ8Z7BBB", Name: "Old pilot", Role: "admin", Closed: true},
	}
	return []story{
		{"members", "members", view.Members{Frame: f, Rows: rows, Limit: 100, LastOwner: true, Successor: true, Invitations: []view.Invitation{
			{ID: "inv_1", Email: "olga@fjordlight.example", Role: "developer", By: "Mara Lindqvist", Expires: storyNow.Add(120 * time.Hour)},
			{ID: "inv_2", Role: "owner", By: "the vendor", Expires: storyNow.Add(20 * time.Hour), Fixed: true},
		}}},
		{"members-viewer", "members", view.Members{Frame: viewer, Rows: watched, Limit: 100}},
		{"members-closed", "members", view.Members{Frame: closed, Rows: rows, Limit: 100, LastOwner: true, Successor: true}},
		{"members-alone", "members", view.Members{Frame: unread, Rows: rows[:1], Limit: 100, LastOwner: true, Notice: "The invitation is revoked. Its link no longer works."}},
		{"activity", "activity", view.Activity{Frame: f, Older: "/account/activity?before=120", Rows: []view.ActivityRow{
			{Title: "Mara Lindqvist signed in with the password and a second factor, from a new browser", From: "198.51.100.31, Chrome on Windows", At: storyNow},
			{Title: "Tomás Rey created the key " + hostileName, URL: "/account/keys/key_1", From: "198.51.100.20, Firefox on macOS", At: storyNow.Add(-time.Hour)},
			{Title: "Mara Lindqvist invited a-very-long-address-that-somebody-really-has@subdomain.of.fjordlight.example: viewer", From: "2001:db8:85a3:8d3:1319:8a2e:370:7348, Safari on iOS", At: day(6, 9)},
			{Title: "Skies changed the plan", At: day(6, 3)},
		}}},
		{"activity-end", "activity", view.Activity{Frame: f, Later: true}},
		{"member", "member", view.MemberShow{Frame: f, Member: storyTomas, Roles: storyRoles("developer"), Removable: true, Made: made}},
		{"member-closed", "member", view.MemberShow{Frame: closed, Member: storyTomas, Removable: true, Fixed: "The account is closed, so roles no longer change."}},
		{"member-disabled", "member", view.MemberShow{Frame: f, Member: hostile, Roles: fixed, Removable: true, Disabled: true, Notice: "The member can no longer use the account, and is signed out of it."}},
		{"member-everywhere", "member", view.MemberShow{Frame: f, Member: hostile, Roles: fixed, Removable: true, Everywhere: true}},
		{"member-you", "member", view.MemberShow{Frame: f, Member: storyMara, Roles: storyRoles("owner"), Made: made, Errors: view.Errors{"role": "Choose a role."}}},
		{"member-last-owner", "member", view.MemberShow{Frame: f, Member: storyMara, Roles: storyRoles("owner"), Made: made, LastOwner: true}},
		{"member-viewer", "member", view.MemberShow{Frame: viewer, Member: watcher, Made: made, Fixed: "Your role in this account, viewer, does not allow you to manage members. It needs the role owner or admin."}},
		{"member-remove", "member_remove", view.MemberRemove{Frame: f, Member: storyTomas, Choices: keys, Errors: view.Errors{"keys": "Choose what happens to the keys. Nothing was changed."}}},
		{"member-remove-hostile", "member_remove", view.MemberRemove{Frame: f, Member: hostile}},
		{"member-removed", "member_removed", view.MemberRemoved{Frame: f, Member: storyTomas, Made: made, Rotate: true}},
		{"member-removed-clean", "member_removed", view.MemberRemoved{Frame: f, Member: storyTomas}},
		{"member-owner", "member_owner", view.MemberOwner{Frame: f, Member: storyTomas}},
		{"invite", "invite", view.Invite{Frame: f, Roles: storyRoles("viewer"), HasMail: true}},
		{"invite-error", "invite", view.Invite{Frame: f, Email: "olga", Roles: fixed, Errors: view.Errors{"email": "Give an e-mail address such as ada@example.com."}}},
		{"invited", "invited", view.Invited{Frame: f, Email: "olga@fjordlight.example", As: "developer", Link: "https://keys.weather.example/invitation?code=GVIRTA5M2XQ7QJ6ZB3DO5R6CSY", Expires: storyNow.Add(168 * time.Hour)}},
		{"switch", "switch", view.Switch{Frame: storyFrame(view.SectionSwitch), Places: places, CanCreate: true}},
		{"switch-none", "switch", view.Switch{Frame: nowhere, CanCreate: true, Errors: view.Errors{"name": "Give a name with 1 to 100 characters."}}},
		{"switch-none-closed", "switch", view.Switch{Frame: nowhere}},
		{"leave", "leave", view.Leave{Frame: developer, Keys: 2}},
		{"leave-error", "leave", view.Leave{Frame: f, LastOwner: true, Successor: true, Errors: view.Errors{"": "The account would have no owner who can sign in. Make another member an owner first."}}},
		{"leave-last-owner", "leave", view.Leave{Frame: f, LastOwner: true, Successor: true}},
		{"leave-alone", "leave", view.Leave{Frame: f, LastOwner: true}},
		{"leave-closed", "leave", view.Leave{Frame: closed, LastOwner: true, Successor: true}},
		{"close", "close", view.Close{Frame: storyFrame(view.SectionAccount), Keys: 4, Invitations: 1, Errors: view.Errors{"name": "This is not the name of the account. Nothing was closed."}}},
		{"close-closed", "close", view.Close{Frame: storyFrame(view.SectionAccount), Closed: true}},
	}
}

// invitationStories shows the page of an invitation.
func invitationStories() []story {
	offer := view.Offer{
		Sheet: storySheet, Account: "Fjordlight Studio", Role: "developer", RoleNote: "Create, rotate and revoke keys.", Inviter: "Mara Lindqvist",
		Email: "olga@fjordlight.example", Expires: storyNow.Add(168 * time.Hour), CanSignUp: true,
	}
	matching, other, member := offer, offer, offer
	matching.SignedInAs = offer.Email
	other.SignedInAs, other.Other = "mara@fjordlight.example", true
	member.SignedInAs, member.Belongs = offer.Email, true
	hostile := offer
	hostile.Account, hostile.Inviter = hostileName, hostileName
	return []story{
		{"invitation", "invitation", offer},
		{"invitation-hostile", "invitation", hostile},
		{"invitation-signed-in", "invitation", matching},
		{"invitation-other", "invitation", other},
		{"invitation-member", "invitation", member},
		{"invitation-invalid", "invitation", view.Offer{Sheet: storySheet, Invalid: "This invitation is not valid: used, revoked, expired or made for another address."}},
	}
}

package view

import "time"

// Switch is the page at /account/switch: the accounts of the person.
type Switch struct {
	Frame
	Places []Place
	// CanCreate is set if the person may make a further account, with the name Name.
	CanCreate bool
	Name      string
	Errors    Errors
}

// Place is an account of the person, with the role in it.
type Place struct {
	ID, Name, Role  string
	Current, Closed bool
}

// Leave is the confirmation before the person leaves the account. It posts to /account/leave.
type Leave struct {
	Frame
	// LastOwner is set if the account would have no owner. Then the page states the ways out, and has no
	// form. Successor is set if another member can become the owner.
	LastOwner, Successor bool
	Keys                 int // live keys that the person made
	Errors               Errors
}

// Close is the confirmation before the account is closed. It posts to /account/close.
type Close struct {
	Frame
	// Keys and Invitations are the numbers of live keys and open invitations.
	Keys, Invitations int
	Closed            bool
	// Typed is the text of the field for the name.
	Typed  string
	Errors Errors
}

// Choice is one of several values of a field.
type Choice struct {
	Value, Text, Note string
	// Missing is a sentence why the choice is not possible. If it is set, the choice is disabled.
	Missing string
	Checked bool
}

// Members is the page at /account/members.
type Members struct {
	Frame
	// Notice is a sentence above the list, for example after a change.
	Notice string
	Rows   []Member
	Limit  int
	// LastOwner is set if the person cannot leave, because the account would have no owner. Successor
	// is set if another member can become the owner.
	LastOwner, Successor bool
	Invitations          []Invitation
}

// Member is a member in a list.
type Member struct {
	ID, Name, Email, Role string
	Badge                 Badge // without a text for a member who can sign in
	Joined                time.Time
	// Keys is the number of live keys that the member made.
	Keys int
	// You is set for the signed-in person.
	You bool
}

// Invitation is an open invitation in a list.
type Invitation struct {
	ID, Email, Role, By string
	Expires             time.Time
	// Fixed is set if the signed-in person may not revoke it.
	Fixed bool
}

// Invite is the form at /account/members/new, which posts to /account/members.
type Invite struct {
	Frame
	Email string
	Roles []Choice
	// ByMail and ByLink are the ways to hand over the link. If the server sends no mail, there is only
	// the link.
	HasMail, ByLink bool
	Errors          Errors
}

// Invited shows the link of an invitation, once.
type Invited struct {
	Frame
	// As is the role of the invited person.
	Email, As, Link string
	Expires         time.Time
}

// MemberShow is the page at /account/members/{id}.
type MemberShow struct {
	Frame
	Member
	// Notice is a sentence above the forms, for example after a change.
	Notice string
	Roles  []Choice
	// Fixed is a sentence why the signed-in person cannot change the role of the member. If it is set,
	// the form is left out.
	Fixed string
	// LastOwner is set on the person's own page if the account would have no other owner. Then the role
	// is fixed.
	LastOwner bool
	// Removable is set if the signed-in person can disable and remove the member.
	Removable bool
	// Disabled is set for a member who was disabled in this account.
	Disabled bool
	// Everywhere is set for a member whom the vendor disabled in all accounts.
	Everywhere bool
	Made       []MadeKey
	Errors     Errors
}

// MadeKey is a live key that a member made.
type MadeKey struct{ ID, Name string }

// MemberRemove is the confirmation before a member is removed. It posts to
// /account/members/{id}/remove.
type MemberRemove struct {
	Frame
	Member
	Choices []Choice // about the keys; empty if the member made none
	Errors  Errors
}

// MemberRemoved is the response to a removal. Made are the keys of the member that still work; with
// Rotate, the person chose to rotate them.
type MemberRemoved struct {
	Frame
	Member
	Made   []MadeKey
	Rotate bool
}

// MemberOwner is the confirmation before the ownership is handed over. It posts to
// /account/members/{id}/owner.
type MemberOwner struct {
	Frame
	Member
	Errors Errors
}

// Offer is the page at /invitation.
type Offer struct {
	Sheet
	// Invalid is a sentence why the invitation cannot be used. If it is set, the rest is left out.
	Invalid                                 string
	Account, Role, RoleNote, Inviter, Email string
	// AccountID is sent with the form, so that the person joins the account that the page shows.
	AccountID string
	Expires   time.Time
	// SignedInAs is the address of the signed-in person, "" without a session. Other is set if the
	// invitation is for another address, and Belongs if the person is a member already.
	SignedInAs     string
	Other, Belongs bool
	// CanSignUp is set if a person without a sign-in can get one.
	CanSignUp bool
	Errors    Errors
}

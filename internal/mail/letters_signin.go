package mail

import "time"

// LinkLetter has the values of a mail with a link that works once. The mail is for one person,
// and must not be stored.
type LinkLetter struct {
	To       string        // address of the recipient
	Name     string        // of the person; "": not known
	Link     string        // absolute, with the code
	ValidFor time.Duration // from now
	Address  string        // IP address of the client that asked for the mail; "": not known
	Browser  string        // of that client, such as "Firefox on macOS"; "": not known
}

// VerifyAddress returns the mail with the link that proves that the person who signed up receives
// mail at the address. It does not contain the name, because anybody can sign up with the address.
func (l *Letters) VerifyAddress(o LinkLetter) Message { return l.withLink("verify_address", o) }

// ResetPassword returns the mail with the link to choose a new password.
func (l *Letters) ResetPassword(o LinkLetter) Message { return l.withLink("reset_password", o) }

// ConfirmAddress returns the mail to the new address of a person, with the link that makes it the
// address of the sign-in.
func (l *Letters) ConfirmAddress(o LinkLetter) Message { return l.withLink("confirm_address", o) }

// AddressInUse returns the mail to a member whose address was used to sign up again. Link leads to
// the sign-in.
func (l *Letters) AddressInUse(o LinkLetter) Message { return l.withLink("address_in_use", o) }

// SignInLink returns the mail with a link that signs in.
func (l *Letters) SignInLink(o LinkLetter) Message { return l.withLink("sign_in_link", o) }

func (l *Letters) withLink(name string, o LinkLetter) Message {
	m := l.message(name, l.page(o.values()))
	m.To = o.To
	return m
}

func (o LinkLetter) values() fields {
	return fields{
		"To": o.To, "Name": o.Name, "Link": link(o.Link), "ValidFor": duration(o.ValidFor), "Address": o.Address, "Browser": o.Browser,
	}
}

// InvitationLetter has the values of an invitation.
type InvitationLetter struct {
	To        string // address of the invited person
	Inviter   string // name of the member; "": the vendor
	Account   string // name; "": the person signs up with an account of their own
	Role      string // in the account
	Link      string // absolute, with the code
	ExpiresAt time.Time
}

// Invitation returns the mail that invites a person to an account.
func (l *Letters) Invitation(o InvitationLetter) Message {
	m := l.message("invitation", l.page(o.values()))
	m.To = o.To
	return m
}

func (o InvitationLetter) values() fields {
	return fields{
		"To": o.To, "Inviter": o.Inviter, "Account": o.Account, "Role": o.Role, "Link": link(o.Link), "ExpiresAt": stamp(o.ExpiresAt),
	}
}

package page

import (
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

// mailStories returns the pages about mails with links, and those of the demo's mails.
func mailStories() []story {
	mails := []view.OutboxMail{
		{
			Number: 2, At: storyNow.Add(-time.Minute), To: "mara@fjordlight.example", Subject: "Toksta: set a new password", HTML: "sent.html",
			Lines: []view.MailLine{
				{Text: "Hello Mara Lindqvist,"},
				{},
				{Text: "somebody asked for a new password. Open this page within 15 minutes:"},
				{Link: "https://keys.example/signin/reset?code=6h3dYy1nPz0mJ5cQ8vTqWb2kLr7sXe4uGa9fHi1jK0o"},
			},
		},
		{Number: 1, At: storyNow.Add(-2 * time.Hour), To: "tomas@fjordlight.example", Subject: hostileName},
	}
	box := view.Outbox{Sheet: storySheet, Path: "/demo/mail", AccountURL: "/account", Now: storyNow, Mails: mails}
	forgot := view.MailForm{Sheet: storySheet, Title: "Forgot your password?", Text: "You get a mail with a link to choose a new one.", Action: "/signin/forgot"}
	wrong := forgot
	wrong.Email, wrong.Errors = "mara", view.Errors{"email": "Give an e-mail address such as ada@example.com."}
	unverified := storyEmpty()
	unverified.Unverified, unverified.Keys.Blocked = "mara@fjordlight.example", "Confirm your address first: open the link in the mail to you."
	return []story{
		{"forgot", "mailform", forgot},
		{"forgot-error", "mailform", wrong},
		{"signin-link", "signin_link", view.SignInLink{Sheet: storySheet, Email: "mara@fjordlight.example"}},
		{"sent", "sent", view.Sent{
			Sheet: storySheet, Email: "mara@fjordlight.example", Valid: "15 minutes", Action: "/signin/forgot",
			Text: "If there is a person with this address, a mail with a link for a new password is on its way to",
		}},
		{"sent-again", "sent", view.Sent{
			Sheet: storySheet, Email: "mara@fjordlight.example", Valid: "15 minutes", Action: "/signin/link", Note: "Open it in this browser.",
			Text: "If there is a person with this address, a mail with a link to sign in is on its way to", Again: true,
		}},
		{"reset", "reset", view.Reset{Sheet: storySheet, Email: "mara@fjordlight.example", MinPassword: 12}},
		{"reset-error", "reset", view.Reset{
			Sheet: storySheet, Email: "mara@fjordlight.example", MinPassword: 12, Errors: view.Errors{"password": "Use a password of at least 12 characters."},
		}},
		{"signup-mail", "signup", view.SignUp{Sheet: storySheet, Action: "/signup", MailFirst: true}},
		{"signup-proved", "signup", view.SignUp{
			Sheet: storySheet, Action: "/signup/verify", Proved: true, Email: "mara@fjordlight.example", EmailFixed: true, MinPassword: 12,
			Errors: view.Errors{"name": "Give a name with 1 to 100 characters.", "password": "Use a password of at least 12 characters."},
		}},
		{"verify", "verify", view.Verify{Sheet: storySheet, Email: "mara@fjordlight.example", HasLink: true}},
		{"verify-wait", "verify", view.Verify{Sheet: storySheet, Email: "mara@fjordlight.example", Until: storyNow.Add(23 * time.Hour), Sent: true}},
		{"account-unverified", "account", unverified},
		{"address", "address", view.Address{Sheet: storySheet, Old: "mara@fjordlight.example", Email: "mara.lindqvist@a-rather-long-name-of-a-company.example"}},
		{"link-ended", "error", view.Error{
			Sheet: storySheet, Status: 410, Title: "This link does not work", Text: "This link was used before, or it has expired. Ask for a new one.",
			RequestID: "req_01JZ3M8K7Q2V9D4T", Primary: view.Link{Text: "Ask for a new link", URL: "/signin/forgot"},
		}},
		{"outbox", "outbox", box},
		{"outbox-empty", "outbox", view.Outbox{Sheet: storySheet, Path: "/demo/mail", AccountURL: "/account", Now: storyNow}},
		{"outbox-mail", "outbox_mail", view.OutboxEntry{Outbox: box, Mail: mails[0]}},
	}
}

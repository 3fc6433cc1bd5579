package page

import (
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

// mailStories returns the pages of the demo's mails.
func mailStories() []story {
	mails := []view.OutboxMail{
		{
			Number: 2, At: storyNow.Add(-time.Minute), To: "mara@fjordlight.example", Subject: "Toksta: set a new password",
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
	return []story{
		{"outbox", "outbox", box},
		{"outbox-empty", "outbox", view.Outbox{Sheet: storySheet, Path: "/demo/mail", AccountURL: "/account", Now: storyNow}},
		{"outbox-mail", "outbox_mail", view.OutboxEntry{Outbox: box, Mail: mails[0]}},
	}
}

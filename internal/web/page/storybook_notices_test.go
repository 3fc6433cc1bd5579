package page

import (
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

// storyNotices returns the page of notices with some that are not read.
func storyNotices() view.Notices {
	f := storyFrame(view.SectionNotices)
	f.Unread = 2
	ago := func(hours int) time.Time { return storyNow.Add(-time.Duration(hours) * time.Hour) }
	return view.Notices{
		Frame: f, Email: "mara@fjordlight.example", Mails: true, Through: "ntc_9", Unseen: 2, Notice: "Your choice of mails is saved.",
		Items: []view.NoticeRow{
			{Title: "Sign-in from a new browser", Detail: "From Chrome on Windows, 198.51.100.31", URL: "/account/security", At: ago(1), New: true},
			{Title: "The key Production CRM sync expires on 5 July 2026, 23:59", URL: "/account/keys/key_1", At: ago(3), New: true},
			{Title: "Tomas Berg created the key Enrichment worker", URL: "/account/keys/key_2", At: ago(30)},
			{Title: "You revoked the key " + hostileName, Detail: "From Firefox on macOS, 198.51.100.20", URL: "/account/keys/key_3", At: ago(200)},
			{Title: "You transferred the ownership to Tomas Berg", Detail: "From Firefox on macOS, 198.51.100.20", URL: "/account/members", At: ago(300)},
			{Title: "Tomas Berg disabled Ida Holm", URL: "/account/members", At: ago(310)},
			{Title: "Tomas Berg joined the account: developer", URL: "/account/members", At: ago(400)},
		},
		Topics: []view.Topic{
			{Name: "keys", Label: "Changes of keys", Help: "A key is created, rotated or revoked.", On: true},
			{Name: "dates", Label: "Keys that expire or are not used", Help: "Before a key expires, and when no call used it for a long time.", On: true},
			{Name: "limits", Label: "Rate limit", Help: "The rate limit refuses many calls."},
		},
	}
}

// storyAlert returns the overview with a notice that the person must see.
func storyAlert() view.Account {
	a := storyAccount()
	a.Unread = 1
	a.Alert = &view.Banner{
		Tone: view.ToneInfo, Title: "Sign-in from a new browser.", Text: "From Chrome on Windows, 198.51.100.31. 28 June 2026, 13:02.",
		Action: view.Link{Text: "See notices", URL: "/account/notices"}, Quiet: true,
	}
	return a
}

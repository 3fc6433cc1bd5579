package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// writeNotice writes a notice to the owner of the account. Kind is required.
func (w *world) writeNotice(t *testing.T, n store.Notice) {
	t.Helper()
	n.ID, n.At, n.MemberID = toksta.NewID(toksta.PrefixNotice, w.Now()), w.Now(), w.owner
	n.Token = n.ID
	if n.Data == nil {
		n.Data = json.RawMessage("{}")
	}
	if _, err := w.store.WriteNotices(t.Context(), store.NoticeBatch{Notices: []store.Notice{n}}); err != nil {
		t.Fatal(err)
	}
}

// unreadMark is the number of unread notices in the frame, without its end.
const unreadMark = `<span class="unread">`

// Guarantee: a notice is shown to its member, counted in the frame of each page and, if it is
// important, on the overview, until the person marks it as read. Names in it are only text.
func TestNoticesPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get(t, "/account/notices").shows(t, 200, "Nothing happened yet", "ada@example.com")
	if strings.Contains(w.get(t, "/account").body, unreadMark) {
		t.Error("the frame counts notices that do not exist")
	}
	key := w.create(t, "CRM <b>sync</b>")
	w.writeNotice(t, store.Notice{
		Kind: string(notices.KeyRevoked), AccountID: w.account, Data: json.RawMessage(`{"key":"` + string(key.ID) + `","vendor":true}`),
	})
	w.writeNotice(t, store.Notice{Kind: string(notices.NewBrowser), Data: json.RawMessage(`{"browser":"Firefox on macOS","address":"198.51.100.7"}`)})
	w.writeNotice(t, store.Notice{Kind: string(notices.KeyCreated), AccountID: "acct_other"})
	page := w.get(t, "/account/notices")
	page.shows(t, 200,
		"The operator revoked the key CRM &lt;b&gt;sync&lt;/b&gt;", "/account/keys/"+string(key.ID), "Sign-in from a new browser", "From Firefox on macOS, 198.51.100.7",
		unreadMark+"2", "2 new notices")
	w.get(t, "/account").shows(t, 200, unreadMark+"2", "<strong>Sign-in from a new browser.</strong>")
	form := url.Values{}
	for _, c := range page.controls("/account/notices/read") {
		form.Set(c.name, c.value)
	}
	w.writeNotice(t, store.Notice{Kind: string(notices.PasswordChanged)}) // after the page was shown
	if got := w.post(t, "/account/notices/read", form); got.path != "/account/notices?done=read" || !strings.Contains(got.body, unreadMark+"1") || !strings.Contains(got.body, "1 new notice") {
		t.Errorf("after reading: %s\n%s", got.path, got.body)
	}
	w.get(t, "/account").shows(t, 200, "Your password was changed.")
}

// Guarantee: the mails of a topic stop when a person switches it off on the page, and start when the
// person switches it on. A topic that the form invents changes nothing.
func TestChoiceOfMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	box := store.NoticeBox{Member: w.owner, Account: w.account}
	off := func() string {
		t.Helper()
		topics, err := w.store.UnmailedTopics(t.Context(), box)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(topics, " ")
	}
	w.post(t, "/account/notices/mails", url.Values{"topic": {"keys", "members", "invented"}}).shows(t, 200, "Your choice of mails is saved.")
	if got := off(); got != "billing dates limits" {
		t.Errorf("switched off: %s", got)
	}
	w.post(t, "/account/notices/mails", url.Values{"topic": {"billing", "dates", "limits", "members"}})
	if got := off(); got != "keys" {
		t.Errorf("switched off: %s", got)
	}
}

// Guarantee: the link in a mail asks before it stops the mails, so that a scanner stops nothing. A
// mail program stops them without a cookie, as RFC 8058 describes. Another token does nothing.
func TestUnsubscribePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, err := w.Notices.Token(t.Context(), notices.Subscription{Member: w.owner, Account: w.account, Topic: notices.TopicKeys})
	if err != nil {
		t.Fatal(err)
	}
	w.signOut(t)
	link := "/unsubscribe?token=" + token
	off := func(want int) {
		t.Helper()
		topics, err := w.store.UnmailedTopics(t.Context(), store.NoticeBox{Member: w.owner, Account: w.account})
		if err != nil || len(topics) != want {
			t.Errorf("switched off: %v, %v", topics, err)
		}
	}
	w.get(t, link).shows(t, 200, "Stop these mails?", "Changes of keys", "Acme", `action="`+link+`"`)
	for _, wrong := range []string{"", "?token=", "?token=x", link[len("/unsubscribe"):] + "A"} {
		w.get(t, "/unsubscribe"+wrong).shows(t, 404, "Open it from the mail again")
		w.post(t, "/unsubscribe"+wrong, url.Values{}).shows(t, 404)
	}
	off(0)
	w.post(t, link, url.Values{"List-Unsubscribe": {"One-Click"}}).shows(t, http.StatusOK, "Mails stopped")
	off(1)
	w.post(t, link, url.Values{}).shows(t, http.StatusOK, "Mails stopped")
	off(1)
}

// Guarantee: every kind of notice and every topic has words on the page.
func TestEveryNoticeHasWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]bool{}
	for _, kind := range notices.Kinds() {
		data := json.RawMessage(`{"event":{"remaining":412,"refused":3}}`)
		n := store.Notice{Kind: string(kind), AccountID: w.account, MemberID: w.owner, Data: data}
		w.writeNotice(t, n)
		items, err := w.Notices.List(t.Context(), store.NoticeBox{Member: w.owner, Account: w.account}, toksta.MemberOwner)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			if i.Kind == kind {
				title := w.notice(i).Title
				if seen[title] || strings.Contains(title, "newer version") {
					t.Errorf("%s has the words %q", kind, title)
				}
				seen[title] = true
			}
		}
	}
	for _, topic := range notices.Topics(toksta.MemberOwner) {
		if words := topicWords(topic); words.Label == "" || words.Help == "" {
			t.Errorf("the topic %s has no words", topic)
		}
	}
}

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// noticesPath is the path of the page of notices, savesTopics the route of its preferences.
const (
	noticesPath = "/account/notices"
	savesTopics = "POST " + noticesPath + "/mails"
)

// noticeRoutes registers the page of notices, and the page of the link that stops mails. The link
// needs no session: the mail is the proof.
func (p *Pages) noticeRoutes(mux *routes) {
	mux.Handle("GET "+noticesPath, p.member(p.showNotices))
	mux.Form("POST "+noticesPath+"/read", form{page: noticesPath}, p.member(p.readNotices))
	mux.Form(savesTopics, form{page: noticesPath, keeps: []string{"topic"}}, p.member(p.saveTopics))
	mux.HandleFunc("GET "+notices.UnsubscribePath, p.showUnsubscribe)
	mux.Form("POST "+notices.UnsubscribePath, form{}, http.HandlerFunc(p.unsubscribe))
}

// noticeBox selects the notices that a person sees: those of the account of the session, and those
// about the person.
func noticeBox(who signin.Identity) store.NoticeBox {
	return store.NoticeBox{Member: who.Member.ID, Account: who.Account.ID}
}

// unread returns the number of unread notices for the frame. A page without notices about the
// person has none. If the number cannot be read, the page is shown without it.
func (p *Pages) unread(ctx context.Context) int {
	who := identity(ctx)
	if who.Session.Bound || isEmbedded(ctx) {
		return 0
	}
	n, err := p.Notices.Unread(ctx, noticeBox(who), who.Role)
	if err != nil && ctx.Err() == nil {
		exchange.FromContext(ctx).Err = fmt.Errorf("the page is without the number of notices: %w", err)
	}
	return n
}

// showNotices serves the newest notices and the choice of mails.
func (p *Pages) showNotices(w http.ResponseWriter, r *http.Request) {
	who := identity(r.Context())
	all, err := p.Notices.List(r.Context(), noticeBox(who), who.Role)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	mails, err := p.Notices.Preferences(r.Context(), noticeBox(who), who.Role)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	data := view.Notices{Frame: p.frame(r.Context(), view.SectionNotices), Email: who.Member.Email, Mails: p.Notices.Mails()}
	for _, i := range all {
		data.Items = append(data.Items, p.notice(i))
		if !i.Read {
			data.Unseen++
		}
	}
	if len(all) > 0 {
		data.Through = slices.MaxFunc(all, func(a, b notices.Item) int { return strings.Compare(a.ID, b.ID) }).ID
	}
	fields, again := restored(r, savesTopics)
	for _, m := range mails {
		t := topicWords(m.Topic)
		if t.On = m.Mail; again {
			t.On = slices.Contains(fields["topic"], t.Name)
		}
		data.Topics = append(data.Topics, t)
	}
	switch r.FormValue("done") {
	case "read":
		data.Notice = "All notices are marked as read."
	case "mails":
		data.Notice = "Your choice of mails is saved."
	}
	p.show(w, r, screen{page: "notices"}, data)
}

// readNotices marks the notices that the page showed as read.
func (p *Pages) readNotices(w http.ResponseWriter, r *http.Request) {
	if err := p.Notices.MarkRead(r.Context(), noticeBox(identity(r.Context())), r.PostFormValue("through")); err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, noticesPath+"?done=read", http.StatusSeeOther)
}

// saveTopics switches the mails of each topic of the page on or off.
func (p *Pages) saveTopics(w http.ResponseWriter, r *http.Request) {
	who, mails := identity(r.Context()), map[notices.Topic]bool{}
	for _, t := range notices.Topics(who.Role) {
		mails[t] = slices.Contains(r.PostForm["topic"], string(t))
	}
	if err := p.Notices.SetPreferences(r.Context(), noticeBox(who), who.Role, mails); err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, noticesPath+"?done=mails", http.StatusSeeOther)
}

// importantNotice returns the banner of the newest unread notice that the person must see, nil if
// there is none.
func (p *Pages) importantNotice(ctx context.Context, unread int) (*view.Banner, error) {
	who := identity(ctx)
	if unread == 0 {
		return nil, nil
	}
	all, err := p.Notices.List(ctx, noticeBox(who), who.Role)
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if !i.Read && i.Kind.Important() {
			n := p.notice(i)
			text := view.DateTime(n.At) + "."
			if n.Detail != "" {
				text = n.Detail + ". " + text
			}
			return &view.Banner{Tone: view.ToneInfo, Title: n.Title + ".", Text: text, Action: view.Link{Text: "See notices", URL: noticesPath}, Quiet: true}, nil
		}
	}
	return nil, nil
}

// showUnsubscribe asks whether the mails of the link are to stop. A scanner that opens the link
// stops nothing.
func (p *Pages) showUnsubscribe(w http.ResponseWriter, r *http.Request) {
	sub, err := p.Notices.Subscription(r.Context(), r.FormValue("token"))
	p.showUnsubscribed(w, r, sub, err)
}

// unsubscribe stops the mails of the link. A mail program sends the form without a cookie and
// without the page (RFC 8058).
func (p *Pages) unsubscribe(w http.ResponseWriter, r *http.Request) {
	sub, err := p.Notices.Unsubscribe(r.Context(), r.FormValue("token"))
	p.showUnsubscribed(w, r, sub, err)
}

// showUnsubscribed shows the mails to which a link belongs, before and after they are stopped, or
// the error.
func (p *Pages) showUnsubscribed(w http.ResponseWriter, r *http.Request, sub notices.Subscription, err error) {
	if toksta.ErrorCode(err) == toksta.CodeNotFound {
		p.show(w, r, screen{http.StatusNotFound, "notice"}, view.Notice{
			Sheet: p.sheet(), Title: "This link does not work", Text: "It is not complete. Open it from the mail again, or choose your mails on the page of notices.",
			Action: view.Link{Text: "Choose your mails", URL: noticesPath},
		})
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	a, err := p.Accounts.Get(r.Context(), sub.Account)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{page: "unsubscribe"}, view.Unsubscribe{
		Sheet: p.sheet(), Topic: topicWords(sub.Topic).Label, Account: a.Name, Done: r.Method == http.MethodPost,
		Action: notices.UnsubscribePath + "?token=" + url.QueryEscape(r.FormValue("token")),
	})
}

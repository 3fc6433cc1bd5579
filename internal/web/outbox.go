package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/web/view"
)

// outboxPath is the address of the mails of the demo.
const outboxPath = "/demo/mail"

// outboxPolicy is the Content-Security-Policy of the page that shows a mail in a frame.
// mailPolicy is that of the mail in the frame: it runs no script and loads nothing, and its
// links open in the whole window.
const (
	outboxPolicy = "; frame-src 'self'"
	mailPolicy   = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; " +
		"sandbox allow-top-navigation-by-user-activation"
)

// IsOutbox reports whether path belongs to the mails of the demo. Only the demo serves them.
func IsOutbox(path string) bool {
	return path == outboxPath || strings.HasPrefix(path, outboxPath+"/")
}

// outboxRoutes adds the pages with the mails of the demo. Outside of the demo, there are none.
func (p *Pages) outboxRoutes(mux *routes) {
	if p.Outbox == nil {
		return
	}
	mux.HandleFunc("GET "+outboxPath, p.showOutbox)
	mux.HandleFunc("GET "+outboxPath+"/{number}", p.showMail)
	mux.HandleFunc("GET "+outboxPath+"/{number}/html", p.showMailHTML)
}

// outboxView returns the data that the list and the page of one mail share.
func (p *Pages) outboxView() view.Outbox {
	return view.Outbox{Sheet: p.sheet(), Path: outboxPath, AccountURL: "/account", Now: p.Now()}
}

// showOutbox serves the list of the last mails.
func (p *Pages) showOutbox(w http.ResponseWriter, r *http.Request) {
	list := p.outboxView()
	for _, m := range p.Outbox.List() {
		list.Mails = append(list.Mails, outboxMail(m))
	}
	p.show(w, r, screen{page: "outbox"}, list)
}

// showMail serves one mail: its text, and its HTML part in a frame.
func (p *Pages) showMail(w http.ResponseWriter, r *http.Request) {
	m, ok := p.keptMail(r)
	if !ok {
		p.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+outboxPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	p.show(w, r, screen{page: "outbox_mail"}, view.OutboxEntry{Outbox: p.outboxView(), Mail: outboxMail(m)})
}

// showMailHTML serves the HTML part of a mail for the frame.
func (p *Pages) showMailHTML(w http.ResponseWriter, r *http.Request) {
	m, ok := p.keptMail(r)
	if !ok || m.HTML == "" {
		p.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", mailPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write([]byte(strings.Replace(m.HTML, "<head>", `<head><base target="_top">`, 1)))
}

// keptMail returns the mail with the number in the address; ok is false if there is none.
func (p *Pages) keptMail(r *http.Request) (m mail.Kept, ok bool) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return mail.Kept{}, false
	}
	return p.Outbox.Find(number)
}

// outboxMail returns a mail as the pages show it.
func outboxMail(m mail.Kept) view.OutboxMail {
	out := view.OutboxMail{Number: m.Number, At: m.At, To: m.To, Subject: m.Subject}
	if m.HTML != "" {
		out.HTML = outboxPath + "/" + strconv.Itoa(m.Number) + "/html"
	}
	for line := range strings.Lines(strings.TrimSpace(m.Text)) {
		l := view.MailLine{Text: strings.TrimRight(line, "\r\n")}
		if isLink(l.Text) {
			l.Link = l.Text
		}
		out.Lines = append(out.Lines, l)
	}
	return out
}

// isLink reports whether a line is only an address of a page.
func isLink(line string) bool {
	return (strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "http://")) && !strings.ContainsAny(line, " \t")
}

package mail

import (
	"fmt"
	"time"
)

// NoticeLetter has the values of a mail about a change. The zero value of a field means that
// the kind of notice does not have it, or that it is not known.
type NoticeLetter struct {
	To      string
	Account string
	// Actor is the name of the author of the change, "" for the recipient. Vendor is set if the
	// author is the vendor, who then has the name of the product.
	Actor  string
	Vendor bool
	Key    string // name of an API key
	Keys   int    // number of API keys
	Member string // name of another person
	Left   bool   // the person left, and was not removed
	Role   string
	// Address and Browser describe the client of the author. They are only for the author.
	Address, Browser string
	Old, New         string // e-mail addresses
	Why              string // the cause of rejected calls, as a clause after "because"
	At               time.Time
	Date             time.Time // of an expiry
	Days             int
	Credits          *Credits
	Limit            *Limit
	Link             string // absolute, to the page about it
	// Unsubscribe is the link that stops mails of this topic, "" if they cannot be switched off.
	Unsubscribe string
}

// Notice returns the mail of a kind of notice, which is the name of its template.
func (l *Letters) Notice(kind string, o NoticeLetter) Message {
	m := l.message(kind, l.noticePage(o))
	m.To = o.To
	return m
}

func (l *Letters) noticePage(o NoticeLetter) page {
	p := l.page(o.values(l.config.Look.Product))
	if o.Unsubscribe != "" {
		p.Unsubscribe, p.NoticesURL = o.Unsubscribe, l.config.PagesURL+"/account/notices"
	}
	return p
}

func (o NoticeLetter) values(product string) fields {
	out := fields{
		"Account": o.Account, "Actor": o.Actor, "Key": o.Key, "Keys": "", "Member": o.Member, "Left": o.Left, "Role": o.Role,
		"Address": o.Address, "Browser": o.Browser, "Old": o.Old, "New": o.New, "Why": o.Why,
		"At": stamp(o.At), "Date": stamp(o.Date), "Days": count(int64(o.Days), "day"), "Link": link(o.Link),
	}
	if o.Vendor {
		out["Actor"] = product
	}
	if o.Keys > 0 {
		out["Keys"] = count(int64(o.Keys), "API key")
	}
	if o.Credits != nil {
		o.Credits.add(out)
	}
	if o.Limit != nil {
		out["Refused"], out["Since"], out["Limit"] = number(o.Limit.Refused), stamp(o.Limit.Since), o.Limit.text()
	}
	return out
}

// Credits is the balance of an account at one moment.
type Credits struct {
	Remaining int64
	Included  int64 // of a cycle; 0: the plan includes none
	ResetsAt  time.Time
	Overage   bool // calls beyond the credits are admitted and charged at the plan's rate
}

// add adds the values of the balance. Rest is empty if no credits are left, and the balance can be negative.
func (c Credits) add(to fields) {
	to["Remaining"], to["Included"], to["ResetsAt"], to["Overage"] = number(c.Remaining), "", "", c.Overage
	to["Rest"] = ""
	if c.Remaining > 0 {
		to["Rest"] = number(c.Remaining)
	}
	if c.Included != 0 {
		to["Included"], to["ResetsAt"] = number(c.Included), stamp(c.ResetsAt)
	}
}

// Limit describes how often an account exceeded one of its limits.
type Limit struct {
	PerMinute                   int
	PerHour, PerDay, Concurrent int // 0: no limit
	Refused                     int64
	Since                       time.Time
}

// text names the limits, as the subject of a sentence has them.
func (o Limit) text() string {
	text := fmt.Sprintf("%s calls a minute", number(int64(o.PerMinute)))
	for _, further := range []struct {
		limit int
		unit  string
	}{{o.PerHour, "an hour"}, {o.PerDay, "a day (UTC)"}, {o.Concurrent, "at the same time"}} {
		if further.limit > 0 {
			text += fmt.Sprintf(", %s %s", number(int64(further.limit)), further.unit)
		}
	}
	return text
}

// Test returns the mail with which an operator tests the mail settings.
func (l *Letters) Test() Message { return l.message("test", l.page(nil)) }

package mail

import (
	"fmt"
	"time"
)

// Account describes the account of a notice.
type Account struct {
	Name string
	URL  string // of the account's page
}

// Credits is the balance of an account at one moment.
type Credits struct {
	Remaining int64
	Included  int64 // of a cycle; 0: the plan includes none
	ResetsAt  time.Time
	Overage   bool // calls beyond the credits are admitted and charged at the plan's rate
}

// values returns the values of a letter about the balance.
func (c Credits) values(a Account) fields {
	out := fields{
		"Account": a.Name, "Link": link(a.URL), "Remaining": number(c.Remaining), "Included": "", "ResetsAt": "", "Overage": c.Overage,
	}
	if c.Included != 0 {
		out["Included"], out["ResetsAt"] = number(c.Included), stamp(c.ResetsAt)
	}
	return out
}

// Limit describes how often an account exceeded one of its limits.
type Limit struct {
	PerMinute                   int
	PerHour, PerDay, Concurrent int // 0: no limit
	Refused                     int64
	Since                       time.Time
}

// values returns the values of a letter about the limits.
func (o Limit) values(a Account) fields {
	return fields{"Account": a.Name, "Link": link(a.URL), "Refused": number(o.Refused), "Since": stamp(o.Since), "Limit": o.text()}
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

// LowBalance returns the mail that an account has few credits left. The caller sets the
// recipient of this and the following mails.
func (l *Letters) LowBalance(a Account, c Credits) Message {
	return l.message("credits_low", l.page(c.values(a)))
}

// CreditsExhausted returns the mail that an account has no credits for further calls. It says
// whether these calls are rejected or charged as overage.
func (l *Letters) CreditsExhausted(a Account, c Credits) Message {
	return l.message("credits_exhausted", l.page(c.values(a)))
}

// LimitHit returns the mail that an account exceeds its rate limit often.
func (l *Letters) LimitHit(a Account, o Limit) Message {
	return l.message("rate_limit_hit", l.page(o.values(a)))
}

// Test returns the mail with which an operator tests the mail settings.
func (l *Letters) Test() Message { return l.message("test", l.page(nil)) }

package view

import (
	"cmp"
	"net/url"
	"strings"
)

// With returns the address of the overview with s after one change. The
// parameter set names the change: "table", "chart", "all", "few", "revoked",
// "all-revoked", "live", "all-keys" or "unsearched". The parameter anchor is the id of the section to
// which the browser scrolls.
func (s State) With(set, anchor string) string {
	switch set {
	case "table":
		s.Table = true
	case "chart":
		s.Table, s.AllDays = false, false
	case "all":
		s.AllDays = true
	case "few":
		s.AllDays = false
	case "revoked":
		s.Ended = EndedNewest
	case "all-revoked":
		s.Ended = EndedAll
	case "live":
		s.Ended = ""
	case "all-keys":
		s.AllKeys = true
	case "unsearched":
		s.Query = ""
	}
	u := url.URL{Path: cmp.Or(s.Home, AccountHome), RawQuery: s.query().Encode(), Fragment: anchor}
	return u.String()
}

func (s State) query() url.Values {
	q := url.Values{}
	if s.Month != "" {
		q.Set("month", s.Month)
	}
	if s.Table {
		q.Set("view", "table")
	}
	if s.AllDays {
		q.Set("days", "all")
	}
	if s.Ended != "" {
		q.Set("revoked", string(s.Ended))
	}
	if s.AllKeys {
		q.Set("keys", "all")
	}
	if s.Query != "" {
		q.Set("q", s.Query)
	}
	return q
}

// ReadState parses the query of an address that With returned. It ignores
// unknown values and does not check the month.
func ReadState(q url.Values) State {
	s := State{
		Month:   q.Get("month"),
		Table:   q.Get("view") == "table",
		AllDays: q.Get("days") == "all",
		AllKeys: q.Get("keys") == "all",
		Query:   strings.TrimSpace(q.Get("q")),
	}
	if e := Ended(q.Get("revoked")); e == EndedNewest || e == EndedAll {
		s.Ended = e
	}
	return s
}

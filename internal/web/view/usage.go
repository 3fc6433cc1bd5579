package view

import "time"

// Usage is the section #usage: one month of one account.
type Usage struct {
	Months []Option
	// Numbers are the four figures on top.
	Numbers []Fact
	Chart   Chart
	// The breakdowns, largest first: admitted calls by key and by family, credits
	// by operation, refused calls by reason.
	ByKey, ByFamily, ByOperation, ByReason []Share
	CSV                                    string
}

// Option is a choice of a select.
type Option struct {
	Value, Text string
	Selected    bool
}

// Chart is a month of calls by day.
type Chart struct {
	// Month is any time within the month; Days may be fewer than it has.
	Month time.Time
	Days  []Day
	// Today is drawn paler; zero when the month is over.
	Today time.Time
	// Height is the plot's height in px.
	Height int
}

// Day is one day of a chart or of its table.
type Day struct {
	Date              time.Time
	Admitted, Refused int64
	Credits           int64
	OverageMicros     int64
	// Note follows the refusals in the tip, such as "407 rate_limited".
	Note string
}

// Admitted sums the calls of all days.
func (c Chart) Admitted() (n int64) {
	for _, d := range c.Days {
		n += d.Admitted
	}
	return n
}

// Refused sums the refusals of all days.
func (c Chart) Refused() (n int64) {
	for _, d := range c.Days {
		n += d.Refused
	}
	return n
}

// Newest returns the days newest first, eight of them unless all is set.
func (c Chart) Newest(all bool) []Day {
	n := len(c.Days)
	out := make([]Day, 0, n)
	for i := n - 1; i >= 0 && (all || len(out) < 8); i-- {
		out = append(out, c.Days[i])
	}
	return out
}

// Share is a line of a breakdown. Code, where set, follows Label in the mono
// face; Note follows in the quieter colour.
type Share struct {
	Label, Code, Note string
	Count             int64
}

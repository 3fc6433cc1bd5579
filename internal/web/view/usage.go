package view

import "time"

// Usage is the section #usage: one month of one account.
type Usage struct {
	Months []Option
	// Numbers are the four figures above the chart.
	Numbers []Fact
	Chart   Chart
	// The breakdowns have the largest share first: admitted calls by key and by
	// family, credits by operation, rejected calls by reason.
	ByKey, ByFamily, ByOperation, ByReason []Share
	CSV                                    string
	// Path is the path of the usage endpoint, "" if it is switched off.
	Path string
}

// Empty reports whether the month has neither calls nor charges.
func (u Usage) Empty() bool {
	return u.Chart.Admitted() == 0 && u.Chart.Rejected() == 0 && len(u.ByOperation) == 0
}

// Period returns the name of the shown month, such as "June 2026".
func (u Usage) Period() string {
	for _, m := range u.Months {
		if m.Selected {
			return m.Text
		}
	}
	return "this month"
}

// Option is a choice of a select element.
type Option struct {
	Value, Text string
	Selected    bool
}

// Chart is a month of calls by day.
type Chart struct {
	// Month is any time within the month. Days can have fewer days than the
	// month.
	Month time.Time
	Days  []Day
	// Today is drawn paler. It is zero if the month is over.
	Today time.Time
	// Height is the height of the plot in px.
	Height int
}

// Day is one day of a chart or of its table.
type Day struct {
	Date               time.Time
	Admitted, Rejected int64
	Credits            int64
	OverageMicros      int64
	// Note follows the number of rejections in the tooltip: "407 rate_limited".
	Note string
}

// Admitted returns the number of admitted calls of all days.
func (c Chart) Admitted() (n int64) {
	for _, d := range c.Days {
		n += d.Admitted
	}
	return n
}

// Rejected returns the number of rejected calls of all days.
func (c Chart) Rejected() (n int64) {
	for _, d := range c.Days {
		n += d.Rejected
	}
	return n
}

// Newest returns the days, newest first: all days if all is true, otherwise
// the newest eight.
func (c Chart) Newest(all bool) []Day {
	n := len(c.Days)
	out := make([]Day, 0, n)
	for i := n - 1; i >= 0 && (all || len(out) < 8); i-- {
		out = append(out, c.Days[i])
	}
	return out
}

// Share is one line of a breakdown. Code follows Label in a monospaced font,
// Note in the quieter color.
type Share struct {
	Label, Code, Note string
	Count             int64
}

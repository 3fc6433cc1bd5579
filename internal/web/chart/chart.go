// Package chart draws the figures of the account pages as SVG, without viewBox,
// inline styles or scripts. Horizontal lengths are in per cent and vertical lengths
// in px, so text and corners keep their size at every width.
package chart

import (
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

// A bar fills barShare of its day's width. The week labels use labelSpace px below
// the baseline. A bar lower than minVisible px is not drawn; the table shows its
// number.
const (
	barShare   = 0.62
	labelSpace = 26
	minVisible = 1.0
)

// plot is a chart during its construction. days is the number of days in the month,
// top is the number of calls at the upper edge, and scale is in px per call.
type plot struct {
	strings.Builder
	view.Chart
	days  int
	top   float64
	scale float64
}

// Month draws the calls of a month: rejected calls on top of admitted calls, tick
// labels at the left, week labels below. A summary in words is the image's
// accessible name.
func Month(c view.Chart) template.HTML {
	p := &plot{Chart: c, days: daysIn(c.Month)}
	var most float64
	for _, d := range c.Days {
		most = max(most, float64(d.Admitted+d.Rejected))
	}
	step := tickStep(most)
	p.top = max(most, step) * 1.06
	p.scale = float64(c.Height) / p.top

	p.WriteString(`<div class="chart">`)
	p.ticks(step)
	fmt.Fprintf(p, `<svg class="plot" width="100%%" height="%d" role="img" aria-label="%s">`,
		c.Height+labelSpace, html.EscapeString(summary(c)))
	p.grid(step)
	for _, d := range c.Days {
		p.bar(d)
	}
	fmt.Fprintf(p, `<rect class="under" x="0" y="%d" width="100%%" height="5"/>`, c.Height)
	fmt.Fprintf(p, `<line class="base" x1="0" x2="100%%" y1="%d.5" y2="%d.5"/>`, c.Height, c.Height)
	p.labels()
	for _, d := range c.Days {
		p.tip(d)
	}
	p.WriteString(`</svg></div>`)
	return template.HTML(p.String())
}

// ticks writes the axis as a separate figure of 36 px, so that the plot can use per
// cent.
func (p *plot) ticks(step float64) {
	fmt.Fprintf(p, `<svg class="ticks" width="36" height="%d" aria-hidden="true">`, p.Height+labelSpace)
	for v := 0.0; v <= p.top; v += step {
		fmt.Fprintf(p, `<text x="26" y="%s" text-anchor="end">%s</text>`, px(p.y(v)+4), tickText(v))
	}
	p.WriteString(`</svg>`)
}

// grid draws a line for every tick except zero, on half pixels for sharp lines.
func (p *plot) grid(step float64) {
	for v := step; v <= p.top; v += step {
		y := px(float64(int(p.y(v))) + .5)
		fmt.Fprintf(p, `<line class="grid" x1="0" x2="100%%" y1="%s" y2="%s"/>`, y, y)
	}
}

// bar draws one day. Bars extend 3 px below the baseline, where a strip covers them,
// so that only their upper corners are round.
func (p *plot) bar(d view.Day) {
	pitch := 100 / float64(p.days)
	x := pct(pitch * (float64(d.Date.UTC().Day()-1) + (1-barShare)/2))
	w := pct(pitch * barShare)
	admitted := float64(d.Admitted) * p.scale
	refused := float64(d.Rejected) * p.scale
	class := "adm"
	if sameDay(d.Date, p.Today) {
		class = "adm now"
	}
	if admitted >= minVisible {
		fmt.Fprintf(p, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="2.5"><title>%s</title></rect>`,
			class, x, px(float64(p.Height)-admitted), w, px(admitted+3), dayText(d))
	}
	if refused >= minVisible {
		gap := min(1, refused-.5)
		fmt.Fprintf(p, `<rect class="ref" x="%s" y="%s" width="%s" height="%s" rx="%s"><title>%s</title></rect>`,
			x, px(float64(p.Height)-admitted-refused), w, px(refused-gap), px(min(1.5, refused/2)), dayText(d))
	}
}

// labels writes the first day of every week. A label that would overlap the label of
// today is omitted.
func (p *plot) labels() {
	pitch := 100 / float64(p.days)
	today := 0
	if !p.Today.IsZero() && p.Today.Month() == p.Month.Month() && p.Today.Year() == p.Month.Year() {
		today = p.Today.UTC().Day()
	}
	for day := 1; day <= p.days; day += 7 {
		if today != 0 && abs(day-today) < 4 {
			continue
		}
		fmt.Fprintf(p, `<text class="wk" x="%s" y="%d" text-anchor="middle">%d %s</text>`,
			pct(pitch*(float64(day)-.5)), p.Height+19, day, p.Month.UTC().Format("Jan"))
	}
	if today != 0 {
		fmt.Fprintf(p, `<text class="wk now" x="%s" y="%d" text-anchor="middle">today</text>`,
			pct(pitch*(float64(today)-.5)), p.Height+19)
	}
}

// tip writes the tooltip of one day: it shades the day under the pointer and shows
// the day's numbers, which are also in the table.
func (p *plot) tip(d view.Day) {
	pitch := 100 / float64(p.days)
	i := float64(d.Date.UTC().Day() - 1)
	lines := []string{d.Date.UTC().Format("Mon 2 January"), view.Num(d.Admitted) + " admitted"}
	if d.Rejected > 0 {
		line := view.Num(d.Rejected) + " refused"
		if d.Note != "" {
			line += ", " + d.Note
		}
		lines = append(lines, line)
	}
	width := 0
	for _, l := range lines {
		width = max(width, len([]rune(l)))
	}
	w := width*66/10 + 38
	shift, anchor := 8, pitch*(i+1)
	if i > float64(p.days)/2 {
		shift, anchor = -8-w, pitch*i
	}
	fmt.Fprintf(p, `<g class="day"><rect class="hit" x="%s" y="0" width="%s" height="%d"/>`,
		pct(pitch*i), pct(pitch), p.Height)
	fmt.Fprintf(p, `<svg class="tip" x="%s" y="0" width="1" height="1"><g transform="translate(%d 4)">`, pct(anchor), shift)
	fmt.Fprintf(p, `<rect class="tip-box" width="%d" height="%d" rx="8"/>`, w, 18+len(lines)*18)
	for n, l := range lines {
		y := 22 + n*18
		switch n {
		case 0:
			fmt.Fprintf(p, `<text class="tip-day" x="12" y="%d">%s</text>`, y, html.EscapeString(l))
		default:
			fmt.Fprintf(p, `<rect class="dot%d" x="12" y="%d" width="8" height="8" rx="2"/><text x="26" y="%d">%s</text>`,
				n, y-8, y, html.EscapeString(l))
		}
	}
	p.WriteString(`</g></svg></g>`)
}

// y returns the position of the value v, in px from the top.
func (p *plot) y(v float64) float64 { return float64(p.Height) - v*p.scale }

// dayText describes one day in words, for the title of its bar.
func dayText(d view.Day) string {
	s := d.Date.UTC().Format("Mon 2 January") + ": " + view.Num(d.Admitted) + " admitted"
	if d.Rejected > 0 {
		s += ", " + view.Num(d.Rejected) + " refused"
	}
	return s
}

// summary describes the chart in words: the sums and the busiest day.
func summary(c view.Chart) string {
	s := fmt.Sprintf("Calls by day in %s: %s admitted, %s refused.", c.Month.UTC().Format("January 2006"),
		view.Num(c.Admitted()), view.Num(c.Rejected()))
	var most view.Day
	for _, d := range c.Days {
		if d.Admitted+d.Rejected > most.Admitted+most.Rejected {
			most = d
		}
	}
	if !most.Date.IsZero() {
		s += " Most on " + dayText(most) + "."
	}
	return s
}

// tickStep returns the distance between two grid lines: the smallest number of the
// form 1, 2 or 5 times a power of ten that puts at most three lines between zero and
// most.
func tickStep(most float64) float64 {
	for unit := 1.0; ; unit *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if most < unit*m*4 {
				return unit * m
			}
		}
	}
}

// tickText shortens thousands to k and millions to M.
func tickText(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'f', -1, 64) + "M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// daysIn returns the number of days in t's month, in UTC.
func daysIn(t time.Time) int {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// sameDay compares dates in UTC, the time zone of the pages.
func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}

func abs(n int) int { return max(n, -n) }

// pct formats a length in per cent with at most three decimals.
func pct(v float64) string { return trim(strconv.FormatFloat(v, 'f', 3, 64)) + "%" }

// px formats a length with at most one decimal. Further decimals would not be
// visible and could differ between machines.
func px(v float64) string { return trim(strconv.FormatFloat(v, 'f', 1, 64)) }

// trim removes trailing zeros after the decimal point.
func trim(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

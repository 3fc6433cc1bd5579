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

// A bar fills barShare of its day's width. A bar lower than minVisible px is not
// drawn; the table shows its number. The stylesheet keeps space above the plot for the
// tooltip, and below it for the week labels, whose height depends on the text size.
const (
	barShare   = 0.62
	minVisible = 1.0
)

// A tooltip is tipHeight px high and tipGap px above the plot. charWidth is the
// estimated width of a character, in px.
const (
	tipHeight = 24
	tipGap    = 8
	charWidth = 6.6
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
		c.Height, html.EscapeString(summary(c)))
	p.grid(step)
	for _, d := range c.Days {
		p.day(d)
	}
	fmt.Fprintf(p, `<rect class="under" x="0" y="%d" width="100%%" height="5"/>`, c.Height)
	fmt.Fprintf(p, `<line class="base" x1="0" x2="100%%" y1="%d.5" y2="%d.5"/>`, c.Height, c.Height)
	p.labels()
	p.WriteString(`</svg></div>`)
	return template.HTML(p.String())
}

// ticks writes the axis as a separate figure, so that the plot can use per cent. The
// stylesheet sets its width, which depends on the text size.
func (p *plot) ticks(step float64) {
	fmt.Fprintf(p, `<svg class="ticks" height="%d" aria-hidden="true">`, p.Height)
	for v := 0.0; v <= p.top; v += step {
		fmt.Fprintf(p, `<text x="100%%" y="%s" dy=".33em" text-anchor="end">%s</text>`, px(p.y(v)), tickText(v))
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

// day draws one day: the column that is shaded while the pointer is over it, the bars
// on top of the shade, and the tooltip above the plot.
func (p *plot) day(d view.Day) {
	pitch := 100 / float64(p.days)
	fmt.Fprintf(p, `<g class="day"><rect class="hit" x="%s" y="0" width="%s" height="%d"/>`,
		pct(pitch*float64(d.Date.UTC().Day()-1)), pct(pitch), p.Height)
	p.bar(d)
	p.tip(d)
	p.WriteString(`</g>`)
}

// bar draws the bar of one day. Bars extend 3 px below the baseline, where a strip covers
// them, so that only their upper corners are round.
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
		fmt.Fprintf(p, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="2.5"/>`,
			class, x, px(float64(p.Height)-admitted), w, px(admitted+3))
	}
	if refused >= minVisible {
		gap := min(1, refused-.5)
		fmt.Fprintf(p, `<rect class="ref" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`,
			x, px(float64(p.Height)-admitted-refused), w, px(refused-gap), px(min(1.5, refused/2)))
	}
}

// labels writes the first day of every week. The classes let the stylesheet leave out
// labels where text is large or the chart narrow: every second one, and those that are
// near today, or in the second degree, by today. A label that always overlaps the one of
// today is omitted.
func (p *plot) labels() {
	pitch := 100 / float64(p.days)
	today := 0
	if !p.Today.IsZero() && p.Today.Month() == p.Month.Month() && p.Today.Year() == p.Month.Year() {
		today = p.Today.UTC().Day()
	}
	for day := 1; day <= p.days; day += 7 {
		class := "wk"
		if day/7%2 == 1 {
			class += " odd"
		}
		if today != 0 {
			switch distance := abs(day - today); {
			case distance < 4:
				continue
			case distance < 8:
				class += " near by"
			case distance < 14:
				class += " by"
			}
		}
		fmt.Fprintf(p, `<text class="%s" x="%s" y="%d" dy="1.6em" text-anchor="middle">%d %s</text>`,
			class, pct(pitch*(float64(day)-.5)), p.Height, day, p.Month.UTC().Format("Jan"))
	}
	if today != 0 {
		fmt.Fprintf(p, `<text class="wk now" x="%s" y="%d" dy="1.6em" text-anchor="middle">today</text>`,
			pct(pitch*(float64(today)-.5)), p.Height)
	}
}

// tip writes the tooltip of one day: one line above the plot, so that it covers no other
// day. It starts or ends at its day, so that it stays within the plot. The table has the
// same numbers.
func (p *plot) tip(d view.Day) {
	text := dayText(d)
	if d.Rejected > 0 && d.Note != "" {
		text += " (" + d.Note + ")"
	}
	width := int(float64(len([]rune(text)))*charWidth) + 20
	pitch := 100 / float64(p.days)
	day := float64(d.Date.UTC().Day())
	x, shift := pitch*(day-1), 0
	if day > float64(p.days)/2 {
		x, shift = pitch*day, -width
	}
	fmt.Fprintf(p, `<svg class="tip" x="%s" y="%d" width="1" height="1"><g transform="translate(%d 0)">`, pct(x), -tipHeight-tipGap, shift)
	fmt.Fprintf(p, `<rect class="tip-box" width="%d" height="%d" rx="7"/><text x="%d" y="16" text-anchor="middle">%s</text></g></svg>`,
		width, tipHeight, width/2, html.EscapeString(text))
}

// y returns the position of the value v, in px from the top.
func (p *plot) y(v float64) float64 { return float64(p.Height) - v*p.scale }

// dayText describes one day in words.
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

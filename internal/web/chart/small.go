package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"strings"
)

// A sparkline has sparkBars days of 3 px each. A strip has stripBars teeth.
const (
	sparkBars   = 30
	sparkHeight = 20.0
	stripBars   = 48
)

// Spark draws up to the last 30 days of calls, without words, because the number
// stands below. A day with the number most fills the height, so that the sparklines
// of one list can be compared. If most is 0, Spark draws nothing.
func Spark(calls []int64, most int64) template.HTML {
	if most <= 0 {
		return ""
	}
	calls = calls[max(0, len(calls)-sparkBars):]
	var b strings.Builder
	b.WriteString(`<svg class="spark" width="90" height="20" aria-hidden="true">`)
	for i, n := range calls {
		h := min(1, float64(n)/float64(most)) * (sparkHeight - 1)
		if h < minVisible {
			fmt.Fprintf(&b, `<rect class="none" x="%d" y="19" width="2" height="1"/>`, i*3)
			continue
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%s" width="2" height="%s"/>`, i*3, px(sparkHeight-h), px(h))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// Bar draws the share part/whole on a neutral track of the given height in px. kind
// is an additional CSS class.
func Bar(part, whole int64, height int, kind string) template.HTML {
	share := 0.0
	if whole > 0 {
		share = min(100, max(0, float64(part)/float64(whole)*100))
	}
	fill := ""
	if share > 0 {
		fill = fmt.Sprintf(`<rect class="fill" width="%s" height="%d" rx="%d"/>`, pct(share), height, height/2)
	}
	return template.HTML(fmt.Sprintf(
		`<svg class="bar %s" width="100%%" height="%d" aria-hidden="true"><rect class="track" width="100%%" height="%d" rx="%d"/>%s</svg>`,
		template.HTMLEscapeString(kind), height, height, height/2, fill))
}

// Strip draws the first 48 hex digits of SHA-256("toksta") as teeth. The decoration
// is always the same and never derived from a key.
func Strip() template.HTML {
	sum := sha256.Sum256([]byte("toksta"))
	digits := hex.EncodeToString(sum[:])[:stripBars]
	var b strings.Builder
	b.WriteString(`<svg class="teeth" width="100%" height="24" aria-hidden="true">`)
	for i, d := range digits {
		v := strings.IndexRune("0123456789abcdef", d)
		fmt.Fprintf(&b, `<rect x="%s" y="-3" width="4" height="%s" rx="1.5"/>`,
			pct(float64(i)*100/stripBars+.5), px(float64(v)*1.3+6))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

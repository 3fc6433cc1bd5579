package page

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/web/chart"
	"github.com/toksta/toksta/internal/web/view"
)

// nearLimit is the used share of included credits, in per cent, from which the
// bar is amber.
const nearLimit = 80

// funcs returns the functions of the templates: formats, figures and the
// addresses of assets. All are pure.
func funcs(assets *Assets, money view.Money) template.FuncMap {
	return template.FuncMap{
		"asset":     assets.URL,
		"icon_url":  assets.Icon,
		"brand":     productName,
		"logo":      assets.logo,
		"initial":   assets.look.Initial,
		"env_var":   func() string { return cmp.Or(assets.look.EnvVar, brand.EnvVar(productName(assets.look.Product))) },
		"num":       view.Num,
		"money":     money,
		"count":     view.Count,
		"ms":        view.Millis,
		"ordinal":   view.Ordinal,
		"initials":  view.Initials,
		"date":      view.Date,
		"shortdate": view.ShortDate,
		"datetime":  view.DateTime,
		"moment":    view.Moment,
		"hour":      view.Hour,
		"format":    func(layout string, t time.Time) string { return t.UTC().Format(layout) },
		"ago":       ago,
		"args":      args,
		"rich":      rich,
		"sentences": sentences,
		"capital":   capital,
		"breakable": breakable,
		"prose":     newMarkdown().prose,
		"sameday":   func(a, b time.Time) bool { return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly) },
		"month":     chart.Month,
		"spark":     chart.Spark,
		"creditbar": creditBar,
		"sharebar":  func(part, whole int64, kind string) template.HTML { return chart.Bar(part, whole, 4, kind) },
		"strip":     chart.Strip,
		"total":     total,
		"qr":        qrCode,
		"codehelp":  codeHelp,
		"int64":     func(n int) int64 { return int64(n) },
	}
}

// codeHelp returns the sentence below the field for a code, for a person with an authenticator app,
// with recovery codes or both.
func codeHelp(app, recovery bool) string {
	switch {
	case !recovery:
		return "The 6 digits that your authenticator app shows."
	case !app:
		return "One of your recovery codes."
	}
	return "The 6 digits that your authenticator app shows, or a recovery code."
}

// productName returns the name of the product, "Toksta" if it is empty.
func productName(name string) string { return cmp.Or(name, brand.Toksta) }

// logo is the vendor's logo in a page.
type logo struct {
	URL, DarkURL  string // DarkURL is "" if the logo is the same on dark pages
	Width, Height int
	Wide          bool // the picture contains the name of the product
}

// logoHeight is the height of a logo, in pixels.
const logoHeight = 28

// maxLogoWidth bounds the width of a logo, in pixels, so that the bar of a phone
// has room for it.
const maxLogoWidth = 160

// logo returns the vendor's logo, or nil if there is none.
func (a *Assets) logo() *logo {
	l := a.look.Logo
	if l == nil {
		return nil
	}
	out := &logo{URL: a.URL("logo" + l.Ext), Width: max(1, int(logoHeight*l.Ratio)), Height: logoHeight, Wide: l.Wide()}
	if out.Width > maxLogoWidth {
		out.Width, out.Height = maxLogoWidth, max(1, int(maxLogoWidth/l.Ratio))
	}
	if dark := a.look.LogoDark; dark != nil {
		out.DarkURL = a.URL("logo-dark" + dark.Ext)
	}
	return out
}

// ago returns a time element with a relative text and the full date as its
// title.
func ago(t, now time.Time) template.HTML {
	if t.IsZero() {
		return "Never"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.UTC().Format(time.RFC3339), view.DateTime(t), view.Ago(t, now)))
}

// args returns a map of name and value pairs, so that a template can pass
// several arguments to a part.
func args(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("args: odd number of values")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("args: %v is not a name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// sentences joins texts to sentences: each that is not empty ends with a full stop.
func sentences(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t == "" {
			continue
		}
		if !strings.HasSuffix(t, ".") {
			t += "."
		}
		out = append(out, t)
	}
	return strings.Join(out, " ")
}

// capital returns text with an upper-case first letter, for a word that stands alone.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// breakable escapes a command, and lets its lines break after the slashes of an address
// and nowhere else within a word.
func breakable(command string) template.HTML {
	words := strings.Split(template.HTMLEscapeString(command), " ")
	for i, w := range words {
		if strings.HasPrefix(w, "-") && !strings.Contains(w, "\n") {
			words[i] = `<span class="unbroken">` + w + `</span>`
			continue
		}
		words[i] = strings.ReplaceAll(w, "/", "/<wbr>")
	}
	return template.HTML(strings.Join(words, " "))
}

// rich escapes text, and then formats `code` and **strong** spans.
func rich(text string) template.HTML {
	s := template.HTMLEscapeString(text)
	s = spans(s, "`", "code")
	s = spans(s, "**", "strong")
	return template.HTML(s)
}

// spans wraps the text between pairs of mark in an element. If a mark has no
// pair, it returns s unchanged.
func spans(s, mark, tag string) string {
	parts := strings.Split(s, mark)
	if len(parts)%2 == 0 {
		return s
	}
	var b strings.Builder
	for i, p := range parts {
		if i%2 == 1 {
			p = "<" + tag + ">" + p + "</" + tag + ">"
		}
		b.WriteString(p)
	}
	return b.String()
}

// creditBar returns the bar of used credits. The bar is amber if the used share
// is at least nearLimit. Below that share, and in overage, it has the accent
// color.
func creditBar(used, included int64) template.HTML {
	kind := "credits"
	if included > 0 && used <= included && used*100 >= included*nearLimit {
		kind = "credits near"
	}
	return chart.Bar(used, included, 8, kind)
}

// total returns the sum of a breakdown, to which its bars are scaled.
func total(shares []view.Share) (n int64) {
	for _, s := range shares {
		n += s.Count
	}
	return n
}

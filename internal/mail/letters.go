package mail

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	texttemplate "text/template"

	"github.com/toksta/toksta/internal/brand"
)

// The names of the two layouts, beside the letters.
const (
	layoutHTML = "layout.html"
	layoutText = "layout.txt"
	extension  = ".letter"
)

//go:embed letters
var embedded embed.FS

// LettersConfig configures Letters.
type LettersConfig struct {
	Look       brand.Look // Product and the accent; a mail loads no logo from it
	PagesURL   string     // address of the account pages, without a slash at the end
	SupportURL string     // "": no link
	LogoURL    string     // absolute https address of a picture; "": the mails load nothing
	// Templates has files that replace those of the directory letters of this package, by
	// name. Missing files are not replaced. nil: none.
	Templates fs.FS
}

// Letters writes the mails to people, as text and as HTML with the same content. It is safe for
// concurrent use.
type Letters struct {
	config LettersConfig
	colors colors
	// own has the vendor's letters and layouts over the shipped ones.
	own, shipped templates
}

// templates has the parsed letters by name, and the layouts.
type templates struct {
	letters map[string]*letterFile
	html    *template.Template
	text    *texttemplate.Template
}

// NewLetters parses the templates and tries each of them with sample values. The error names the
// file.
func NewLetters(c LettersConfig) (*Letters, error) {
	shipped, err := fs.Sub(embedded, "letters")
	if err != nil {
		return nil, err
	}
	l := &Letters{config: c, colors: colorsOf(c.Look)}
	if l.shipped, err = parseTemplates(shipped, templates{}); err != nil {
		return nil, err
	}
	l.own = l.shipped
	if c.Templates != nil {
		if l.own, err = parseTemplates(c.Templates, l.shipped); err != nil {
			return nil, err
		}
	}
	return l, l.try()
}

// LetterNames returns the names of all letters, sorted.
func LetterNames() []string {
	files, _ := fs.Glob(embedded, "letters/*"+extension) // a correct pattern has no error
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), extension)
	}
	return files
}

// try writes each letter of the vendor's templates with its sample values.
func (l *Letters) try() error {
	for _, s := range Samples() {
		if _, err := l.own.write(s.name, s.page(l)); err != nil {
			return fmt.Errorf("try the mail template %s with sample values: %w", s.name+extension, err)
		}
	}
	return nil
}

// parseTemplates parses the files of a directory. Base has the ones for missing files. A file
// with an unknown name is an error, because it would have no effect.
func parseTemplates(dir fs.FS, base templates) (templates, error) {
	out := templates{letters: map[string]*letterFile{}, html: base.html, text: base.text}
	for name, f := range base.letters {
		out.letters[name] = f
	}
	files, err := fs.ReadDir(dir, ".")
	if err != nil {
		return templates{}, fmt.Errorf("read the directory of mail templates: %w", err)
	}
	for _, f := range files {
		source, err := fs.ReadFile(dir, f.Name())
		if err == nil {
			err = out.parse(f.Name(), string(source), base.letters)
		}
		if err != nil {
			return templates{}, fmt.Errorf("read the mail template %s: %w", f.Name(), err)
		}
	}
	return out, nil
}

// parse adds one file. If known is not nil, it has the names of all letters.
func (t *templates) parse(file, source string, known map[string]*letterFile) (err error) {
	name, isLetter := strings.CutSuffix(file, extension)
	switch _, exists := known[name]; {
	case file == layoutHTML:
		t.html, err = template.New(file).Option("missingkey=error").Parse(source)
	case file == layoutText:
		t.text, err = texttemplate.New(file).Option("missingkey=error").Parse(source)
	case !isLetter || known != nil && !exists:
		err = errors.New("there is no mail with this name: toksta mail list shows the names")
	default:
		t.letters[name], err = parseLetter(source)
	}
	return err
}

// fields has the values of a letter. A string is shown as a name, a link unchanged.
type fields map[string]any

// link is an address that this program made, unlike a text of a person.
type link string

// page has the values of a mail: those of the letter, and those of the layouts around it.
type page struct {
	values      fields
	Letter      letter
	Product     string
	PagesURL    string
	SupportURL  string
	LogoURL     string
	NoticesURL  string // page of the preferences; "": the mail cannot be switched off
	Unsubscribe string // one-click link; "": the mail cannot be switched off
	Colors      colors
}

// page returns the values that all letters share, with those of one letter.
func (l *Letters) page(values fields) page {
	out := fields{"Product": l.config.Look.Product, "PagesURL": l.config.PagesURL}
	for name, v := range values {
		if s, ok := v.(string); ok {
			v = shown(s)
		}
		out[name] = v
	}
	return page{
		values: out, Product: l.config.Look.Product, PagesURL: l.config.PagesURL, SupportURL: l.config.SupportURL,
		LogoURL: l.config.LogoURL, Colors: l.colors,
	}
}

// message writes a letter. If the vendor's template fails with values that the samples do not
// have, the shipped one is used, because a mail with plain words is better than none.
func (l *Letters) message(name string, p page) Message {
	m, err := l.own.write(name, p)
	if err != nil {
		m, _ = l.shipped.write(name, p) // NewLetters has tried it
	}
	m.Unsubscribe = p.Unsubscribe
	return m
}

// write returns the mail that consists of a letter in both layouts, text and HTML.
func (t templates) write(name string, p page) (Message, error) {
	file, ok := t.letters[name]
	if !ok {
		return Message{}, fmt.Errorf("there is no letter %q", name)
	}
	var err error
	if p.Letter, err = file.fill(p.values); err != nil {
		return Message{}, err
	}
	var html, text strings.Builder
	if err := t.html.Execute(&html, p); err != nil {
		return Message{}, err
	}
	if err := t.text.Execute(&text, p); err != nil {
		return Message{}, err
	}
	return Message{Subject: p.Letter.Subject, Text: strings.TrimSpace(text.String()) + "\n", HTML: html.String()}, nil
}

// colors has the colors of the HTML layout that depend on the accent, as #rrggbb.
type colors struct {
	Button, OnButton, Text             string
	ButtonDark, OnButtonDark, TextDark string
}

// defaultHue is the hue of a mail whose vendor configures no color.
const defaultHue = 264

// colorsOf computes the colors of the accent. Without one, it is the default accent with the hue
// of the look.
func colorsOf(look brand.Look) colors {
	accent := brand.LCH{L: .51, C: .19, H: float64(cmp.Or(look.Hue, defaultHue))}.Color()
	if look.Accent != nil {
		accent = *look.Accent
	}
	p := brand.NewPalette(accent)
	return colors{
		Button: p.Light.Button.String(), OnButton: p.Light.OnButton.String(), Text: p.Light.Text.String(),
		ButtonDark: p.Dark.Button.String(), OnButtonDark: p.Dark.OnButton.String(), TextDark: p.Dark.Text.String(),
	}
}

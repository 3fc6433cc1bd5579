package mail

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// A file of a letter is plain text. Blank lines separate its blocks:
//
//	Subject: {{.Product}}: your new key
//	Reason: You get this mail because …
//
//	A paragraph, of one or several lines.
//
//	> Key: {{.Key}}
//	> Time: {{.At}}
//
//	[Open your keys]({{.Link}})
//
// The first block is the head. Lines that start with ">" are facts, a label and a value each. A
// block that is one link is a button. Each part is a template of its own, so a value cannot add
// a block, a fact or a link, whatever its text is. A part that is empty is left out.

// letterFile is a parsed file of a letter.
type letterFile struct {
	subject, reason *template.Template
	blocks          []block
}

// block is a paragraph, a list of facts or a button. The other fields are empty.
type block struct {
	paragraph *template.Template
	facts     []pair
	button    *pair
}

// pair is a fact, or the text and the address of a button.
type pair struct{ label, value *template.Template }

// buttonForm matches a block that is one link.
var buttonForm = regexp.MustCompile(`^\[(.+)\]\((.+)\)$`)

// parseLetter parses the file of a letter.
func parseLetter(source string) (*letterFile, error) {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	head, body, _ := strings.Cut(strings.TrimSpace(source), "\n\n")
	p := &partParser{}
	out := &letterFile{}
	for line := range strings.SplitSeq(head, "\n") {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "Subject":
			out.subject = p.part(value)
		case "Reason":
			out.reason = p.part(value)
		default:
			return nil, fmt.Errorf("the line %q is neither Subject nor Reason: end the head with a blank line", line)
		}
	}
	if out.subject == nil || out.reason == nil {
		return nil, errors.New("the lines Subject: and Reason: must be the start of the file")
	}
	for text := range strings.SplitSeq(body, "\n\n") {
		if text = strings.TrimSpace(text); text != "" {
			out.blocks = append(out.blocks, p.block(text))
		}
	}
	return out, p.err
}

// partParser parses the templates of a file and keeps the first error.
type partParser struct{ err error }

// part parses one part. A reference to an unknown field is an error when it is executed.
func (p *partParser) part(text string) *template.Template {
	t, err := template.New("letter").Option("missingkey=error").Parse(strings.TrimSpace(text))
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("in the part %q: %w", text, err)
	}
	return t
}

// block parses one block of a letter: a button, a list of facts or a paragraph.
func (p *partParser) block(text string) block {
	if b := buttonForm.FindStringSubmatch(text); b != nil {
		return block{button: &pair{p.part(b[1]), p.part(b[2])}}
	}
	if !strings.HasPrefix(text, ">") {
		return block{paragraph: p.part(text)}
	}
	var out block
	for line := range strings.SplitSeq(text, "\n") {
		label, value, ok := strings.Cut(strings.TrimPrefix(line, ">"), ":")
		if !ok && p.err == nil {
			p.err = fmt.Errorf("the fact %q needs a label, a colon and a value", line)
		}
		out.facts = append(out.facts, pair{p.part(label), p.part(value)})
	}
	return out
}

// letter is a filled letter with its values, as the layouts show it.
type letter struct {
	Subject, Reason string
	Blocks          []shownBlock
}

// shownBlock is a paragraph, a list of facts or a button.
type shownBlock struct {
	Paragraph string
	Facts     []shownPair
	Button    *shownPair
}

type shownPair struct{ Label, Value string }

// fill executes the parts of the letter with the values.
func (f *letterFile) fill(values fields) (letter, error) {
	e := executor{values: values}
	out := letter{Subject: e.text(f.subject), Reason: e.text(f.reason)}
	for _, b := range f.blocks {
		if shown, ok := e.block(b); ok {
			out.Blocks = append(out.Blocks, shown)
		}
	}
	if e.err == nil && out.Subject == "" {
		e.err = errors.New("the subject is empty")
	}
	return out, e.err
}

// executor executes parts and keeps the first error.
type executor struct {
	values fields
	err    error
}

// text fills in a part and returns it as one line.
func (e *executor) text(t *template.Template) string {
	var out strings.Builder
	if err := t.Execute(&out, e.values); err != nil && e.err == nil {
		e.err = err
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// block fills in a block. ok is false if the block is empty with these values.
func (e *executor) block(b block) (out shownBlock, ok bool) {
	switch {
	case b.button != nil:
		out.Button = &shownPair{e.text(b.button.label), e.text(b.button.value)}
		return out, out.Button.Label != "" && out.Button.Value != ""
	case b.paragraph != nil:
		out.Paragraph = e.text(b.paragraph)
		return out, out.Paragraph != ""
	}
	for _, f := range b.facts {
		if p := (shownPair{e.text(f.label), e.text(f.value)}); p.Value != "" {
			out.Facts = append(out.Facts, p)
		}
	}
	return out, len(out.Facts) > 0
}

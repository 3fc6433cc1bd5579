package page

import (
	"bytes"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// markdown renders CommonMark texts, such as the descriptions of an OpenAPI document. HTML in a
// text is shown as text, links lead only to linkSchemes, and no picture is loaded. It keeps each
// result, because the search of the documentation renders the same texts again: use it only for
// the texts of one document. It is safe for concurrent use.
type markdown struct {
	convert goldmark.Markdown
	done    sync.Map // of string to template.HTML
}

func newMarkdown() *markdown {
	m := &markdown{convert: goldmark.New()}
	m.convert.Renderer().AddOptions(renderer.WithNodeRenderers(util.Prioritized(safeNodes{}, 1)))
	return m
}

// prose returns a text as HTML. A text that cannot be rendered is shown as it is.
func (m *markdown) prose(text string) template.HTML {
	if known, ok := m.done.Load(text); ok {
		return known.(template.HTML)
	}
	var b bytes.Buffer
	if err := m.convert.Convert([]byte(text), &b); err != nil {
		return template.HTML("<p>" + template.HTMLEscapeString(text) + "</p>")
	}
	out := template.HTML(b.String())
	m.done.Store(text, out)
	return out
}

// linkSchemes lists the schemes of links in a text.
var linkSchemes = []string{"http", "https", "mailto"}

// isSafe reports whether a link may lead to the address.
func isSafe(address []byte) bool {
	u, err := url.Parse(string(address))
	return err == nil && slices.Contains(linkSchemes, strings.ToLower(u.Scheme)) && (u.Host != "" || strings.EqualFold(u.Scheme, "mailto"))
}

// safeNodes renders the nodes that could run a script, load a file, lead to another scheme, or
// disturb the headings of the page. The renderer of goldmark has all other nodes.
type safeNodes struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (safeNodes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, heading)
	r.Register(ast.KindLink, link)
	r.Register(ast.KindAutoLink, autoLink)
	r.Register(ast.KindImage, onlyText)
	r.Register(ast.KindRawHTML, rawHTML)
	r.Register(ast.KindHTMLBlock, htmlBlock)
}

// heading renders a heading as a paragraph, because the page has its own order of headings.
func heading(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	tag := "</strong></p>\n"
	if entering {
		tag = "<p><strong>"
	}
	_, err := w.WriteString(tag)
	return ast.WalkContinue, err
}

// link renders a link, or only its text if it may not lead to its address.
func link(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	node := n.(*ast.Link)
	if !isSafe(node.Destination) {
		return ast.WalkContinue, nil
	}
	if !entering {
		_, err := w.WriteString("</a>")
		return ast.WalkContinue, err
	}
	return ast.WalkContinue, openLink(w, node.Destination)
}

// autoLink renders an address in angle brackets.
func autoLink(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	node := n.(*ast.AutoLink)
	address := node.URL(source)
	if node.AutoLinkType == ast.AutoLinkEmail && !bytes.HasPrefix(bytes.ToLower(address), []byte("mailto:")) {
		address = slices.Concat([]byte("mailto:"), address)
	}
	label := util.EscapeHTML(node.Label(source))
	if !isSafe(address) {
		_, err := w.Write(label)
		return ast.WalkContinue, err
	}
	if err := openLink(w, address); err != nil {
		return ast.WalkStop, err
	}
	_, err := w.Write(append(label, "</a>"...))
	return ast.WalkContinue, err
}

// openLink writes the start of a link.
func openLink(w util.BufWriter, address []byte) error {
	_, err := w.WriteString(`<a href="` + string(util.EscapeHTML(util.URLEscape(address, true))) + `" rel="noreferrer">`)
	return err
}

// onlyText renders the alternative text of a picture.
func onlyText(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkContinue, nil
}

// rawHTML shows tags within a line as text.
func rawHTML(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	segments := n.(*ast.RawHTML).Segments
	for i := range segments.Len() {
		part := segments.At(i)
		if _, err := w.Write(util.EscapeHTML(part.Value(source))); err != nil {
			return ast.WalkStop, err
		}
	}
	return ast.WalkSkipChildren, nil
}

// htmlBlock shows lines of HTML as text.
func htmlBlock(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block := n.(*ast.HTMLBlock)
	var text bytes.Buffer
	for i := range block.Lines().Len() {
		line := block.Lines().At(i)
		text.Write(line.Value(source))
	}
	if block.HasClosure() {
		text.Write(block.ClosureLine.Value(source))
	}
	_, err := w.WriteString("<p>" + string(util.EscapeHTML(bytes.TrimSpace(text.Bytes()))) + "</p>\n")
	return ast.WalkContinue, err
}

package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/toksta/toksta/internal/web/view"
)

//go:embed templates
var templateFiles embed.FS

// The pages of each layout.
const (
	framePages = "account plans key_new key_reveal key_already key_show key_edit key_rotate key_revoke key_revoked notices profile security " +
		"switch leave close activity members member member_remove member_removed member_owner invite invited " +
		"app_setup app_remove recovery_codes passkey_new passkey_edit factor_missing"
	openPages  = "docs operator outbox outbox_mail"
	sheetPages = "invitation signin signup second_factor confirm error sent mailform reset verify address signin_link notice vendor departure unsubscribe"
)

// embedPages are the pages in a frame of the vendor's page. The name of the rendered page starts
// with EmbedPrefix. The overview has a template of its own.
const embedPages = "embed_account key_new key_reveal key_already key_show key_edit key_rotate key_revoke key_revoked error notice"

// EmbedPrefix is the prefix of the names of pages in a frame of the vendor's page.
const EmbedPrefix = "embed/"

// Renderer renders pages, each of which it parses when it first renders it: a program, or a test,
// shows few of them. It is safe for concurrent use.
type Renderer struct {
	pages map[string]func() (*template.Template, error)
}

// New parses the parts that all pages share. It takes the addresses of the stylesheet and the script
// from assets. The pages show amounts as money formats them.
func New(assets *Assets, money view.Money) (*Renderer, error) {
	base, err := template.New("base").Funcs(funcs(assets, money)).ParseFS(templateFiles, "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse parts: %w", err)
	}
	r := &Renderer{pages: map[string]func() (*template.Template, error){}}
	for layout, names := range map[string]string{"frame": framePages, "sheet": sheetPages, "open": openPages, "embed": embedPages} {
		for _, file := range strings.Fields(names) {
			name := file
			if layout == "embed" {
				name = EmbedPrefix + strings.TrimPrefix(file, "embed_")
			}
			r.pages[name] = sync.OnceValues(func() (*template.Template, error) {
				page, err := base.Clone()
				if err != nil {
					return nil, err
				}
				return page.ParseFS(templateFiles, path.Join("templates", layout+".html"), path.Join("templates", file+".html"))
			})
		}
	}
	return r, nil
}

// Render writes a page, named after its template file without ".html". The type
// of data is the struct of package view for that page. If Render returns an
// error, it could have written a part of the page.
func (r *Renderer) Render(w io.Writer, page string, data any) error {
	parse := r.pages[page]
	if parse == nil {
		return fmt.Errorf("no page %q", page)
	}
	t, err := parse()
	if err != nil {
		return fmt.Errorf("parse %s: %w", page, err)
	}
	if err := t.ExecuteTemplate(w, "layout", data); err != nil {
		return fmt.Errorf("render %s: %w", page, err)
	}
	return nil
}

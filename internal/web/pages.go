package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config is what the pages are made of. All services are required.
type Config struct {
	Keys     *keys.Service
	Accounts *accounts.Service
	SignIn   *signin.Service
	Usage    *usage.Reader
	Catalog  *toksta.Catalog
	Brand    Brand
	// CSVMark puts a byte-order mark before the file of usage.
	CSVMark bool
	// APIBase is where callers reach the API, for the curl lines.
	APIBase string
	// SecureCookies demands TLS of the session cookie.
	SecureCookies bool
	// ClientAddress finds the client's address behind the proxies that the
	// configuration trusts; nil: it is not known.
	ClientAddress func(*http.Request) netip.Addr
	// Recent is how long after signing in keys may be created, rotated and
	// revoked without the password; 0 asks never.
	Recent time.Duration
	Now    func() time.Time // nil: time.Now
}

// Brand is what the pages show of the vendor. Empty addresses are left out.
type Brand struct {
	Product                         string
	Hue                             int // 190–330, 0: the default
	SupportURL, StatusURL, TermsURL string
	BillingURL, CreditsURL          string
}

// Pages answers every address of the account pages.
type Pages struct {
	Config
	render *page.Renderer
	assets *page.Assets
}

// New reads templates and assets.
func New(c Config) (*Pages, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ClientAddress == nil {
		c.ClientAddress = func(*http.Request) netip.Addr { return netip.Addr{} }
	}
	assets, err := page.LoadAssets(c.Brand.Hue)
	if err != nil {
		return nil, err
	}
	render, err := page.New(assets)
	if err != nil {
		return nil, err
	}
	return &Pages{Config: c, render: render, assets: assets}, nil
}

// Owns reports whether path belongs to the pages; every other path is the
// API's.
func Owns(path string) bool {
	switch path {
	case "/", "/signin", "/signup", "/signout", "/confirm", "/account", "/favicon.ico", "/robots.txt":
		return true
	}
	return strings.HasPrefix(path, "/account/") || strings.HasPrefix(path, page.AssetPrefix)
}

// maxForm bounds the body of a form; the longest one is a few hundred bytes.
const maxForm = 64 << 10

// Handler returns the pages behind their guards: headers, same-origin check
// of every unsafe method, bounded bodies.
func (p *Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+page.AssetPrefix, p.assets)
	mux.Handle("GET /{$}", http.RedirectHandler("/account", http.StatusSeeOther))
	mux.HandleFunc("GET /favicon.ico", p.favicon)
	mux.HandleFunc("GET /robots.txt", robots)

	mux.HandleFunc("GET /signin", p.signInForm)
	mux.HandleFunc("POST /signin", p.signIn)
	mux.HandleFunc("GET /signup", p.signUpForm)
	mux.HandleFunc("POST /signup", p.signUp)
	mux.HandleFunc("POST /signout", p.signOut)
	mux.Handle("GET /confirm", p.member(p.confirmForm))
	mux.Handle("POST /confirm", p.member(p.confirm))

	mux.Handle("GET /account", p.member(p.account))
	mux.Handle("GET /account/usage.csv", p.member(p.usageCSV))
	mux.Handle("GET /account/security", p.member(p.security))
	mux.Handle("POST /account/security/password", p.member(p.changePassword))
	mux.Handle("POST /account/security/sessions/end", p.member(p.endSessions))

	mux.Handle("GET /account/keys/new", p.recent(p.keyForm))
	mux.Handle("POST /account/keys", p.recent(p.createKey))
	mux.Handle("GET /account/keys/{id}", p.member(p.showKey))
	mux.Handle("GET /account/keys/{id}/edit", p.member(p.editForm))
	mux.Handle("POST /account/keys/{id}/edit", p.member(p.edit))
	mux.Handle("GET /account/keys/{id}/rotate", p.recent(p.rotateForm))
	mux.Handle("POST /account/keys/{id}/rotate", p.recent(p.rotate))
	mux.Handle("GET /account/keys/{id}/revoke", p.recent(p.revokeForm))
	mux.Handle("POST /account/keys/{id}/revoke", p.recent(p.revoke))

	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(p.crossOrigin))
	return p.headers(guard.Handler(http.MaxBytesHandler(p.parsed(p.named(mux)), maxForm)))
}

// parsed reads the form before any page does: one that is too long or cut off
// is the sender's error, and no page acts on half of it.
func (p *Pages) parsed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			p.fail(w, r, &toksta.Error{Code: toksta.CodePayloadTooLarge, Message: "The form is longer than any of ours."})
			return
		}
		if !legible(r.URL.Path) {
			p.notFound(w, r)
			return
		}
		if err != nil || !legibleForm(r.Form) {
			p.fail(w, r, &toksta.Error{Code: toksta.CodeBadRequest, Message: "The form could not be read."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// legibleForm reports whether all values are text that every database takes.
func legibleForm(form url.Values) bool {
	for _, values := range form {
		for _, v := range values {
			if !legible(v) {
				return false
			}
		}
	}
	return true
}

func legible(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// named notes which page was asked for in the request's record. An address
// without a page, and a method that the page does not have, respond as pages.
func (p *Pages) named(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse, pattern := mux.Handler(r)
		if pattern == "" {
			p.noPage(w, r, refuse)
			return
		}
		x := exchange.FromContext(r.Context())
		defer func() { x.Operation = r.Pattern }()
		mux.ServeHTTP(w, r)
	})
}

// headers notes the client's address for the log and sets what every page answers with. Nothing of an account is kept by
// a browser's or a proxy's cache, so Back never shows a secret.
func (p *Pages) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.FromContext(r.Context()).Address = p.ClientAddress(r)
		h := w.Header()
		h.Set("Content-Security-Policy", page.Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if p.SecureCookies {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// screen is a page as an answer: its status, 0 for 200, and its template.
type screen struct {
	status int
	page   string
}

// show renders a page or, when that fails, says so: a page is sent whole or
// not at all.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, s screen, data any) {
	var body bytes.Buffer
	if err := p.render.Render(&body, s.page, data); err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(s.status, http.StatusOK))
	_, _ = body.WriteTo(w)
}

// frame is what a signed-in page shows around its content.
func (p *Pages) frame(ctx context.Context, section view.Section) view.Frame {
	who := identity(ctx)
	return view.Frame{
		Brand: p.Brand.Product, AccountName: who.Account.Name, AccountID: string(who.Account.ID),
		UserName: who.Member.Name, Section: section, Links: p.links(), Now: p.Now(),
	}
}

// sheet is what a page without an account shows around its card.
func (p *Pages) sheet() view.Sheet {
	return view.Sheet{Brand: p.Brand.Product, Links: p.links()}
}

// links are the vendor's pages; the templates leave out what is not set.
func (p *Pages) links() view.Links {
	return view.Links{Docs: p.APIBase + "/docs", Status: p.Brand.StatusURL, Support: p.Brand.SupportURL, Terms: p.Brand.TermsURL}
}

// favicon sends browsers that ask by habit to the mark's real address.
func (p *Pages) favicon(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, p.assets.URL("mark.svg"), http.StatusFound)
}

// robots keeps crawlers off pages that they could only see the sign-in of.
func robots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("User-agent: *\nDisallow: /account\n"))
}

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
	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config has the services and settings of the pages. All services are required.
type Config struct {
	Keys     *keys.Service
	Accounts *accounts.Service
	Members  *members.Service
	SignIn   *signin.Service
	Notices  *notices.Service
	Usage    *usage.Reader
	Catalog  *toksta.Catalog
	Brand    Brand
	Currency toksta.Currency // of all amounts
	Plans    PlansPage
	// Consent holds the terms that a person must accept to sign up. The sign-in service
	// has the same terms.
	Consent view.Consent
	// Outbox keeps the mails of the demo, which are shown at /demo/mail; nil outside of the demo.
	Outbox *mail.Outbox
	// CSVMark writes a byte-order mark at the start of the CSV file of usage.
	CSVMark bool
	// PagesURL is the address of the pages, with which links to them start.
	PagesURL string
	// ExampleURL is the address of the call in the curl examples. UsagePath is the path of the usage
	// endpoint, DocsURL the address of the documentation; "" if the endpoint is switched off.
	ExampleURL, UsagePath, DocsURL string
	// SecureCookies restricts the session cookie to TLS.
	SecureCookies bool
	// ClientAddress returns the address of the client behind trusted proxies.
	// Nil: the address is not known.
	ClientAddress func(*http.Request) netip.Addr
	// EmbedOrigins are the origins of the pages that may show the keys in a frame.
	EmbedOrigins []string
	// EmbedScheme is light or dark if the pages in frames always are, "" if they follow the person's
	// system.
	EmbedScheme string
	// VendorURL is the page of the vendor that starts a session of the vendor's back end; "":
	// none.
	VendorURL string
	// Recent is the time after signing in during which keys can be created,
	// rotated and revoked without typing the password again. 0: always.
	Recent time.Duration
	Now    func() time.Time // nil: time.Now
}

// Brand is the vendor's look and addresses. A link without an address is left
// out.
type Brand struct {
	brand.Look
	SupportURL, StatusURL, TermsURL string
	BillingURL, CreditsURL          string
	Links                           []view.Link // further ones in the footer
}

// Pages serves the account pages.
type Pages struct {
	Config
	render *page.Renderer
	money  view.Money
	assets *page.Assets
	table  *routes
	shown  usedNonces
}

// New parses the templates and loads the assets.
func New(c Config) (*Pages, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ClientAddress == nil {
		c.ClientAddress = func(*http.Request) netip.Addr { return netip.Addr{} }
	}
	assets, err := page.LoadAssets(c.Brand.Look)
	if err != nil {
		return nil, err
	}
	money := view.MoneyIn(c.Currency)
	render, err := page.New(assets, money)
	if err != nil {
		return nil, err
	}
	p := &Pages{Config: c, render: render, assets: assets, money: money}
	p.table = p.routes()
	return p, nil
}

// changePasswordPath leads password managers to the page that changes a password (W3C, A Well-Known
// URL for Changing Passwords).
const changePasswordPath = "/.well-known/change-password"

// Owns reports whether path belongs to the pages. All other paths belong to the
// API.
func Owns(path string) bool {
	switch path {
	case "/", "/signin", "/signup", invitationPath, notices.UnsubscribePath, "/signout", "/confirm", "/account", "/favicon.ico", "/robots.txt", changePasswordPath:
		return true
	}
	for _, prefix := range []string{"/account/", "/confirm/", "/signin/", "/signup/", view.EmbeddedHome + "/", page.AssetPrefix} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return path == view.EmbeddedHome
}

// maxForm bounds the body of a form. The longest form has a few hundred bytes.
const maxForm = 64 << 10

// Handler returns the pages behind their guards: response headers, the
// same-origin check of unsafe methods, and bounded bodies.
func (p *Pages) Handler() http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(p.crossOrigin))
	return p.setHeaders(guard.Handler(http.MaxBytesHandler(p.parseForm(p.noteOperation(p.table.mux)), maxForm)))
}

// routes returns the table of all pages.
func (p *Pages) routes() *routes {
	mux := newRoutes()
	mux.Handle("GET "+page.AssetPrefix, p.assets)
	mux.Handle("GET /{$}", http.RedirectHandler("/account", http.StatusSeeOther))
	mux.Handle("GET "+changePasswordPath, http.RedirectHandler("/account/security", http.StatusSeeOther))
	mux.HandleFunc("GET /favicon.ico", p.favicon)
	mux.HandleFunc("GET /robots.txt", robots)

	p.signInRoutes(mux)
	p.providerRoutes(mux)
	p.secondFactorRoutes(mux)
	p.signUpRoutes(mux)
	p.confirmRoutes(mux)
	p.passkeyRoutes(mux)
	p.factorRoutes(mux)
	p.resetRoutes(mux)
	p.signInLinkRoutes(mux)
	mux.Handle("GET /account", p.member(p.account))
	switch {
	case p.Plans.Public:
		mux.Handle("GET "+plansPath, p.optional(p.showPlans))
	case p.Plans.Shown:
		mux.Handle("GET "+plansPath, p.member(p.showPlans))
	}
	mux.Handle("GET /account/usage.csv", p.member(p.usageCSV))
	p.noticeRoutes(mux)
	p.profileRoutes(mux)
	p.securityRoutes(mux)
	p.keyRoutes(mux)
	p.vendorRoutes(mux)
	p.embedRoutes(mux)
	p.memberRoutes(mux)
	p.activityRoutes(mux)
	p.invitationRoutes(mux)
	p.placeRoutes(mux)
	p.outboxRoutes(mux)
	return mux
}

// parseForm parses the form before the page handles the request. A form that is
// too long or truncated is an error of the client, and no page sees a part of
// it.
func (p *Pages) parseForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			p.fail(w, r, &toksta.Error{Code: toksta.CodePayloadTooLarge, Message: "The form is too long."})
			return
		}
		if !isText(r.URL.Path) {
			p.notFound(w, r)
			return
		}
		if err != nil || !isTextForm(r.Form) {
			p.fail(w, r, &toksta.Error{Code: toksta.CodeBadRequest, Message: "The form could not be read."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isTextForm reports whether all values can be stored by every database.
func isTextForm(form url.Values) bool {
	for _, values := range form {
		for _, v := range values {
			if !isText(v) {
				return false
			}
		}
	}
	return true
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// noteOperation notes the operation in the record of the request. It responds with the
// error page if no page has the address, or if the page does not support the method.
func (p *Pages) noteOperation(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mismatch, pattern := mux.Handler(r)
		if pattern == "" {
			p.noPage(w, r, mismatch)
			return
		}
		x := exchange.FromContext(r.Context())
		defer func() { x.Operation = r.Pattern }()
		mux.ServeHTTP(w, r)
	})
}

// setHeaders notes the client's address for the log and sets the fields of every
// response. No cache keeps the data of an account, so Back never shows a
// secret.
func (p *Pages) setHeaders(next http.Handler) http.Handler {
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
		next.ServeHTTP(w, p.frameable(h, r))
	})
}

// screen is the page of a response: its status, 0 for 200, and its template.
type screen struct {
	status int
	page   string
}

// show renders a page completely before it is sent. If rendering fails, it
// responds with the error page.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, s screen, data any) {
	if isEmbedded(r.Context()) {
		s.page = page.EmbedPrefix + s.page
	}
	var body bytes.Buffer
	if err := p.render.Render(&body, s.page, data); err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(s.status, http.StatusOK))
	_, _ = body.WriteTo(w)
}

// frame returns the frame of a signed-in page; section is the current item of its
// navigation.
func (p *Pages) frame(ctx context.Context, section view.Section) view.Frame {
	who := identity(ctx)
	_, unsent := ctx.Value(draftKey{}).(signin.Draft)
	return view.Frame{
		Brand: p.Brand.Product, AccountName: who.Account.Name, AccountID: string(who.Account.ID),
		UserName: who.Member.Name, Role: string(who.Role), Can: rights(who), Section: section, Links: p.links(), Now: p.Now(),
		ReadOnly: !who.Account.ClosedAt.IsZero(), Embedded: isEmbedded(ctx), Scheme: p.EmbedScheme, Bound: who.Session.Bound, Unsent: unsent, Unread: p.unread(ctx),
	}
}

// sheet returns the frame of a page that needs no account, such as the sign-in page.
func (p *Pages) sheet() view.Sheet {
	return view.Sheet{Brand: p.Brand.Product, Links: p.links(), Scheme: p.EmbedScheme}
}

// links returns the vendor's addresses. The templates leave out empty ones.
func (p *Pages) links() view.Links {
	return view.Links{Docs: p.DocsURL, Status: p.Brand.StatusURL, Support: p.Brand.SupportURL, Terms: p.Brand.TermsURL, More: p.Brand.Links}
}

// favicon redirects browsers that request the default address of the icon.
func (p *Pages) favicon(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, p.assets.Icon(), http.StatusFound)
}

// robots keeps crawlers away from pages that redirect to the sign-in page.
func robots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("User-agent: *\nDisallow: /account\n"))
}

package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/sdk/toksta"
)

// draftParam marks the address of a page that shows the fields of a draft.
const draftParam = "draft"

type draftKey struct{}

// restored returns the fields of the form whose route has the pattern, if the page shows the form
// again because the person had to sign in or confirm after sending it.
func restored(r *http.Request, pattern string) (url.Values, bool) {
	d, ok := r.Context().Value(draftKey{}).(signin.Draft)
	if !ok || d.Form != pattern {
		return nil, false
	}
	return d.Fields, true
}

// returnPath returns the address to which a person returns after signing in or confirming: the
// requested page or, after a POST, the page that its form declares. It keeps the fields of the form
// in a draft, so that they are in no address and no log.
func (p *Pages) returnPath(r *http.Request) (string, error) {
	form := formOf(r)
	switch {
	case form.step:
		return safeNext(r.FormValue("next")), nil
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return r.URL.RequestURI(), nil
	}
	d := signin.Draft{Page: form.page, Path: form.path(r), Form: r.Pattern, Fields: map[string][]string{}}
	for _, field := range form.keeps {
		if values := r.PostForm[field]; len(values) > 0 {
			d.Fields[field] = values
		}
	}
	saved, err := p.SignIn.SaveDraft(r.Context(), p.origin(r), p.cookie(r), d)
	page := url.URL{Path: d.Path}
	if saved {
		page.RawQuery = url.Values{draftParam: {"1"}}.Encode()
	}
	return page.String(), err
}

// restore returns the context of a page with the draft that its address names. If the person sent
// the form in another account, the session shows that account again.
func (p *Pages) restore(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if r.Method != http.MethodGet || r.URL.Query().Get(draftParam) == "" {
		return ctx, nil
	}
	_, page, _ := strings.Cut(r.Pattern, " ")
	who := identity(ctx)
	d, account, found, err := p.SignIn.Draft(ctx, p.origin(r), who, page)
	if err != nil || !found || d.Path != r.URL.Path {
		return ctx, err
	}
	if account != "" && account != who.Account.ID {
		known := &toksta.Error{}
		switch who, err = p.SignIn.Switch(ctx, who, account); {
		case errors.As(err, &known): // the person is no longer a member of it
			return ctx, nil
		case err != nil:
			return ctx, err
		}
		ctx = context.WithValue(ctx, identityKey{}, who)
	}
	return context.WithValue(ctx, draftKey{}, d), nil
}

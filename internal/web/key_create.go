package web

import (
	"cmp"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyForm serves the form that creates a key. Each form has a token of its own,
// so that sending one form twice creates one key. If a person had to sign in
// after sending the form, it is shown again with its fields and its token.
func (p *Pages) keyForm(w http.ResponseWriter, r *http.Request) {
	fields, _ := restored(r, "POST /account/keys")
	form := readKeyForm(fields)
	if len(form.Token) != len(rand.Text()) {
		form.Token = rand.Text()
	}
	p.showKeyForm(w, r, form)
}

// readKeyForm returns the fields of the form as they were typed.
func readKeyForm(fields url.Values) view.KeyNew {
	form := view.KeyNew{
		Token: fields.Get("token"), Name: fields.Get("name"), OnlyThese: fields.Get("scope") == "only",
		Expires: fields.Get("expires"), Day: fields.Get("day"), IPs: fields.Get("ips"),
	}
	for _, name := range fields["family"] {
		form.Families = append(form.Families, view.Family{Name: name})
	}
	return form
}

// showKeyForm shows the form. It adds the families in the order of the catalog,
// and the sentence for an account that cannot create a key.
func (p *Pages) showKeyForm(w http.ResponseWriter, r *http.Request, form view.KeyNew) {
	standing := p.standing(r)
	live, err := p.Keys.Live(r.Context(), standing.Account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	chosen := make(map[string]bool)
	for _, f := range form.Families {
		chosen[f.Name] = true
	}
	form.Families = nil
	for _, f := range p.Catalog.Families {
		choice := view.Family{Name: string(f.Name), Description: f.Description, Checked: chosen[string(f.Name)]}
		if !slices.Contains(standing.Families, f.Name) {
			choice.Missing = "Not in " + standing.Plan.Name + "."
		}
		form.Families = append(form.Families, choice)
	}
	form.Frame = p.frame(r.Context(), view.SectionKeys)
	form.Blocked = cmp.Or(p.unverified(r.Context()), p.blocked(standing, live))
	p.show(w, r, screen{formStatus(w, form.Errors), "key_new"}, form)
}

// createKey creates the key and redirects to the page that shows its secret once. The
// token of the form makes a reload or a double click create one key.
func (p *Pages) createKey(w http.ResponseWriter, r *http.Request) {
	form := readKeyForm(r.PostForm)
	req, problems := p.createRequest(r, form)
	if len(problems) > 0 {
		form.Errors = problems
		p.showKeyForm(w, r, form)
		return
	}
	created, err := p.Keys.Create(r.Context(), p.actor(r), req)
	switch known, _ := errors.AsType[*toksta.Error](err); {
	case err == nil:
		p.reveal(w, r, created)
	case known != nil && known.Reason == toksta.ReasonRepeated:
		p.alreadyDone(w, r, known)
	default:
		if problems, ok := p.formErrors(w, r, err); ok {
			form.Errors = renameFields(problems, map[string]string{"scopes": "scope", "networks": "ips", "expires_at": "expires"})
			p.showKeyForm(w, r, form)
		}
	}
}

// createRequest converts the form to a request. It returns errors by field.
func (p *Pages) createRequest(r *http.Request, form view.KeyNew) (keys.CreateRequest, view.Errors) {
	problems := view.Errors{}
	req := keys.CreateRequest{Account: identity(r.Context()).Account.ID, Name: form.Name, Token: form.Token}
	// The service checks the name too, but only after the other fields are valid.
	_, err := text.Name("name", form.Name)
	if e, invalid := errors.AsType[*toksta.Error](err); invalid {
		maps.Copy(problems, e.Fields())
	}
	if len(form.Token) != len(rand.Text()) {
		problems[""] = "The form was incomplete. Nothing was created: send it again."
	}
	switch r.PostFormValue("scope") {
	case "all":
	case "only":
		for _, f := range form.Families {
			req.Scopes = append(req.Scopes, toksta.Family(f.Name))
		}
		if len(req.Scopes) == 0 {
			problems["scope"] = "Choose at least one family, or all endpoints of the plan."
		}
	default:
		problems["scope"] = "Choose all endpoints of the plan, or only some families."
	}
	req.ExpiresAt = p.expiry(form, problems)
	var bad string
	if req.Networks, bad = networks(form.IPs); bad != "" {
		problems["ips"] = bad + " is not a network. Use an address or a prefix such as 203.0.113.0/24, separated by commas."
	}
	return req, problems
}

// expiry returns the time at which the key expires, nil for never. It adds
// errors to problems.
func (p *Pages) expiry(form view.KeyNew, problems view.Errors) *time.Time {
	if form.Expires == "day" {
		day, err := time.Parse(time.DateOnly, form.Day)
		if err != nil {
			problems["day"] = "Choose the last day on which the key works."
		}
		return new(toksta.EndOfDay(day))
	}
	if form.Day != "" {
		problems["expires"] = "Choose “At the end of a day”, or empty the last day."
	}
	if form.Expires == "" || form.Expires == "never" {
		return nil
	}
	days, err := strconv.Atoi(form.Expires)
	if err != nil || days < 1 || days > 3650 {
		problems["expires"] = "Choose when the key expires."
	}
	return new(p.Now().AddDate(0, 0, days))
}

// networks parses addresses and prefixes that are separated by commas or white
// space. bad is the first word that is neither.
func networks(list string) (out []netip.Prefix, bad string) {
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(word)
		if err != nil {
			return nil, word
		}
		out = append(out, n)
	}
	return out, ""
}

// keyText returns the visible part of a secret.
func (p *Pages) keyText(g toksta.Generation) view.KeyText {
	return view.KeyText{Prefix: p.Catalog.Shape.Prefix, First: g.Start, Last: g.End}
}

// familyNames converts families to strings, for templates. The result is never
// nil.
func familyNames(families []toksta.Family) []string {
	out := make([]string, len(families))
	for i, f := range families {
		out[i] = string(f)
	}
	return out
}

// standing computes the rights of the signed-in account, which the guard member
// has read from the store.
func (p *Pages) standing(r *http.Request) *toksta.Standing {
	return p.Catalog.Standing(identity(r.Context()).Account)
}

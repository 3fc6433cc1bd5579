package web

import (
	"net/http"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// The list shows the foldAfter newest live keys, and a search the mostFound newest keys,
// until the person asks for all. It has a search field if it has at least searchFrom keys.
const (
	foldAfter  = 25
	mostFound  = 100
	searchFrom = 6
)

// matches reports whether a key contains every word of a search in its name, its id, its
// families, the name of its creator or the visible part of its secret. Case does not count.
func (p *Pages) matches(k toksta.Key, query string) bool {
	current := k.Current()
	fields := []string{
		k.Name, string(k.ID), creator(k), strings.Join(familyNames(k.Limits.Scopes), " "),
		p.Catalog.Shape.Prefix + current.Start + "…" + current.End, current.Start + "..." + current.End,
	}
	text := fold(strings.Join(fields, "\n"))
	for _, word := range strings.Fields(fold(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// fold returns the form in which texts are compared.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// withoutSecret redirects a search for a whole secret to the search for its visible part, so
// that no address contains a secret. It reports whether it did.
func (p *Pages) withoutSecret(w http.ResponseWriter, r *http.Request, s view.State) bool {
	const visible = 4
	prefix := p.Catalog.Shape.Prefix
	secret := strings.TrimSpace(s.Query)
	if prefix == "" || !strings.HasPrefix(secret, prefix) || len(secret) <= len(prefix)+2*visible+len("…") {
		return false
	}
	random := secret[len(prefix):]
	s.Query = prefix + random[:visible] + "…" + random[len(random)-visible:]
	http.Redirect(w, r, s.With("", "api-keys"), http.StatusSeeOther)
	return true
}

// endedNoun returns the noun for the folded keys.
func endedNoun(revoked, expired int) string {
	switch {
	case expired == 0:
		return "revoked key"
	case revoked == 0:
		return "expired key"
	default:
		return "revoked or expired key"
	}
}

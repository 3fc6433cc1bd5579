package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// A form that makes a secret redirects to the page that shows it, so that Back and reload
// request a page and never send the form again. The secret is in a cookie between the two
// responses, encrypted with a key that is derived from the session cookie. The page deletes
// the cookie. No node and no database stores the secret, and every node can show it.

// revealTime is the time within which the page must be requested.
const revealTime = time.Minute

// sealed is the content of the cookie.
type sealed struct {
	Secret  string        `json:"secret"`
	Nodes   int           `json:"nodes"` // that admit the secret
	Took    time.Duration `json:"took"`  // until they did
	Expires time.Time     `json:"expires"`
}

// usedNonces remembers the cookies that this process has shown, until they expire.
type usedNonces struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

// take reports whether nonce is used for the first time.
func (u *usedNonces) take(nonce string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for n, end := range u.ends {
		if now.After(end) {
			delete(u.ends, n)
		}
	}
	_, used := u.ends[nonce]
	if u.ends == nil {
		u.ends = map[string]time.Time{}
	}
	u.ends[nonce] = now.Add(revealTime)
	return !used
}

// secretPath returns the address of the page that shows the secret of a key once.
func secretPath(r *http.Request, id toksta.KeyID) string { return keyPath(r, id) + "/secret" }

// reveal seals a new secret and redirects to the page that shows it. It is one of the two
// places that read the plaintext.
func (p *Pages) reveal(w http.ResponseWriter, r *http.Request, c keys.Created) {
	path := secretPath(r, c.Key.ID)
	aead, err := p.sealer(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	plain, err := json.Marshal(sealed{
		Secret: c.Secret.Reveal(), Nodes: len(c.Receipt.Confirmed), Took: c.Receipt.Took, Expires: p.Now().Add(revealTime),
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	p.setRevealCookie(w, r, base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, []byte(path))), path)
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// showSecret shows the secret that the request's cookie contains, and deletes the cookie. A
// request without a valid cookie, for example after Back, gets the page that the secret was
// shown once.
func (p *Pages) showSecret(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	content, ok := p.unseal(r)
	p.setRevealCookie(w, r, "", secretPath(r, key.ID))
	if !ok {
		p.show(w, r, screen{page: "key_already"}, view.KeyAlready{
			Frame: p.frame(r.Context(), view.SectionKeys), ID: string(key.ID), Name: label(key), Text: p.keyText(key.Current()),
			Created: key.Current().CreatedAt, Rotated: len(key.Generations) > 1, Again: r.FormValue("again") != "",
			Ended: key.State(p.Now()) != toksta.KeyLive,
		})
		return
	}
	// The length of a compressed page would depend on the secret.
	w.Header().Set(gzhttp.HeaderNoCompression, "1")
	p.show(w, r, screen{page: "key_reveal"}, view.KeyReveal{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(key.ID), Name: label(key),
		Secret: content.Secret, Families: familyNames(key.Limits.Scopes), Expires: key.ExpiresAt,
		Nodes: content.Nodes, Took: content.Took, Rotated: len(key.Generations) > 1, ExampleURL: p.ExampleURL,
	})
}

// unseal returns the content of the request's cookie. ok is false if there is no cookie, or
// if it belongs to another key or session, has expired or was shown by this process.
func (p *Pages) unseal(r *http.Request) (content sealed, ok bool) {
	c, err := r.Cookie(p.revealCookie(r))
	if err != nil {
		return sealed{}, false
	}
	box, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return sealed{}, false
	}
	aead, err := p.sealer(r)
	if err != nil || len(box) < aead.NonceSize() {
		return sealed{}, false
	}
	nonce, text := box[:aead.NonceSize()], box[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, text, []byte(r.URL.Path))
	if err != nil || json.Unmarshal(plain, &content) != nil {
		return sealed{}, false
	}
	now := p.Now()
	return content, now.Before(content.Expires) && p.shown.take(string(nonce), now)
}

// sealer returns the cipher of the request's session.
func (p *Pages) sealer(r *http.Request) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(p.cookie(r).Reveal()), nil, "toksta secret cookie", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// revealCookie returns the name of the cookie, beside that of the session. With TLS it has the
// prefix for which browsers require the attribute Secure.
func (p *Pages) revealCookie(r *http.Request) string {
	return strings.Replace(p.sessionCookie(r), "__Host-", "__Secure-", 1) + "-secret"
}

// setRevealCookie sets the cookie, which only the page at path receives. An empty value
// deletes the cookie.
func (p *Pages) setRevealCookie(w http.ResponseWriter, r *http.Request, value, path string) {
	c := &http.Cookie{
		Name: p.revealCookie(r), Value: value, Path: path, HttpOnly: true, Secure: p.SecureCookies, SameSite: http.SameSiteStrictMode,
	}
	if isEmbedded(r.Context()) {
		c = frameCookie(c.Name, path, value)
	}
	c.MaxAge = int(revealTime / time.Second)
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// alreadyDone responds to a create or rotate form that was processed before: it redirects to
// the page of the secret. If the first response was lost on its way, the browser has the
// cookie, and the page shows the secret.
func (p *Pages) alreadyDone(w http.ResponseWriter, r *http.Request, repeated *toksta.Error) {
	id, _ := repeated.Details["key_id"].(string)
	http.Redirect(w, r, secretPath(r, toksta.KeyID(id))+"?again=1", http.StatusSeeOther)
}

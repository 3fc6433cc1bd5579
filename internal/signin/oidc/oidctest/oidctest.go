// Package oidctest runs a small OpenID Connect provider for tests. Unlike a certified provider, it
// misbehaves on demand: it sends wrong tokens, large documents and other answers that the client must
// reject.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The registration of the client.
const (
	ClientID     = "toksta"
	ClientSecret = "the client's secret"
)

// Provider is a provider with one person, who is always signed in. Its fields can be changed between
// requests.
type Provider struct {
	*httptest.Server
	Now func() time.Time
	// Claims are the claims about the person in the ID token, UserInfo those of the endpoint.
	Claims, UserInfo map[string]any
	// Spoil changes the next tokens before they are signed.
	Spoil func(*Token)
	// Document changes the discovery document.
	Document func(map[string]any)
	// Respond, if not nil, responds to a request instead of the provider. It returns false to let
	// the provider respond.
	Respond func(http.ResponseWriter, *http.Request) bool

	// KeyRequests counts the requests for keys, Documents those for the discovery document.
	KeyRequests, Documents atomic.Int64

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	kid   int
	codes map[string]url.Values // the authorization request, by code
}

// Token is a token before it is signed.
type Token struct {
	Header, Claims map[string]any
	// Secret, if not nil, signs by HMAC-SHA256 instead of the provider's key.
	Secret []byte
}

// Start starts a provider that ends with the test.
func Start(tb testing.TB) *Provider {
	tb.Helper()
	p := &Provider{Now: time.Now, Claims: map[string]any{}, UserInfo: map[string]any{}, codes: map[string]url.Values{}}
	p.Rotate()
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	tb.Cleanup(p.Close)
	return p
}

// Rotate replaces the key of the provider.
func (p *Provider) Rotate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no random numbers
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.kid = key, p.kid+1
}

// PublicKey returns the encoded public key, as an attacker knows it.
func (p *Provider) PublicKey() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	raw, err := p.key.PublicKey.Bytes()
	if err != nil {
		panic(err) // not a point of the curve
	}
	return raw
}

// SignIn acts as the person's browser at the provider: it returns the address to which the provider
// sends the browser back.
func (p *Provider) SignIn(authURL string) string {
	u, err := url.Parse(authURL)
	if err != nil {
		return ""
	}
	return p.authorize(u.Query())
}

func (p *Provider) authorize(request url.Values) string {
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = request
	p.mu.Unlock()
	back, err := url.Parse(request.Get("redirect_uri"))
	if err != nil {
		return ""
	}
	back.RawQuery = url.Values{"code": {code}, "state": {request.Get("state")}, "iss": {p.URL}}.Encode()
	return back.String()
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	if p.Respond != nil && p.Respond(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.Documents.Add(1)
		p.discovery(w)
	case "/keys":
		p.KeyRequests.Add(1)
		p.keys(w)
	case "/authorize":
		http.Redirect(w, r, p.authorize(r.URL.Query()), http.StatusFound)
	case "/token":
		p.token(w, r)
	case "/userinfo":
		info := map[string]any{"sub": p.Claims["sub"]}
		maps.Copy(info, p.UserInfo)
		writeJSON(w, http.StatusOK, info)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) discovery(w http.ResponseWriter) {
	document := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo", "end_session_endpoint": p.URL + "/end",
		// A client must not believe that HS256 and none are possible.
		"id_token_signing_alg_values_supported":          []string{"ES256", "HS256", "none"},
		"authorization_response_iss_parameter_supported": true,
	}
	if p.Document != nil {
		p.Document(document)
	}
	writeJSON(w, http.StatusOK, document)
}

func (p *Provider) keys(w http.ResponseWriter) {
	point := p.PublicKey() // 4, x, y
	p.mu.Lock()
	defer p.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "kid": strconv.Itoa(p.kid), "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
}

// token exchanges a code once, for the client with the secret and the browser with the verifier.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	code := r.PostFormValue("code")
	p.mu.Lock()
	request, found := p.codes[code]
	delete(p.codes, code)
	p.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	wanted, _ := url.QueryUnescape(secret)
	switch {
	case id != ClientID || wanted != ClientSecret:
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
	case !found || request.Get("redirect_uri") != r.PostFormValue("redirect_uri") || request.Get("code_challenge") != encode(challenge[:]):
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "the code " + code})
	default:
		claims := p.claims(map[string]any{"nonce": request.Get("nonce")})
		maps.Copy(claims, p.Claims)
		writeJSON(w, http.StatusOK, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": p.Sign(claims)})
	}
}

// claims returns the claims that every token has, and more.
func (p *Provider) claims(more map[string]any) map[string]any {
	now := p.Now()
	out := map[string]any{"iss": p.URL, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(out, more)
	return out
}

// LogoutToken returns a logout token with further claims.
func (p *Provider) LogoutToken(more map[string]any) string {
	claims := p.claims(map[string]any{
		"jti": rand.Text(), "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	maps.Copy(claims, more)
	return p.Sign(claims)
}

// Sign returns a token with the claims.
func (p *Provider) Sign(claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &Token{Header: map[string]any{"alg": "ES256", "kid": strconv.Itoa(p.kid)}, Claims: claims}
	if p.Spoil != nil {
		p.Spoil(t)
	}
	text := encodeJSON(t.Header) + "." + encodeJSON(t.Claims)
	if t.Secret != nil {
		mac := hmac.New(sha256.New, t.Secret)
		mac.Write([]byte(text))
		return text + "." + encode(mac.Sum(nil))
	}
	if t.Header["alg"] == "none" {
		return text + "."
	}
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		panic(err) // the system has no random numbers
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // a test built a value that is not JSON
	}
	return encode(raw)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

package forwardauth

import (
	"net/http"
	"net/netip"
	"strconv"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config configures a handler.
type Config struct {
	Chain *admit.Chain // its Proxies are not used
	// Proxies are the peers that may ask, and Trusted further proxies in front of them,
	// whose addresses are not those of clients.
	Proxies, Trusted admit.Proxies
	// HeaderPrefix is the prefix of the vendor's fields, such as "X-Acme"; "": httpauth.DefaultPrefix.
	HeaderPrefix string
	RateFields   bool // responses have RateLimit and RateLimit-Policy beside X-RateLimit-*
	// LoggedPath returns the form of a decoded path for the record of the request.
	LoggedPath func(path string) string
}

// handler responds to the questions of proxies.
type handler struct {
	chain            admit.Chain // with the client's address instead of a peer
	proxies, trusted admit.Proxies
	prefix           admit.OwnPrefix
	rateFields       bool
	loggedPath       func(string) string
}

// New returns the handler of the listener for proxies. It is safe for concurrent use. Its
// requests need an exchange in their context.
func New(c Config) http.Handler {
	chain := *c.Chain
	chain.Proxies = nil // the client's address is read here, see address
	return &handler{
		chain:   chain,
		proxies: c.Proxies, trusted: append(append(admit.Proxies(nil), c.Proxies...), c.Trusted...),
		prefix: admit.NewOwnPrefix(c.HeaderPrefix), rateFields: c.RateFields, loggedPath: c.LoggedPath,
	}
}

// ServeHTTP responds 200 to an admitted call, with the fields for the back end and the
// client, or with the rejection. An admitted call is charged before the response: this
// listener never sees the response of the back end.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.FromContext(r.Context())
	x.Structured, x.Address = h.rateFields, admit.Peer(r.RemoteAddr)
	if !h.proxies.Trust(x.Address) {
		h.reject(w, x, &form{}, &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonProxyNotConfigured, Message: "This address is for the proxies in forward_auth.proxies only."})
		return
	}
	f, rest, ok := formOf(r.RequestURI)
	if !ok {
		h.reject(w, x, &f, &toksta.Error{Code: toksta.CodeNotFound, Message: "Ask at /original, /forwarded, /nginx or /envoy, as the documentation of your proxy's integration shows."})
		return
	}
	if err := h.admit(r, x, &f, rest); err != nil {
		h.reject(w, x, &f, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if x.Admitted() {
		x.FieldNames().SetIdentity(w.Header(), &x.Principal)
	}
	x.SetIDs(w.Header(), x.Traceparent)
	w.WriteHeader(http.StatusOK)
}

// admit reads the client's request from the question r and decides on it. rest is the target in
// the path of the question.
func (h *handler) admit(r *http.Request, x *exchange.Exchange, f *form, rest string) error {
	s, err := f.read(r.Header, stated{r.Method, rest})
	if err != nil {
		return err
	}
	x.Method, x.Path = s.method, h.loggedPath(s.path())
	// Most proxies replace only the identity fields that this listener returns, and only in one
	// spelling. Therefore a request with another one must not reach a back end.
	if err := f.checkOthers(r.Header, s, h.prefix); err != nil {
		return err
	}
	client, err := h.address(x.Address, r.Header["X-Forwarded-For"])
	if err != nil {
		return err
	}
	_, err = h.chain.Admit(r.Context(), x, &admit.Request{
		Method: s.method, Target: s.target, Authorization: r.Header["Authorization"], Agent: r.UserAgent(),
		Client: admit.Client{Peer: client},
	})
	return err
}

// address returns the address of the client, from the elements of X-Forwarded-For that the proxies
// appended. If all of them belong to proxies, or if there is none, the client is unknown and the result
// invalid, so that a key that is limited to networks is rejected. Other fields with an address are
// ignored: proxies pass them on as the client sent them.
func (h *handler) address(peer netip.Addr, forwardedFor []string) (netip.Addr, error) {
	addr, err := h.trusted.Address(admit.Client{Peer: peer, ForwardedFor: forwardedFor})
	if err != nil || h.trusted.Trust(addr) {
		return netip.Addr{}, err
	}
	return addr, nil
}

// The fields with the response for the client, for nginx. Its auth_request accepts only 401 and 403
// as rejections, and discards their bodies.
const (
	fieldStatus = "X-Reject-Status"
	fieldBody   = "X-Reject-Body"
)

// maxBody bounds the body of a rejection in a field, in bytes. nginx reads the header of a response
// into one buffer of 4 KiB by default.
const maxBody = 2 << 10

// reject responds with err and records it. For nginx, the response is a 403 with the status and
// the body of the real one in fields.
func (h *handler) reject(w http.ResponseWriter, x *exchange.Exchange, f *form, err error) {
	x.Fail(err)
	if !f.nginx {
		httpauth.WriteError(w, &x.Meta, err)
		return
	}
	reply := httpauth.ErrorReply(&x.Meta, err)
	if len(reply.Body) > maxBody {
		reply = httpauth.ErrorReply(&x.Meta, brief(err))
	}
	header := w.Header()
	for name, values := range reply.Header {
		header[name] = values
	}
	header.Set(fieldStatus, strconv.Itoa(reply.Status))
	header.Set(fieldBody, string(reply.Body))
	w.WriteHeader(http.StatusForbidden)
	x.Status = reply.Status // which the client receives
}

// brief returns err without its details, which have no fixed size.
func brief(err error) error {
	e, ok := err.(*toksta.Error)
	if !ok {
		return err
	}
	return &toksta.Error{Code: e.Code, Reason: e.Reason, Message: e.Message}
}

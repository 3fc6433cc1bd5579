package setup

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Upstream is the name of the only back end in a new configuration.
const Upstream = "backend"

// Answers describe the API of a vendor, for a new configuration.
type Answers struct {
	Product   string  // the name that customers know
	PublicURL string  // address of the API for callers
	Backend   string  // URL of the back end
	Prefix    string  // of the keys, such as wx_live_
	Data      string  // data directory
	Mapping   Mapping // routes; without any, one route forwards every call
}

// New returns the text of a configuration file with two plans, which list every
// family.
func New(a Answers) string {
	m := a.Mapping
	about := "# Operations. A call that matches no route gets 404. Add credits: 1 to a route to give its calls a price.\n"
	if len(m.Routes) == 0 {
		m.Families = []Family{{DefaultFamily, "All operations"}}
		m.Routes = []Route{{Method: "*", Path: "/*", Operation: "call", Family: DefaultFamily, Upstream: Upstream}}
		about = "# One route for every call. List the operations of your API instead, by hand or with\n" +
			"# \"toksta routes import FILE\", to give each its own name, family, price and limits.\n"
	}
	var names []string
	var b strings.Builder
	fmt.Fprintf(&b, heading, quoteYAML(a.Product))
	fmt.Fprintf(&b, "data: %-26s # directory of all files of this server\n", quoteYAML(a.Data))
	fmt.Fprintf(&b, "public_url: %-20s # address of the API for callers, and of the account pages\n", quoteYAML(a.PublicURL))
	fmt.Fprintf(&b, "listen:\n  public: %s # an https proxy forwards to this address\n", quoteYAML(listenAddress(a.PublicURL)))
	fmt.Fprintf(&b, "branding: {product: %s, header_prefix: %s} # of %s-Account-Id for your back end\n", quoteYAML(a.Product), headerPrefix(a.Product), headerPrefix(a.Product))
	fmt.Fprintf(&b, "endpoints: {%s} # our own; more are in the default\n", ownEndpoints(m.Routes))
	fmt.Fprintf(&b, "keys: {prefix: %s} # people and leak scanners recognise a key by it\n", quoteYAML(a.Prefix))
	b.WriteString("signup: {policy: open, plan: FREE} # invited: only people with an invitation create accounts\n\n")
	b.WriteString("# Groups of routes. Plans list families, and a key can be limited to some.\nfamilies:\n")
	for _, f := range m.Families {
		b.WriteString("  " + f.line() + "\n")
		names = append(names, f.Name)
	}
	fmt.Fprintf(&b, plans, strings.Join(names, ", "), strings.Join(names, ", "))
	fmt.Fprintf(&b, "upstreams:\n  %s: {url: %s} # your back end\n\n", Upstream, quoteYAML(a.Backend))
	b.WriteString(about + "routes:\n")
	for _, r := range m.Routes {
		b.WriteString("  " + r.entry() + "\n")
	}
	return b.String()
}

// heading starts a new file.
const heading = `# Configuration of %s. It contains only settings that differ from the default:
# "toksta config default" prints every setting with its comment, and
# "toksta config check" lists problems. Restart the server after a change.

`

// plans are the plans of a new file: a free one for everyone, and a paid one.
const plans = `
# Plans. fee is per month and only displayed. included_credits, overage and
# credit_price are for routes with a price.
plans:
  - id: FREE
    name: Free
    families: [%s]
    per_minute: 10
    per_day: 1000
  - id: PRO
    name: Pro
    families: [%s]
    fee: 29
    per_minute: 120

`

// listenAddress returns the address on which a new server listens: on this
// machine, at the port of a public URL of this machine.
func listenAddress(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil || u.Port() == "" {
		return "127.0.0.1:8080"
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() == "localhost" || err == nil && addr.IsLoopback() {
		host := "127.0.0.1"
		if err == nil {
			host = addr.String()
		}
		return net.JoinHostPort(host, u.Port())
	}
	return "127.0.0.1:8080"
}

// Prefix returns the prefix of keys for a product's name or a short prefix:
// weather_live_ for "Weather API", and wx_live_ for "wx".
func Prefix(name string) string {
	if strings.HasSuffix(name, "_") {
		return name
	}
	word := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !isLetter(r) && !isDigit(r) })
	for _, w := range word {
		if w = strings.TrimLeft(w, "0123456789"); len(w) > 1 {
			return w[:min(len(w), 20)] + "_live_"
		}
	}
	return "key_live_"
}

// FirstCall returns the method and the path of a call to try first: the GET with
// the fewest parameters that needs a key.
func FirstCall(routes []Route) (method, path string) {
	method, path = "GET", "/"
	best := -1
	for _, r := range routes {
		if parameters := strings.Count(r.Path, "{"); r.Method == "GET" && !r.Public && r.sample != "" && (best < 0 || parameters < best) {
			best, path = parameters, r.sample
		}
	}
	if best < 0 {
		if i := slices.IndexFunc(routes, func(r Route) bool { return !r.Public && r.sample != "" }); i >= 0 {
			return routes[i].Method, routes[i].sample
		}
	}
	return method, path
}

// WithoutBase removes the path of the back end's URL if every route starts with
// it, because calls are forwarded with their whole path. It reports whether it did.
func WithoutBase(backend string, routes []Route) (string, bool) {
	base := serverPath(backend)
	if base == "" || slices.ContainsFunc(routes, func(r Route) bool { return !strings.HasPrefix(r.Path, base+"/") }) {
		return backend, false
	}
	return strings.TrimSuffix(strings.TrimRight(backend, "/"), base), true
}

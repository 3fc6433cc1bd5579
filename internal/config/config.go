package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta"
)

// Config is the effective configuration. Load and Default return it complete:
// paths that depend on the data directory are filled in.
type Config struct {
	Environment    string                          `yaml:"environment"` // for people, shown by /ready
	Data           string                          `yaml:"data"`        // directory of everything the node keeps on disk
	PublicURL      string                          `yaml:"public_url"`  // where callers reach the API
	PagesURL       string                          `yaml:"pages_url"`   // where people reach the account pages; default public_url
	Listen         Listen                          `yaml:"listen"`
	Store          Store                           `yaml:"store"`
	Node           Node                            `yaml:"node"`
	Logs           Logs                            `yaml:"logs"`
	Meter          Meter                           `yaml:"meter"`
	Usage          Usage                           `yaml:"usage"`
	Gateway        Gateway                         `yaml:"gateway"`
	TrustedProxies []netip.Prefix                  `yaml:"trusted_proxies"` // peers whose X-Forwarded-* count; empty: nobody
	Signup         Signup                          `yaml:"signup"`
	Sessions       Sessions                        `yaml:"sessions"`
	Branding       Branding                        `yaml:"branding"`
	Mail           Mail                            `yaml:"mail"`
	Export         Export                          `yaml:"export"`
	Events         Events                          `yaml:"events"`
	Webhooks       map[string]Webhook              `yaml:"webhooks"` // by the name that the operator knows
	Keys           Keys                            `yaml:"keys"`
	RateLimit      RateLimit                       `yaml:"rate_limit"`
	Statuses       map[toksta.Status]toksta.Reason `yaml:"statuses"`  // "admit" or the reason of the refusal
	Families       []Family                        `yaml:"families"`  // what routes, plans and scopes refer to
	Plans          []Plan                          `yaml:"plans"`     // the vendor's offer
	Upstreams      map[string]Upstream             `yaml:"upstreams"` // by the name that routes use
	Routes         []Route                         `yaml:"routes"`    // what is not here is answered 404
}

// Listen is where the node accepts connections.
type Listen struct {
	Public    string `yaml:"public"`     // host:port of the API and, unless set apart, the account pages
	Pages     string `yaml:"pages"`      // host:port of the account pages alone; "": with the API
	PagesHost string `yaml:"pages_host"` // host name of the account pages on the public listener; "": any
	Private   string `yaml:"private"`    // Unix socket of the operator API; default <data>/toksta.sock
	TLS       TLS    `yaml:"tls"`
	// ProxyProtocol are the peers of the public and pages listeners whose
	// connections start with a PROXY header.
	ProxyProtocol []netip.Prefix `yaml:"proxy_protocol"`
}

// TLS names PEM files, read again when they change. Both or neither are set.
type TLS struct {
	Cert string `yaml:"cert"` // the chain, leaf first
	Key  string `yaml:"key"`  // of the leaf, readable for this process alone
}

// Store is the database.
type Store struct {
	URL     string `yaml:"url"`      // sqlite:path or postgres://…; default sqlite:<data>/toksta.db
	URLFile string `yaml:"url_file"` // file that holds the URL, for one with a password
}

// Node is this process among others.
type Node struct {
	Name  string        `yaml:"name"`  // default: the host name
	Lease time.Duration `yaml:"lease"` // how long the node may admit calls without the database
}

// Logs is what is written to standard error.
type Logs struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
}

// Meter is how calls are counted.
type Meter struct {
	Dir           string        `yaml:"dir"`            // journal; default <data>/meter
	Strict        bool          `yaml:"strict"`         // wait for the disk before each answer
	FlushInterval time.Duration `yaml:"flush_interval"` // between writes of totals to the database
	Keep          time.Duration `yaml:"keep"`           // of journals that are in the database; 0: not at all
}

// Usage is for how long the numbers of reports are kept. Days and months are
// UTC's and whole.
type Usage struct {
	HourlyDays int `yaml:"hourly_days"` // before today; what is older is kept by day
	KeepMonths int `yaml:"keep_months"` // before this one; what is older is deleted
}

// Gateway bounds requests and connections.
type Gateway struct {
	MaxBody           Size          `yaml:"max_body"`            // of a request; above it 413
	MaxHeader         Size          `yaml:"max_header"`          // of a request, in all; above it 431
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"` // for a client to send its header
	BodyTimeout       time.Duration `yaml:"body_timeout"`        // for a client to send more of a body that is being read
	FormTimeout       time.Duration `yaml:"form_timeout"`        // for a person's browser to send a whole form
	WriteTimeout      time.Duration `yaml:"write_timeout"`       // for a client to take more of a response
	IdleTimeout       time.Duration `yaml:"idle_timeout"`        // of a connection between two requests
	MaxConnections    int           `yaml:"max_connections"`     // of clients; 0: as many as the limit on open files allows
	ShutdownGrace     time.Duration `yaml:"shutdown_grace"`      // for requests in flight when the node stops
}

// Signup is who may make an account.
type Signup struct {
	Policy             string        `yaml:"policy"`              // open, invited or closed
	Plan               toksta.PlanID `yaml:"plan"`                // of a new account
	InvitationLifetime time.Duration `yaml:"invitation_lifetime"` // from when it is made
}

// Sessions is how long a browser stays signed in.
type Sessions struct {
	Lifetime        time.Duration `yaml:"lifetime"`         // from signing in, used or not
	Idle            time.Duration `yaml:"idle"`             // without any request
	Recent          time.Duration `yaml:"recent"`           // how long after signing in keys may be made, rotated and revoked
	InsecureCookies bool          `yaml:"insecure_cookies"` // explicit consent to cookies over plain HTTP beyond this machine
}

// Branding is what the account pages show of the vendor.
type Branding struct {
	Product    string `yaml:"product"`     // the name that customers know
	Hue        int    `yaml:"hue"`         // of the accent colour, 190–330
	SupportURL string `yaml:"support_url"` // every link: "" leaves it out
	StatusURL  string `yaml:"status_url"`  // where outages are told
	TermsURL   string `yaml:"terms_url"`   // beside sign-up and sign-in
	BillingURL string `yaml:"billing_url"` // Manage billing
	CreditsURL string `yaml:"credits_url"` // Buy credits

	CSVMark bool `yaml:"csv_byte_order_mark"` // at the start of the CSV file of usage
}

// Mail is how messages to people leave. Without a server none do.
type Mail struct {
	Server       string `yaml:"server"`        // host:port; "": no mail is sent
	TLS          string `yaml:"tls"`           // starttls, tls or none
	User         string `yaml:"user"`          // "": the server wants no signing in
	Password     string `yaml:"password"`      // from the environment or PasswordFile alone
	PasswordFile string `yaml:"password_file"` // file that holds it
	From         string `yaml:"from"`          // an address, with or without a name before it
}

// Export is where usage goes for billing. Without a URL it goes nowhere.
type Export struct {
	URL               string        `yaml:"url"`                // of the receiver; "": nothing is exported
	Authorization     string        `yaml:"authorization"`      // header, from the environment or AuthorizationFile alone
	AuthorizationFile string        `yaml:"authorization_file"` // file that holds it
	Type              string        `yaml:"type"`               // of each event
	Source            string        `yaml:"source"`             // of each event; default public_url
	From              string        `yaml:"from"`               // day, UTC, of the first hour that is sent; "": all that is kept
	Interval          time.Duration `yaml:"interval"`           // between two looks for something to send
	Settle            time.Duration `yaml:"settle"`             // after the end of an hour: for nodes to bring what they counted
	Batch             int           `yaml:"batch"`              // events of one request
}

// Since is From as a time.
func (e Export) Since() time.Time {
	since, err := time.Parse(time.DateOnly, e.From)
	if err != nil {
		return time.Unix(0, 0) // check has found no other text than ""
	}
	return since
}

// Events is what happens to an account that is worth telling. 0 of any of them
// tells nothing of it.
type Events struct {
	LowBalance   int   `yaml:"low_balance"`   // percent of the plan's included credits
	LowPurchased int64 `yaml:"low_purchased"` // credits, where the plan includes none
	LimitHits    int64 `yaml:"limit_hits"`    // calls refused by the rate limit within an hour
}

// Webhook is an address of the vendor's that events are sent to.
type Webhook struct {
	URL        string             `yaml:"url"`         // https, or http to this machine
	Secret     string             `yaml:"secret"`      // whsec_…, several of them to change one; from the environment or SecretFile alone
	SecretFile string             `yaml:"secret_file"` // file that holds it
	Events     []toksta.EventKind `yaml:"events,flow"` // empty: all
	Insecure   bool               `yaml:"insecure"`    // explicit consent to plain HTTP beyond this machine
}

// Secrets returns what to sign with, which check has found to be well-formed.
func (w Webhook) Secrets() []toksta.SigningSecret {
	var out []toksta.SigningSecret
	for text := range strings.FieldsSeq(w.Secret) {
		if s, err := toksta.ParseSigningSecret(text); err == nil {
			out = append(out, s)
		}
	}
	return out
}

// Keys is what an API key looks like and how many an account may hold.
type Keys struct {
	Prefix  string `yaml:"prefix"`   // of each secret, before 48 hex digits
	MaxLive int    `yaml:"max_live"` // of an account, at once
}

// RateLimit is how fast an account may call.
type RateLimit struct {
	PerMinute        int           `yaml:"per_minute"`        // calls of an account where neither its plan nor itself states a limit
	Redis            string        `yaml:"redis"`             // where nodes count together; "": each by itself
	RedisFile        string        `yaml:"redis_file"`        // file that holds the URL, for one with a password
	RedisTimeout     time.Duration `yaml:"redis_timeout"`     // what a call waits for it at most
	StructuredFields bool          `yaml:"structured_fields"` // answers carry RateLimit and RateLimit-Policy too
}

// Family is a group of endpoints.
type Family struct {
	Name        toksta.Family `yaml:"name"`        // in routes, plans, scopes and refusals
	Description string        `yaml:"description"` // for people who choose scopes
}

// Plan is what an account subscribes to.
type Plan struct {
	ID              toksta.PlanID    `yaml:"id"`               // in the API and the CLI
	Name            string           `yaml:"name"`             // for people
	Source          string           `yaml:"source"`           // dedicated_api or saas
	API             toksta.APIAccess `yaml:"api"`              // always, never, or entitled: by the account's own exception
	Families        []toksta.Family  `yaml:"families,flow"`    // what its keys reach
	Entitled        []toksta.Family  `yaml:"entitled,flow"`    // what they reach beside, by exception
	Fee             Money            `yaml:"fee"`              // a month, for people alone
	IncludedCredits int64            `yaml:"included_credits"` // a cycle; used first
	Overage         Money            `yaml:"overage"`          // a credit beyond those paid for; 0: not sold
	CreditPrice     Money            `yaml:"credit_price"`     // a credit bought ahead, for people alone
	PerMinute       int              `yaml:"per_minute"`       // calls of an account; 0: rate_limit.per_minute
}

// Upstream is a back end of the vendor's.
type Upstream struct {
	URL             string        `yaml:"url"`              // http, https, or unix and the path of a socket
	ConnectTimeout  time.Duration `yaml:"connect_timeout"`  // default 5 s
	ResponseTimeout time.Duration `yaml:"response_timeout"` // without progress until the response's header
	IdleTimeout     time.Duration `yaml:"idle_timeout"`     // of an unused connection; default 4 s
	ConnectionAge   time.Duration `yaml:"connection_age"`   // for new calls; default 1 min
	HTTP2           bool          `yaml:"http2"`            // nothing but HTTP/2, also without TLS
	KeepHost        bool          `yaml:"keep_host"`        // the caller's Host instead of the URL's
	KeepLocation    bool          `yaml:"keep_location"`    // a Location that points at the URL's address is passed on
}

// Address returns what to dial, as net.Dial takes it. The URL has passed check.
func (u Upstream) Address() (network, address string) {
	at, err := url.Parse(u.URL)
	switch {
	case err != nil:
		return "tcp", u.URL
	case at.Scheme == "unix":
		return "unix", at.Path
	case at.Port() != "":
		return "tcp", at.Host
	}
	return "tcp", net.JoinHostPort(at.Hostname(), map[string]string{"http": "80", "https": "443"}[at.Scheme])
}

// Route is one operation of the API.
type Route struct {
	Method    string        `yaml:"method"`    // upper case; HEAD follows GET unless it is listed
	Path      string        `yaml:"path"`      // under /v1/; {id} takes one segment, a last * the rest
	Operation string        `yaml:"operation"` // a name for logs and documentation
	Family    toksta.Family `yaml:"family"`    // decides who is admitted
	Upstream  string        `yaml:"upstream"`  // none for the family account, which Toksta answers
	CostKey   string        `yaml:"cost_key"`  // what usage groups its calls by; default: the operation
	Credits   int64         `yaml:"credits"`   // of one call that is answered below 400
}

package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Config is the effective configuration. Load and Default also set the paths that
// depend on the data directory.
type Config struct {
	Environment    string                          `yaml:"environment"` // name for people, shown by /ready
	Data           string                          `yaml:"data"`        // directory of everything the node keeps on disk
	PublicURL      string                          `yaml:"public_url"`  // address of the API for callers
	PagesURL       string                          `yaml:"pages_url"`   // address of the account pages; default public_url
	Listen         Listen                          `yaml:"listen"`
	Store          Store                           `yaml:"store"`
	Node           Node                            `yaml:"node"`
	Logs           Logs                            `yaml:"logs"`
	Debug          Debug                           `yaml:"debug"`
	Meter          Meter                           `yaml:"meter"`
	Usage          Usage                           `yaml:"usage"`
	Gateway        Gateway                         `yaml:"gateway"`
	TrustedProxies []netip.Prefix                  `yaml:"trusted_proxies"` // peers whose X-Forwarded-* fields are trusted
	ForwardAuth    ForwardAuth                     `yaml:"forward_auth"`
	Signup         Signup                          `yaml:"signup"`
	SignIn         SignIn                          `yaml:"signin"`
	Sessions       Sessions                        `yaml:"sessions"`
	Embed          Embed                           `yaml:"embed"`
	Branding       Branding                        `yaml:"branding"`
	Docs           Docs                            `yaml:"docs"`
	Pages          Pages                           `yaml:"pages"`
	Mail           Mail                            `yaml:"mail"`
	Export         Export                          `yaml:"export"`
	Events         Events                          `yaml:"events"`
	Notices        Notices                         `yaml:"notices"`
	Webhooks       map[string]Webhook              `yaml:"webhooks"` // by name
	Keys           Keys                            `yaml:"keys"`
	RateLimit      RateLimit                       `yaml:"rate_limit"`
	Statuses       map[toksta.Status]toksta.Reason `yaml:"statuses"`  // "admit", or the reason of the rejection
	Currency       toksta.Currency                 `yaml:"currency"`  // of all amounts, ISO 4217
	Families       []Family                        `yaml:"families"`  // groups of routes, used by plans and scopes
	Plans          []Plan                          `yaml:"plans"`     // the vendor's offer
	Upstreams      map[string]Upstream             `yaml:"upstreams"` // by the name that routes use
	Endpoints      Endpoints                       `yaml:"endpoints"` // Toksta's own
	Routes         []Route                         `yaml:"routes"`    // other paths get 404
	CORS           CORS                            `yaml:"cors"`      // calls by scripts in browsers
}

// Listen configures the listeners of the node.
type Listen struct {
	Public    string `yaml:"public"`     // host:port of the API and, by default, the account pages
	Pages     string `yaml:"pages"`      // host:port of a listener for the account pages; "": the public one
	PagesHost string `yaml:"pages_host"` // host name of the account pages on the public listener; "": any
	Private   string `yaml:"private"`    // Unix socket of the operator API; default <data>/toksta.sock
	// ForwardAuth is the host:port where the proxies of forward_auth ask for
	// decisions; "": nowhere.
	ForwardAuth string `yaml:"forward_auth"`
	TLS         TLS    `yaml:"tls"` // of the listeners public, pages and forward_auth
	// ProxyProtocol lists the peers of the public and pages listeners that start
	// each connection with a PROXY header.
	ProxyProtocol []netip.Prefix `yaml:"proxy_protocol"`
	Operator      Operator       `yaml:"operator"`
}

// TLS names PEM files, which are reloaded when they change. Both or neither are
// set.
type TLS struct {
	Cert string `yaml:"cert"` // the chain, leaf first
	Key  string `yaml:"key"`  // of the leaf; other users must not be able to read it
}

// Store configures the database.
type Store struct {
	URL     string `yaml:"url"`      // sqlite:path or postgres://…; default sqlite:<data>/toksta.db
	URLFile string `yaml:"url_file"` // file with the URL; needed for a URL with a password
}

// Node configures this process as one of several.
type Node struct {
	Name  string        `yaml:"name"`  // default: the host name
	Lease time.Duration `yaml:"lease"` // how long the node admits calls without the database
}

// Logs configures the log on standard error.
type Logs struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
	Buffer Size   `yaml:"buffer"` // of lines while the reader is slow; further ones are dropped
	// RejectedPerSecond limits the records of rejected requests; 0: no limit.
	RejectedPerSecond int `yaml:"rejected_per_second"`
}

// Debug configures the profiles of the process.
type Debug struct {
	// Listen is the loopback host:port, or unix: and the path of a socket, where
	// net/http/pprof is served; "": nowhere.
	Listen string `yaml:"listen"`
}

// Meter configures the counting of calls.
type Meter struct {
	Dir           string        `yaml:"dir"`            // directory of the journal; default <data>/meter
	Strict        bool          `yaml:"strict"`         // wait for the disk before each response
	FlushInterval time.Duration `yaml:"flush_interval"` // between writes of totals to the database
	Keep          time.Duration `yaml:"keep"`           // of flushed journals; 0: delete them at once
}

// Usage configures the retention of usage, in whole UTC days and months.
type Usage struct {
	HourlyDays int `yaml:"hourly_days"` // before today; older usage is kept by day
	KeepMonths int `yaml:"keep_months"` // before this month; older usage is deleted
}

// Gateway bounds requests and connections.
type Gateway struct {
	MaxBody           Size          `yaml:"max_body"`            // of a request; a larger one gets 413
	MaxHeader         Size          `yaml:"max_header"`          // of a request, in total; a larger one gets 431
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"` // for a client to send its header
	BodyTimeout       time.Duration `yaml:"body_timeout"`        // for a client to send more of a request body
	FormTimeout       time.Duration `yaml:"form_timeout"`        // for a browser to send a whole form of the account pages
	WriteTimeout      time.Duration `yaml:"write_timeout"`       // for a client to receive more of a response
	IdleTimeout       time.Duration `yaml:"idle_timeout"`        // of a connection between two requests
	MaxConnections    int           `yaml:"max_connections"`     // of clients; 0: derived from the limit of open files
	ShutdownGrace     time.Duration `yaml:"shutdown_grace"`      // for requests in flight when the node stops
	TraceSampling     float64       `yaml:"trace_sampling"`      // fraction of the traces of callers without one that are sampled
}

// Sessions configures how long a browser stays signed in.
type Sessions struct {
	Lifetime        time.Duration `yaml:"lifetime"`         // from the sign-in
	Idle            time.Duration `yaml:"idle"`             // without any request
	Recent          time.Duration `yaml:"recent"`           // after this, changes of keys, members and ways to sign in need a new proof
	InsecureCookies bool          `yaml:"insecure_cookies"` // allow plain HTTP for the pages on other machines
	VendorURL       string        `yaml:"vendor_url"`       // page of the vendor that starts a session by sessions/create; "": none
}

// Mail configures the mail server. Without a server, no mail is sent.
type Mail struct {
	Server       string `yaml:"server"`        // host:port; "": no mail is sent
	TLS          string `yaml:"tls"`           // starttls, tls or none
	User         string `yaml:"user"`          // "": without authentication
	Password     string `yaml:"password"`      // from the environment or password_file
	PasswordFile string `yaml:"password_file"` // file with the password
	From         string `yaml:"from"`          // sender: an address, optionally with a name
	Logo         string `yaml:"logo"`          // https address of a picture at the top of mails; "": the product's name
	Templates    string `yaml:"templates"`     // directory of own templates; "": the shipped ones
}

// Export configures the export of usage for billing. Without a URL, nothing is
// exported.
type Export struct {
	URL               string        `yaml:"url"`                // of the receiver; "": nothing is exported
	Authorization     string        `yaml:"authorization"`      // header, from the environment or AuthorizationFile
	AuthorizationFile string        `yaml:"authorization_file"` // file with the header
	Type              string        `yaml:"type"`               // of each event
	Source            string        `yaml:"source"`             // of each event; default public_url
	From              string        `yaml:"from"`               // first UTC day to send; "": all hours that are kept
	Interval          time.Duration `yaml:"interval"`           // between two polls for hours to send
	Settle            time.Duration `yaml:"settle"`             // wait after the end of an hour, for the flushes of all nodes
	Batch             int           `yaml:"batch"`              // events per request
}

// Since returns From as a time, or the Unix epoch if From is "".
func (e Export) Since() time.Time {
	since, err := time.Parse(time.DateOnly, e.From)
	if err != nil {
		return time.Unix(0, 0) // From is "": check has rejected any other text
	}
	return since
}

// Events configures the thresholds of events. 0 disables an event.
type Events struct {
	LowBalance   int   `yaml:"low_balance"`   // percent of the plan's included credits
	LowPurchased int64 `yaml:"low_purchased"` // credits, for a plan without included credits
	LimitHits    int64 `yaml:"limit_hits"`    // calls rejected by the rate limit within an hour
}

// Notices configures the notices to members.
type Notices struct {
	Mail         bool  `yaml:"mail"`               // send them by mail, if a mail server is configured
	UnusedDays   int   `yaml:"unused_days"`        // after which a key that is not used has a notice; 0: never
	ExpiringDays []int `yaml:"expiring_days,flow"` // before the expiry of a key, each with a notice; empty: none
}

// Webhook is a receiver of events.
type Webhook struct {
	URL        string             `yaml:"url"`         // https, or http to this machine
	Secret     string             `yaml:"secret"`      // whsec_…, several to replace one; from the environment or SecretFile
	SecretFile string             `yaml:"secret_file"` // file with the secrets
	Events     []toksta.EventKind `yaml:"events,flow"` // kinds to send; empty: all
	Insecure   bool               `yaml:"insecure"`    // allow plain HTTP to other machines
}

// Secrets returns the signing secrets. check has validated them.
func (w Webhook) Secrets() []toksta.SigningSecret {
	var out []toksta.SigningSecret
	for text := range strings.FieldsSeq(w.Secret) {
		if s, err := toksta.ParseSigningSecret(text); err == nil {
			out = append(out, s)
		}
	}
	return out
}

// Keys configures the prefix of secrets and the number of keys per account.
type Keys struct {
	Prefix  string `yaml:"prefix"`   // of each secret, before 48 hex digits
	MaxLive int    `yaml:"max_live"` // keys of an account that are neither revoked nor expired
}

// RateLimit configures the default limit and how nodes count calls.
type RateLimit struct {
	PerMinute        int           `yaml:"per_minute"`        // calls of an account if neither the account nor its plan has a limit
	PerHour          int           `yaml:"per_hour"`          // the same for an hour; 0: no limit
	PerDay           int           `yaml:"per_day"`           // the same for a day, UTC; 0: no limit
	Concurrent       int           `yaml:"concurrent"`        // calls of an account at the same time, on each node; 0: no limit
	Redis            string        `yaml:"redis"`             // URL for shared counting; "": each node counts alone
	RedisFile        string        `yaml:"redis_file"`        // file with the URL; needed for a URL with a password
	RedisTimeout     time.Duration `yaml:"redis_timeout"`     // the longest wait of a call for Redis
	StructuredFields bool          `yaml:"structured_fields"` // add RateLimit and RateLimit-Policy to responses
}

// Family is a group of routes that plans and scopes refer to.
type Family struct {
	Name        toksta.Family `yaml:"name"`        // in routes, plans, scopes and rejections
	Description string        `yaml:"description"` // for people who choose scopes
}

// Plan is an offer that accounts subscribe to.
type Plan struct {
	ID              toksta.PlanID    `yaml:"id"`               // in the API and the CLI
	Name            string           `yaml:"name"`             // for people
	Source          string           `yaml:"source"`           // name of the kind of plan in usage reports; default plan
	API             toksta.APIAccess `yaml:"api"`              // always (default), never, or entitled: if the account has the entitlement
	Families        []toksta.Family  `yaml:"families,flow"`    // families that keys may call; default: all but Entitled
	Entitled        []toksta.Family  `yaml:"entitled,flow"`    // further families, for accounts with the entitlement
	Fee             *Money           `yaml:"fee,omitempty"`    // per month; only displayed; nil: not stated
	IncludedCredits int64            `yaml:"included_credits"` // per billing cycle; used first
	Overage         Money            `yaml:"overage"`          // per credit beyond included and purchased ones; 0: reject instead
	CreditPrice     Money            `yaml:"credit_price"`     // per purchased credit; only displayed
	PerMinute       int              `yaml:"per_minute"`       // calls of an account; 0: rate_limit.per_minute
	PerHour         int              `yaml:"per_hour"`         // the same for an hour; 0: rate_limit.per_hour
	PerDay          int              `yaml:"per_day"`          // the same for a day, UTC; 0: rate_limit.per_day
	Concurrent      int              `yaml:"concurrent"`       // calls at the same time, on each node; 0: rate_limit.concurrent
	URL             string           `yaml:"url,omitempty"`    // where people buy the plan or ask for it
	Hidden          bool             `yaml:"hidden,omitempty"` // from the page of plans, unless it is the account's own
}

// Upstream is one of the vendor's back ends.
type Upstream struct {
	URL             string        `yaml:"url"`              // http, https, or unix and the path of a socket
	ConnectTimeout  time.Duration `yaml:"connect_timeout"`  // default 5 s
	ResponseTimeout time.Duration `yaml:"response_timeout"` // without progress, until the header of the response; default 1 min
	IdleTimeout     time.Duration `yaml:"idle_timeout"`     // of an unused connection; default 4 s
	ConnectionAge   time.Duration `yaml:"connection_age"`   // after which no call starts on a connection; default 1 min
	HTTP2           bool          `yaml:"http2"`            // use only HTTP/2, also without TLS (h2c)
	KeepHost        bool          `yaml:"keep_host"`        // send the caller's Host instead of the URL's
	KeepLocation    bool          `yaml:"keep_location"`    // do not rewrite a Location with the URL's address
}

// Address returns the arguments of net.Dial. check has validated the URL.
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

package config

import (
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/toksta/toksta"
)

// Config is the effective configuration. Load and Default return it complete:
// paths that depend on the data directory are filled in.
type Config struct {
	Environment    string                          `yaml:"environment"` // for people, shown by /ready
	Data           string                          `yaml:"data"`        // directory of everything the node keeps on disk
	PublicURL      string                          `yaml:"public_url"`  // where people and callers reach this system
	Listen         Listen                          `yaml:"listen"`
	Store          Store                           `yaml:"store"`
	Node           Node                            `yaml:"node"`
	Logs           Logs                            `yaml:"logs"`
	Meter          Meter                           `yaml:"meter"`
	Gateway        Gateway                         `yaml:"gateway"`
	TrustedProxies []netip.Prefix                  `yaml:"trusted_proxies"` // peers whose X-Forwarded-* count; empty: nobody
	Signup         Signup                          `yaml:"signup"`
	Sessions       Sessions                        `yaml:"sessions"`
	Branding       Branding                        `yaml:"branding"`
	Keys           Keys                            `yaml:"keys"`
	RateLimit      RateLimit                       `yaml:"rate_limit"`
	Statuses       map[toksta.Status]toksta.Reason `yaml:"statuses"` // "admit" or the reason of the refusal
	Families       []Family                        `yaml:"families"`
	Plans          []Plan                          `yaml:"plans"`
	Upstreams      map[string]Upstream             `yaml:"upstreams"`
	Routes         []Route                         `yaml:"routes"`
}

// Listen is where the node accepts connections.
type Listen struct {
	Public    string `yaml:"public"`     // host:port of the API and, unless set apart, the account pages
	Pages     string `yaml:"pages"`      // host:port of the account pages alone; "": with the API
	PagesHost string `yaml:"pages_host"` // host name of the account pages on the public listener; "": any
	Private   string `yaml:"private"`    // Unix socket of the operator API; default <data>/toksta.sock
	TLS       TLS    `yaml:"tls"`
}

// TLS names PEM files, read again when they change. Both or neither are set.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
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
}

// Gateway bounds requests and connections.
type Gateway struct {
	MaxBody           Size          `yaml:"max_body"`
	MaxHeader         Size          `yaml:"max_header"`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	ShutdownGrace     time.Duration `yaml:"shutdown_grace"` // for requests in flight when the node stops
}

// Signup is who may make an account.
type Signup struct {
	Policy             string        `yaml:"policy"` // open, invited or closed
	Plan               toksta.PlanID `yaml:"plan"`   // of a new account
	InvitationLifetime time.Duration `yaml:"invitation_lifetime"`
}

// Sessions is how long a browser stays signed in.
type Sessions struct {
	Lifetime        time.Duration `yaml:"lifetime"`
	Idle            time.Duration `yaml:"idle"`
	Recent          time.Duration `yaml:"recent"`           // how long after signing in keys may be made, rotated and revoked
	InsecureCookies bool          `yaml:"insecure_cookies"` // explicit consent to cookies over plain HTTP beyond this machine
}

// Branding is what the account pages show of the vendor.
type Branding struct {
	Product    string `yaml:"product"`
	Hue        int    `yaml:"hue"` // of the accent colour, 190–330
	SupportURL string `yaml:"support_url"`
	StatusURL  string `yaml:"status_url"`
	TermsURL   string `yaml:"terms_url"`
	BillingURL string `yaml:"billing_url"` // Manage billing
	CreditsURL string `yaml:"credits_url"` // Buy credits
}

// Keys is what an API key looks like and how many an account may hold.
type Keys struct {
	Prefix  string `yaml:"prefix"`
	MaxLive int    `yaml:"max_live"`
}

// RateLimit is the limit where neither plan nor account states one.
type RateLimit struct {
	PerMinute int `yaml:"per_minute"`
}

// Family is a group of endpoints.
type Family struct {
	Name        toksta.Family `yaml:"name"`
	Description string        `yaml:"description"`
}

// Plan is what an account subscribes to.
type Plan struct {
	ID              toksta.PlanID    `yaml:"id"`
	Name            string           `yaml:"name"`
	Source          string           `yaml:"source"`
	API             toksta.APIAccess `yaml:"api"`
	Families        []toksta.Family  `yaml:"families,flow"`
	Entitled        []toksta.Family  `yaml:"entitled,flow"`
	Fee             Money            `yaml:"fee"`
	IncludedCredits int64            `yaml:"included_credits"`
	Overage         Money            `yaml:"overage"`
	CreditPrice     Money            `yaml:"credit_price"`
	PerMinute       int              `yaml:"per_minute"`
}

// Upstream is a back end of the vendor's.
type Upstream struct {
	URL             string        `yaml:"url"`
	ConnectTimeout  time.Duration `yaml:"connect_timeout"`
	ResponseTimeout time.Duration `yaml:"response_timeout"` // until the answer's header
}

// Address is host:port of the URL, which check has found to be one.
func (u Upstream) Address() string {
	at, err := url.Parse(u.URL)
	switch {
	case err != nil:
		return u.URL
	case at.Port() != "":
		return at.Host
	}
	return net.JoinHostPort(at.Hostname(), map[string]string{"http": "80", "https": "443"}[at.Scheme])
}

// Route is one operation of the API.
type Route struct {
	Method    string        `yaml:"method"`
	Path      string        `yaml:"path"`
	Operation string        `yaml:"operation"`
	Family    toksta.Family `yaml:"family"`
	Upstream  string        `yaml:"upstream"`
	CostKey   string        `yaml:"cost_key"`
	Credits   int64         `yaml:"credits"`
}

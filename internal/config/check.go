package config

import (
	"cmp"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/toksta/toksta/sdk/toksta"
)

// checker collects problems while the configuration is read and checked.
type checker struct {
	cfg       *Config           // the part that could be read
	documents []*document       // the operator's file, then the default one
	variables map[string]string // path → variable that set it
	problems  Problems          // in the order of the checks
}

// report records a problem of the setting at path, with the variable or the line
// that set it. If the line could not be read, that is its only problem: checks of
// the missing value would add nothing.
func (c *checker) report(path, message, fix string) {
	p := Problem{Field: path, Message: message, Fix: fix}
	p.File, p.Line = c.origin(path)
	if p.Line == 0 && p.File == environment {
		p.Field = c.variables[path]
	}
	isUnread := func(known Problem) bool { return known.unread && known.File == p.File && known.Line == p.Line }
	if p.Line == 0 || !slices.ContainsFunc(c.problems, isUnread) {
		c.problems = append(c.problems, p)
	}
}

// origin returns the file and line that set a path. The line is 0 for a variable,
// and for a path that no file contains.
func (c *checker) origin(path string) (file string, line int) {
	if c.variables[path] != "" {
		return environment, 0
	}
	for _, d := range c.documents {
		if line := d.find(path); line > 0 {
			return d.name, line
		}
	}
	return c.documents[0].name, 0
}

// require records a problem unless ok is true. fix is an instruction; it does
// not repeat the message.
func (c *checker) require(ok bool, path, message, fix string) {
	if !ok {
		c.report(path, message, fix)
	}
}

// sortedProblems returns the problems in the order of files and lines. If the
// operator's file causes the same problem in several places of the default
// file, it is returned once.
func (c *checker) sortedProblems() Problems {
	seen := map[string]bool{}
	c.problems = slices.DeleteFunc(c.problems, func(p Problem) bool {
		repeated := p.File == defaultName && seen[p.Message]
		seen[p.Message] = true
		return repeated
	})
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return c.problems
}

// check runs every check, in the order of the file.
func (c *checker) check() {
	c.checkServer()
	c.checkDurations()
	c.checkUsage()
	c.checkGateway()
	c.checkForwardAuth()
	c.checkPages()
	c.checkSignIn()
	c.checkMail()
	c.checkExport()
	c.checkEvents()
	c.checkNotices()
	c.checkWebhooks()
	c.checkKeys()
	c.checkRateLimit()
	c.checkStatuses()
	c.checkFamilies()
	c.checkConsent()
	c.checkOptionalPages()
	c.checkCurrency()
	c.checkPlans()
	c.checkUpstreams()
	c.checkEndpoints()
	c.checkRoutes()
	c.checkCORS()
	c.checkEmbed()
}

// maxSocket is the longest path of a Unix socket that every system accepts.
const maxSocket = 100

// checkServer checks the data directory, the listeners, their URLs, the database
// and the log. Pages served to other machines over plain HTTP would expose
// passwords and cookies.
func (c *checker) checkServer() {
	cfg := c.cfg
	c.require(cfg.Data != "", "data", "The data directory is empty.", "name a directory, such as /var/lib/toksta")
	const listen = "write host:port, such as 127.0.0.1:8080"
	c.require(isListenAddress(cfg.Listen.Public), "listen.public", "This is not an address to listen on.", listen)
	c.require(isDebugAddress(cfg.Debug.Listen), "debug.listen", "Profiles reveal the memory of the process, so only this machine may read them.", "write a loopback address such as 127.0.0.1:6060, or a socket as in unix:/run/toksta/debug.sock")
	c.require(cfg.Listen.Pages == "" || isListenAddress(cfg.Listen.Pages), "listen.pages", "This is not an address to listen on.", listen)
	c.require(cfg.Listen.PagesHost == "" || isHost(cfg.Listen.PagesHost), "listen.pages_host", "This is not a host name.", "write it as keys.example.com, without a scheme and without a port")
	c.require(!isNotSocket(cfg.Listen.Private), "listen.private", "A file that is not a socket exists at this path.", "choose a path that does not exist, such as /run/toksta/toksta.sock")
	c.require(len(cfg.Listen.Private) <= maxSocket, "listen.private", "The path is too long for a Unix socket.", "choose one of at most 100 characters")
	c.require((cfg.Listen.TLS.Cert == "") == (cfg.Listen.TLS.Key == ""), "listen.tls", "A certificate and its key need each other; one is missing.", "set both listen.tls.cert and listen.tls.key, or neither")
	c.require(isURL(cfg.PublicURL, "http", "https") && isBaseURL(cfg.PublicURL), "public_url", "This is not an http or https URL.", "write it as https://api.example.com, without a path")
	if cfg.PagesURL == "" {
		c.report("pages_url", "The account pages have their own listener or host, and their URL is missing.", "write it as https://keys.example.com, without a path")
	} else {
		c.require(isURL(cfg.PagesURL, "http", "https") && isBaseURL(cfg.PagesURL), "pages_url", "This is not an http or https URL.", "write it as https://keys.example.com, without a path")
	}
	// Behind a proxy on this machine, a loopback address serves other machines.
	exposed := !isLoopback(cfg.Listen.Public) || cfg.Listen.Pages != "" && !isLoopback(cfg.Listen.Pages) || !isLocalURL(cfg.PagesURL)
	if exposed && !cfg.SecureCookies() && !cfg.Sessions.InsecureCookies && !c.hasProblem("public_url") && !c.hasProblem("pages_url") {
		field := "public_url"
		if cfg.PagesURL != cfg.PublicURL {
			field = "pages_url"
		}
		c.report(field, "Other machines can reach the account pages, and people would sign in over plain HTTP.",
			"set it to the https address, or allow plain HTTP with sessions.insecure_cookies: true")
	}
	c.checkOperator()
	c.checkStore()
	c.require(slices.Contains([]string{"debug", "info", "warn", "error"}, cfg.Logs.Level), "logs.level", "There is no such level.", "write debug, info, warn or error")
	c.require(cfg.Logs.Format == "json" || cfg.Logs.Format == "text", "logs.format", "There is no such format.", "write json or text")
	c.require(cfg.Logs.Buffer >= 64<<10 && cfg.Logs.Buffer <= 1<<30, "logs.buffer", "The buffer of the log is too small or too large.", "choose from 64KiB to 1GiB, such as 4MiB")
	c.require(cfg.Logs.RejectedPerSecond >= 0, "logs.rejected_per_second", "The number of records is negative.", "write a number of records, such as 100, or 0 for all")
}

// checkStore rejects a password in the configuration file, which is often copied
// into tickets.
func (c *checker) checkStore() {
	c.require(isDatabaseURL(c.cfg.Store.URL), "store.url", "This is not the URL of a supported database.", "write sqlite:path/to/toksta.db or postgres://user@host/database")
	if c.isInline("store.url", c.cfg.Store.URLFile) && Redact(c.cfg.Store.URL) != c.cfg.Store.URL {
		c.report("store.url", "The configuration file contains the password of the database.", "put the URL in a file named by store.url_file, or in TOKSTA_STORE_URL")
	}
}

// isInline reports whether the configuration file itself holds the value of a
// setting: no variable set it, and file, its secret file, is "".
func (c *checker) isInline(path, file string) bool {
	_, fromEnv := c.variables[path]
	return !fromEnv && file == ""
}

// checkDurations checks the range of every duration. The lower bounds reject
// mistakes in the unit, such as 10ns.
func (c *checker) checkDurations() {
	for _, s := range []struct {
		path     string
		value    time.Duration
		min, max time.Duration
	}{
		{"node.lease", c.cfg.Node.Lease, time.Second, 10 * time.Minute},
		{"meter.flush_interval", c.cfg.Meter.FlushInterval, 100 * time.Millisecond, 10 * time.Minute},
		{"meter.keep", c.cfg.Meter.Keep, 0, 31 * 24 * time.Hour},
		{"gateway.read_header_timeout", c.cfg.Gateway.ReadHeaderTimeout, time.Second, 10 * time.Minute},
		{"gateway.body_timeout", c.cfg.Gateway.BodyTimeout, time.Second, 24 * time.Hour},
		{"gateway.form_timeout", c.cfg.Gateway.FormTimeout, time.Second, time.Hour},
		{"gateway.write_timeout", c.cfg.Gateway.WriteTimeout, time.Second, time.Hour},
		{"gateway.idle_timeout", c.cfg.Gateway.IdleTimeout, time.Second, time.Hour},
		{"gateway.shutdown_grace", c.cfg.Gateway.ShutdownGrace, time.Second, time.Hour},
		{"rate_limit.redis_timeout", c.cfg.RateLimit.RedisTimeout, time.Millisecond, 5 * time.Second},
		{"signup.invitation_lifetime", c.cfg.Signup.InvitationLifetime, time.Minute, 8760 * time.Hour},
		{"signup.unverified_lifetime", c.cfg.Signup.UnverifiedLifetime, 15 * time.Minute, 31 * 24 * time.Hour},
		{"sessions.lifetime", c.cfg.Sessions.Lifetime, time.Minute, 8760 * time.Hour},
		{"sessions.idle", c.cfg.Sessions.Idle, time.Minute, 8760 * time.Hour},
		{"export.interval", c.cfg.Export.Interval, time.Second, 24 * time.Hour},
		{"export.settle", c.cfg.Export.Settle, 0, 7 * 24 * time.Hour},
		{"sessions.recent", c.cfg.Sessions.Recent, time.Second, 24 * time.Hour},
	} {
		c.require(s.value >= s.min && s.value <= s.max, s.path, "The duration "+s.value.String()+" is out of range.",
			"choose one from "+s.min.String()+" to "+s.max.String()+", with its unit")
	}
}

// checkUsage checks the retention of usage. Balances need the hours of the current
// billing cycle, which can begin 31 days ago; settled reservations can change for
// as long.
func (c *checker) checkUsage() {
	c.require(c.cfg.Usage.HourlyDays >= 32 && c.cfg.Usage.HourlyDays <= 36_500, "usage.hourly_days",
		"Usage by hour must be kept for longer than a billing cycle.", "choose 32 days or more, such as 62")
	c.require(c.cfg.Usage.KeepMonths >= 2 && c.cfg.Usage.KeepMonths <= 1_200, "usage.keep_months",
		"Customers could not check their last bill.", "choose 2 months or more, such as 25")
}

// checkGateway checks the limits of requests, and the networks of proxies.
func (c *checker) checkGateway() {
	c.require(c.cfg.Gateway.MaxBody > 0, "gateway.max_body", "No request could have a body.", "choose a size such as 10MiB")
	c.require(c.cfg.Gateway.MaxConnections >= 0, "gateway.max_connections", "The number of connections is negative.", "choose a number above 0, or 0 to derive it from the limit of open files")
	sampling := c.cfg.Gateway.TraceSampling
	c.require(sampling >= 0 && sampling <= 1, "gateway.trace_sampling", "The fraction of traces is not between 0 and 1.", "write 1 for all traces, 0 for none, or a fraction such as 0.1")
	c.require(c.cfg.Gateway.MaxHeader >= 4<<10, "gateway.max_header", "Ordinary requests would be rejected.", "choose at least 4KiB")
	c.checkTrustedNetworks("trusted_proxies", c.cfg.TrustedProxies)
	c.checkTrustedNetworks("listen.proxy_protocol", c.cfg.Listen.ProxyProtocol)
	c.checkTrustedNetworks("listen.operator.proxies", c.cfg.Listen.Operator.Proxies)
}

// checkTrustedNetworks rejects wide networks: each host in them may claim any
// client address.
func (c *checker) checkTrustedNetworks(path string, networks []netip.Prefix) {
	for _, p := range networks {
		if p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16 {
			c.report(path, "The network "+p.String()+" would let most of the Internet claim any client address.", "list only your own proxies' networks")
		}
	}
}

// checkPages checks sign-up and the branding of the account pages.
func (c *checker) checkPages() {
	c.require(slices.Contains([]string{"open", "invited", "closed"}, c.cfg.Signup.Policy), "signup.policy", "There is no such policy.", "write open, invited or closed")
	c.checkLinks()
	c.checkBranding()
	c.checkDocs()
}

// checkMail checks the mail server. Messages name customers and their usage, so
// they must be encrypted unless the server is on this machine.
func (c *checker) checkMail() {
	m := c.cfg.Mail
	c.require(m.Password == "" || !c.isInline("mail.password", m.PasswordFile), "mail.password",
		"The configuration file contains the password of the mail server.", "put it in a file named by mail.password_file, or in TOKSTA_MAIL_PASSWORD")
	c.require(slices.Contains([]string{"starttls", "tls", "none"}, m.TLS), "mail.tls", "There is no such encryption.", "write starttls, tls or none")
	c.require(m.Logo == "" || isURL(m.Logo, "https"), "mail.logo", "This is not an https URL.", "write the address of a picture, such as https://example.com/logo.png, or leave it empty")
	if m.Server == "" {
		return
	}
	c.require(isHostPort(m.Server), "mail.server", "This is not the address of a mail server.", "write host:port, such as smtp.example.com:587")
	_, err := mail.ParseAddress(m.From)
	c.require(err == nil, "mail.from", "This is not an address to send from.", "write keys@example.com, or Acme API <keys@example.com>")
	c.require((m.User == "") == (m.Password == ""), "mail.user", "mail.user and mail.password need each other; one is missing.", "set both, or neither")
	c.require(m.TLS != "none" || isLoopback(m.Server) && m.User == "", "mail.tls", "Messages or the password would be sent over the network without encryption.", "write starttls or tls; none is for a server on this machine without authentication")
}

// checkExport checks the receiver of usage. Its credential allows writing bills,
// so it must be neither in the configuration file nor sent over plain HTTP.
func (c *checker) checkExport() {
	e := c.cfg.Export
	c.require(e.Authorization == "" || !c.isInline("export.authorization", e.AuthorizationFile), "export.authorization",
		"The configuration file contains the credential of the receiver.", "put it in a file named by export.authorization_file, or in TOKSTA_EXPORT_AUTHORIZATION")
	c.require(!strings.ContainsFunc(e.Authorization, unicode.IsControl), "export.authorization", "The credential has more than one line.", "write only the value of the header, such as Bearer abc")
	if e.URL != "" {
		c.require(isURL(e.URL, "http", "https"), "export.url", "This is not an http or https URL.", "write it as https://billing.example.com/api/v1/events")
		c.require(isBaseURL(e.URL), "export.url", "The URL has a user, a query or a fragment.", "keep scheme, host and path; put a credential in export.authorization_file")
		c.require(e.Authorization == "" || isURL(e.URL, "https") || isLocalURL(e.URL), "export.url", "The credential would be sent over the network without encryption.", "use https")
	}
	source, err := url.Parse(e.Source)
	c.require(err == nil && source.String() != "", "export.source", "This is not a URI.", "write the source of the events, such as https://api.example.com")
	c.require(eventTypePattern.MatchString(e.Type), "export.type", "The type is empty or malformed.", "write letters, digits and . _ / : -, such as toksta.usage")
	_, err = time.Parse(time.DateOnly, e.From)
	c.require(err == nil || e.From == "", "export.from", "This is not a day.", "write it as 2026-05-01, or leave it empty")
	c.require(e.Batch >= 1 && e.Batch <= 1000, "export.batch", "The number of events in a request is out of range.", "choose one from 1 to 1000")
}

// checkKeys checks the prefix of keys, by which leak scanners find them, and
// their number.
func (c *checker) checkKeys() {
	c.require(prefixPattern.MatchString(c.cfg.Keys.Prefix), "keys.prefix",
		"The prefix is empty or malformed; leak scanners and people recognise keys by it.", "write 3 to 32 lower-case letters, digits and _, ending in _, such as tk_live_")
	c.require(c.cfg.Keys.Prefix != toksta.OperatorSecretPrefix, "keys.prefix",
		"Secrets of operator keys have this prefix, and people and leak scanners could not distinguish them.", "choose another one, such as tk_live_")
	c.require(c.cfg.Keys.MaxLive > 0, "keys.max_live", "No account could have a key.", "choose a number above 0")
}

// checkRateLimit requires a limit above 0, and a Redis URL without an inline
// password.
func (c *checker) checkRateLimit() {
	r := c.cfg.RateLimit
	c.require(r.PerMinute != 0, "rate_limit.per_minute", "The limit must be above 0.", "choose the calls a minute of an ordinary account, such as 60")
	c.checkLimits("rate_limit", limits{r.PerMinute, r.PerHour, r.PerDay, r.Concurrent})
	if r.Redis == "" {
		return
	}
	c.require(isURL(r.Redis, "redis", "rediss", "valkey", "valkeys"), "rate_limit.redis", "This is not the address of a Redis.", "write redis://host:6379, or rediss:// for TLS")
	if c.isInline("rate_limit.redis", r.RedisFile) && Redact(r.Redis) != r.Redis {
		c.report("rate_limit.redis", "The configuration file contains the password of Redis.", "put the URL in a file named by rate_limit.redis_file, or in TOKSTA_RATE_LIMIT_REDIS")
	}
}

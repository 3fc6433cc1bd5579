package config

import (
	"cmp"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// checker gathers faults while the configuration is read and checked.
type checker struct {
	cfg       *Config           // as far as it could be read
	documents []*document       // the operator's file before the shipped one
	variables map[string]string // path → variable that set it
	faults    Faults            // in the order of the checks
}

// fault records a problem at a path, blaming the variable or line that set
// it. A line that could not be read is blamed once: checks of a value that is
// missing for that reason say nothing new.
func (c *checker) fault(path, problem, fix string) {
	f := Fault{Field: path, Problem: problem, Fix: fix}
	f.File, f.Line = c.origin(path)
	if f.Line == 0 && f.File == environment {
		f.Field = c.variables[path]
	}
	unread := func(known Fault) bool { return known.unread && known.File == f.File && known.Line == f.Line }
	if f.Line == 0 || !slices.ContainsFunc(c.faults, unread) {
		c.faults = append(c.faults, f)
	}
}

// origin says where a setting got its value.
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

// must records a fault unless ok. Every check says what to do: fix is an
// instruction, not the problem once more.
func (c *checker) must(ok bool, path, problem, fix string) {
	if !ok {
		c.fault(path, problem, fix)
	}
}

// sorted returns the faults in the order of their lines. What the operator's
// file breaks in many places of the shipped one is said once.
func (c *checker) sorted() Faults {
	said := map[string]bool{}
	c.faults = slices.DeleteFunc(c.faults, func(f Fault) bool {
		again := f.File == shippedName && said[f.Problem]
		said[f.Problem] = true
		return again
	})
	slices.SortStableFunc(c.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return c.faults
}

// check runs every check; the order is the file's.
func (c *checker) check() {
	c.checkPlace()
	c.checkDurations()
	c.checkUsage()
	c.checkGateway()
	c.checkPeople()
	c.checkMail()
	c.checkExport()
	c.checkEvents()
	c.checkWebhooks()
	c.checkKeys()
	c.checkRateLimit()
	c.checkStatuses()
	c.checkFamilies()
	c.checkPlans()
	c.checkUpstreams()
	c.checkRoutes()
}

// maxSocket is the longest path that a Unix socket can have everywhere.
const maxSocket = 100

// checkPlace: where the node listens and what it keeps where. Pages that others
// reach over plain HTTP would give away passwords and cookies.
func (c *checker) checkPlace() {
	cfg := c.cfg
	c.must(cfg.Data != "", "data", "The data directory is empty.", "name a directory, such as /var/lib/toksta")
	const listen = "write host:port, such as 127.0.0.1:8080"
	c.must(isListenAddress(cfg.Listen.Public), "listen.public", "This is not an address to listen on.", listen)
	c.must(cfg.Listen.Pages == "" || isListenAddress(cfg.Listen.Pages), "listen.pages", "This is not an address to listen on.", listen)
	c.must(cfg.Listen.PagesHost == "" || isHost(cfg.Listen.PagesHost), "listen.pages_host", "This is not the name of a host.", "write it as keys.example.com, without a scheme and without a port")
	c.must(!isOtherFile(cfg.Listen.Private), "listen.private", "There is something at this path that is not a socket.", "choose a path where nothing is, such as /run/toksta/toksta.sock")
	c.must(len(cfg.Listen.Private) <= maxSocket, "listen.private", "The path is too long for a Unix socket.", "choose one of at most 100 characters")
	c.must((cfg.Listen.TLS.Cert == "") == (cfg.Listen.TLS.Key == ""), "listen.tls", "A certificate and its key belong together; one of them is missing.", "set both listen.tls.cert and listen.tls.key, or neither")
	c.must(isURL(cfg.PublicURL, "http", "https") && isBase(cfg.PublicURL), "public_url", "This is not an http or https URL.", "write it as https://api.example.com, without a path")
	if cfg.PagesURL == "" {
		c.fault("pages_url", "The pages are set apart, and nothing says where people reach them.", "write it as https://keys.example.com, without a path")
	} else {
		c.must(isURL(cfg.PagesURL, "http", "https") && isBase(cfg.PagesURL), "pages_url", "This is not an http or https URL.", "write it as https://keys.example.com, without a path")
	}
	// A proxy on this machine reaches a loopback address for everybody.
	exposed := !isLoopback(cfg.Listen.Public) || cfg.Listen.Pages != "" && !isLoopback(cfg.Listen.Pages) || !isLocal(cfg.PagesURL)
	if exposed && !cfg.SecureCookies() && !cfg.Sessions.InsecureCookies {
		field := "public_url"
		if cfg.PagesURL != cfg.PublicURL {
			field = "pages_url"
		}
		c.fault(field, "The pages can be reached from other machines, yet people would sign in over plain HTTP.",
			"set it to the https address, or consent with sessions.insecure_cookies: true")
	}
	c.checkStore()
	c.must(slices.Contains([]string{"debug", "info", "warn", "error"}, cfg.Logs.Level), "logs.level", "There is no such level.", "debug, info, warn or error")
	c.must(cfg.Logs.Format == "json" || cfg.Logs.Format == "text", "logs.format", "There is no such format.", "json or text")
}

// checkStore: a password has no place in a file that is copied and pasted.
func (c *checker) checkStore() {
	c.must(isDatabase(c.cfg.Store.URL), "store.url", "This is no database that Toksta knows.", "sqlite:path/to/toksta.db or postgres://user@host/database")
	if c.written("store.url", c.cfg.Store.URLFile) && Redact(c.cfg.Store.URL) != c.cfg.Store.URL {
		c.fault("store.url", "The password of the database stands in the configuration file.", "put the URL in a file named by store.url_file, or in TOKSTA_STORE_URL")
	}
}

// written reports whether a setting has its value from the configuration itself,
// neither from a variable nor from the file that may hold it.
func (c *checker) written(path, file string) bool {
	_, fromEnv := c.variables[path]
	return !fromEnv && file == ""
}

// checkDurations: every duration has both ends, since a bare 10 in the
// environment of a container is ten nanoseconds to nobody.
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
		{"sessions.lifetime", c.cfg.Sessions.Lifetime, time.Minute, 8760 * time.Hour},
		{"sessions.idle", c.cfg.Sessions.Idle, time.Minute, 8760 * time.Hour},
		{"export.interval", c.cfg.Export.Interval, time.Second, 24 * time.Hour},
		{"export.settle", c.cfg.Export.Settle, 0, 7 * 24 * time.Hour},
		{"sessions.recent", c.cfg.Sessions.Recent, time.Second, 24 * time.Hour},
	} {
		c.must(s.value >= s.min && s.value <= s.max, s.path, "The duration "+s.value.String()+" is out of range.",
			"choose one from "+s.min.String()+" to "+s.max.String()+", with its unit")
	}
}

// checkUsage: balances count this billing cycle, which can begin 31 days ago, and
// settled reservations can change for as long.
func (c *checker) checkUsage() {
	c.must(c.cfg.Usage.HourlyDays >= 32 && c.cfg.Usage.HourlyDays <= 36_500, "usage.hourly_days",
		"Hours must be kept for longer than a billing cycle.", "choose 32 days or more, such as 62")
	c.must(c.cfg.Usage.KeepMonths >= 2 && c.cfg.Usage.KeepMonths <= 1_200, "usage.keep_months",
		"Customers could not compare their last bill.", "choose 2 months or more, such as 25")
}

// checkGateway: a trusted network is one whose every host may name any client.
func (c *checker) checkGateway() {
	c.must(c.cfg.Gateway.MaxBody > 0, "gateway.max_body", "No request could have a body.", "choose a size such as 10MiB")
	c.must(c.cfg.Gateway.MaxConnections >= 0, "gateway.max_connections", "No client could connect.", "choose a number above 0, or 0 for as many as the limit on open files allows")
	c.must(c.cfg.Gateway.MaxHeader >= 4<<10, "gateway.max_header", "Ordinary requests would be refused.", "choose at least 4KiB")
	c.checkTrusted("trusted_proxies", c.cfg.TrustedProxies)
	c.checkTrusted("listen.proxy_protocol", c.cfg.Listen.ProxyProtocol)
}

// checkTrusted: peers in these networks state the address of a client.
func (c *checker) checkTrusted(path string, networks []netip.Prefix) {
	for _, p := range networks {
		if p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16 {
			c.fault(path, "The network "+p.String()+" would let most of the Internet claim any client address.", "list only your own proxies' networks")
		}
	}
}

// checkPeople: who may sign up, and what the pages show.
func (c *checker) checkPeople() {
	cfg := c.cfg
	c.must(slices.Contains([]string{"open", "invited", "closed"}, cfg.Signup.Policy), "signup.policy", "There is no such policy.", "open, invited or closed")
	b := cfg.Branding
	c.must(strings.TrimSpace(b.Product) != "", "branding.product", "The product has no name.", "give the name that customers know")
	c.must(b.Hue >= 190 && b.Hue <= 330, "branding.hue", "With this hue, text would lose contrast or look like a warning.", "choose one from 190 to 330")
	for path, link := range map[string]string{
		"branding.support_url": b.SupportURL, "branding.status_url": b.StatusURL, "branding.terms_url": b.TermsURL,
		"branding.billing_url": b.BillingURL, "branding.credits_url": b.CreditsURL,
	} {
		c.must(link == "" || isURL(link, "http", "https", "mailto"), path, "This is not a link.", "write an https or mailto URL, or leave it empty")
	}
}

// checkMail: messages name customers and what they use, so they leave this
// machine protected, or not at all.
func (c *checker) checkMail() {
	m := c.cfg.Mail
	c.must(m.Password == "" || !c.written("mail.password", m.PasswordFile), "mail.password",
		"The password of the mail server stands in the configuration file.", "put it in a file named by mail.password_file, or in TOKSTA_MAIL_PASSWORD")
	c.must(slices.Contains([]string{"starttls", "tls", "none"}, m.TLS), "mail.tls", "There is no such protection.", "starttls, tls or none")
	if m.Server == "" {
		return
	}
	c.must(isPeer(m.Server), "mail.server", "This is not the address of a mail server.", "write host:port, such as smtp.example.com:587")
	_, err := mail.ParseAddress(m.From)
	c.must(err == nil, "mail.from", "This is not an address to send from.", "write keys@example.com, or Acme API <keys@example.com>")
	c.must((m.User == "") == (m.Password == ""), "mail.user", "A user and a password belong together; one of them is missing.", "set both, or neither")
	c.must(m.TLS != "none" || isLoopback(m.Server) && m.User == "", "mail.tls", "Messages, or a password, would go over the network unprotected.", "starttls or tls; none is for a server on this machine without signing in")
}

// checkExport: the credential of a billing engine can write bills.
func (c *checker) checkExport() {
	e := c.cfg.Export
	c.must(e.Authorization == "" || !c.written("export.authorization", e.AuthorizationFile), "export.authorization",
		"The credential of the receiver stands in the configuration file.", "put it in a file named by export.authorization_file, or in TOKSTA_EXPORT_AUTHORIZATION")
	c.must(!strings.ContainsFunc(e.Authorization, unicode.IsControl), "export.authorization", "The credential is more than one line.", "write the value of the header alone, such as Bearer abc")
	if e.URL != "" {
		c.must(isURL(e.URL, "http", "https"), "export.url", "This is not an http or https URL.", "write it as https://billing.example.com/api/v1/events")
		c.must(isBase(e.URL), "export.url", "The URL says more than where the receiver is.", "leave scheme, host and path; a credential belongs in export.authorization_file")
		c.must(e.Authorization == "" || isURL(e.URL, "https") || isLocal(e.URL), "export.url", "The credential would go over the network in the open.", "use https")
	}
	source, err := url.Parse(e.Source)
	c.must(err == nil && source.String() != "", "export.source", "This is no URI.", "name where events come from, such as https://api.example.com")
	c.must(regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:-]*$`).MatchString(e.Type), "export.type", "The type is empty or malformed.", "letters, digits and . _ / : -, such as toksta.usage")
	_, err = time.Parse(time.DateOnly, e.From)
	c.must(err == nil || e.From == "", "export.from", "This is not a day.", "write it as 2026-05-01, or leave it empty")
	c.must(e.Batch >= 1 && e.Batch <= 1000, "export.batch", "The number of events in a request is out of range.", "choose one from 1 to 1000")
}

// checkKeys: a key without a prefix is found by no scanner of leaks.
func (c *checker) checkKeys() {
	c.must(regexp.MustCompile(`^[a-z][a-z0-9_]{1,30}_$`).MatchString(c.cfg.Keys.Prefix), "keys.prefix",
		"The prefix is empty or malformed; leak scanners and people know keys by it.", "2 to 32 lower-case letters, digits and _, ending in _, such as tk_live_")
	c.must(c.cfg.Keys.MaxLive > 0, "keys.max_live", "No account could have a key.", "choose a number above 0")
}

// checkRateLimit: a limit always holds, and Redis is no back door to a password.
func (c *checker) checkRateLimit() {
	r := c.cfg.RateLimit
	c.must(r.PerMinute > 0, "rate_limit.per_minute", "The limit must be above 0; there is no unlimited.", "choose the calls a minute of an ordinary account, such as 60")
	if r.Redis == "" {
		return
	}
	c.must(isURL(r.Redis, "redis", "rediss", "valkey", "valkeys"), "rate_limit.redis", "This is not the address of a Redis.", "write redis://host:6379, or rediss:// for TLS")
	if c.written("rate_limit.redis", r.RedisFile) && Redact(r.Redis) != r.Redis {
		c.fault("rate_limit.redis", "The password of Redis stands in the configuration file.", "put the URL in a file named by rate_limit.redis_file, or in TOKSTA_RATE_LIMIT_REDIS")
	}
}

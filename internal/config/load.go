package config

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/toksta/toksta/internal/text"
)

// DefaultYAML is the shipped configuration with its comments.
//
//go:embed default.yaml
var DefaultYAML string

// shippedName stands for a file name in faults of the default configuration.
const shippedName = "default.yaml (built in)"

// maxFile bounds a configuration file, in bytes.
const maxFile = 4 << 20

// Default returns the shipped configuration. It panics when the embedded file
// is broken, which a test rules out.
func Default() Config {
	cfg, err := load(document{}, nil)
	if err != nil {
		panic(err)
	}
	return cfg
}

// Load returns the default configuration overlaid with the file at path (""
// for none) and then with the variables of environ, as os.Environ has them.
// An error that is Faults lists all that is wrong; no Config is returned then.
func Load(path string, environ []string) (Config, error) {
	doc := document{name: path}
	if path != "" {
		data, err := readLimited(path)
		if err != nil {
			return Config{}, err
		}
		doc.data = data
	}
	return load(doc, environ)
}

// load overlays, completes and checks, in this order, and keeps going after a
// fault so that all are found.
func load(doc document, environ []string) (Config, error) {
	var cfg Config
	shipped := document{name: shippedName, data: []byte(DefaultYAML)}
	c := checker{cfg: &cfg, documents: []*document{&doc, &shipped}, variables: map[string]string{}}
	c.overlay(&shipped)
	c.overlay(&doc)
	c.overlayEnvironment(environ)
	c.readSecrets()
	c.complete()
	c.check()
	if len(c.faults) > 0 {
		return Config{}, c.sorted()
	}
	return cfg, nil
}

// readLimited reads a file of at most maxFile bytes: a device or a log named by
// mistake must not fill the memory.
func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read the configuration: %s has %d bytes, %d is the most", path, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return data, nil
}

// overlay decodes a document over the configuration so far: sections
// are merged setting by setting, a list or a map of names is replaced whole.
func (c *checker) overlay(doc *document) {
	if !regexp.MustCompile(`(?m)^\s*[^#\s]`).Match(doc.data) {
		return // nothing but comments
	}
	if err := yaml.Load(doc.data, &doc.root); err != nil {
		c.decodeFaults(doc, err)
		return
	}
	c.unknownFields(doc)
	c.forgetReplaced(doc)
	c.decodeFaults(doc, doc.top().Load(c.cfg))
}

// forgetReplaced empties the maps that the document states, which a decoder
// would merge into: a status left out must not go on admitting.
func (c *checker) forgetReplaced(doc *document) {
	if doc.find("statuses") > 0 {
		c.cfg.Statuses = nil
	}
	if doc.find("upstreams") > 0 {
		c.cfg.Upstreams = nil
	}
}

// decodeFaults turns the decoder's errors into faults with lines.
func (c *checker) decodeFaults(doc *document, err error) {
	if err == nil {
		return
	}
	if all, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		for _, e := range all.Errors {
			c.faults = append(c.faults, Fault{File: doc.name, Line: e.Mark.Line, Problem: plain(e.Message), unread: true})
		}
		return
	}
	f := Fault{File: doc.name, Problem: "This is not YAML: " + err.Error() + ".", Fix: "correct the line; indent with spaces, not tabs"}
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		f.Line, f.Problem = one.Mark.Line, "This is not YAML: "+one.Message+"."
	}
	c.faults = append(c.faults, f)
}

// plain says in words what the decoder says in Go types, which mean nothing to
// an operator. A message of another form is passed on as it is.
func plain(message string) string {
	m := regexp.MustCompile("^cannot construct (\\S+)(?: `(.*)`)? into (\\S+)").FindStringSubmatch(message)
	if m == nil {
		message = strings.TrimPrefix(message, "yaml: ")
		return strings.ToUpper(message[:1]) + message[1:] + "."
	}
	found := map[string]string{"!!seq": "a list", "!!map": "a map"}[m[1]]
	if found == "" {
		found = fmt.Sprintf("%q", m[2])
	}
	wanted := "something else"
	switch {
	case m[3] == "bool":
		wanted = "true or false"
	case strings.Contains(m[3], "Duration"):
		wanted = "a duration such as 10s or 2m"
	case strings.HasPrefix(m[3], "int"):
		wanted = "a whole number"
	case strings.HasPrefix(m[3], "[]"):
		wanted = "a list"
	case strings.HasPrefix(m[3], "map"), strings.HasPrefix(m[3], "config."):
		wanted = "a map of settings"
	case m[3] == "string", strings.HasPrefix(m[3], "toksta."):
		wanted = "text"
	}
	return fmt.Sprintf("This is %s where %s belongs.", found, wanted)
}

// readSecrets replaces settings by the content of the files that hold them.
func (c *checker) readSecrets() {
	c.readSecret("store.url", c.cfg.Store.URLFile, &c.cfg.Store.URL)
	c.readSecret("rate_limit.redis", c.cfg.RateLimit.RedisFile, &c.cfg.RateLimit.Redis)
	c.readSecret("mail.password", c.cfg.Mail.PasswordFile, &c.cfg.Mail.Password)
	c.readSecret("export.authorization", c.cfg.Export.AuthorizationFile, &c.cfg.Export.Authorization)
	for name, w := range c.cfg.Webhooks {
		c.readSecret("webhooks."+name+".secret", w.SecretFile, &w.Secret)
		c.cfg.Webhooks[name] = w
	}
}

// readSecret sets value, which path names, to the content of a file, unless
// file is "". The content is in no fault.
func (c *checker) readSecret(path, file string, value *string) {
	if file == "" {
		return
	}
	content, err := text.ReadFile(file)
	if err != nil {
		c.fault(path+"_file", "The file cannot be read: "+err.Error()+".", "create it in UTF-8, readable for this process alone")
		return
	}
	if *value != "" {
		c.fault(path+"_file", "Both "+path+" and "+path+"_file are set.", "remove one of the two")
	}
	*value = strings.TrimSpace(content)
}

// complete fills in what depends on other settings, so that nobody after it
// needs to know a default. What was stated stays.
func (c *checker) complete() {
	cfg := c.cfg
	fill := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	if cfg.Listen.Pages == "" && cfg.Listen.PagesHost == "" {
		fill(&cfg.PagesURL, cfg.PublicURL)
	}
	fill(&cfg.Listen.Private, filepath.Join(cfg.Data, "toksta.sock"))
	fill(&cfg.Store.URL, "sqlite:"+filepath.Join(cfg.Data, "toksta.db"))
	fill(&cfg.Export.Source, cfg.PublicURL)
	fill(&cfg.Meter.Dir, filepath.Join(cfg.Data, "meter"))
	if cfg.Node.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "node"
		}
		cfg.Node.Name = host
	}
	for name, u := range cfg.Upstreams {
		if u.ConnectTimeout == 0 {
			u.ConnectTimeout = 5 * time.Second
		}
		if u.ResponseTimeout == 0 {
			u.ResponseTimeout = time.Minute
		}
		if u.IdleTimeout == 0 {
			u.IdleTimeout = 4 * time.Second
		}
		if u.ConnectionAge == 0 {
			u.ConnectionAge = time.Minute
		}
		cfg.Upstreams[name] = u
	}
	slices.SortFunc(cfg.TrustedProxies, netip.Prefix.Compare)
}

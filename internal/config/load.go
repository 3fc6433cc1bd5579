package config

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/text"
)

// DefaultYAML is the default configuration with its comments.
//
//go:embed default.yaml
var DefaultYAML string

// defaultName is the File of a problem in the default configuration.
const defaultName = "default.yaml (built in)"

// maxFile bounds a configuration file, in bytes.
const maxFile = 4 << 20

// Default returns the default configuration. It panics if the embedded file is
// invalid, which a test excludes.
func Default() Config {
	cfg, err := load(document{}, nil)
	if err != nil {
		panic(err)
	}
	return cfg
}

// Load returns the default configuration, overridden by the file at path ("" for
// none) and then by the variables of environ, in the form of os.Environ. An error
// of the type Problems lists every problem; the Config is empty then.
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

// Parse is like Load for the text of a file that is not written yet. name is the
// path of the file, for problems.
func Parse(name string, data []byte, environ []string) (Config, error) {
	return load(document{name: name, data: data}, environ)
}

// load returns the default configuration, overridden by doc and then by the
// variables of environ. It continues after a problem, so that it finds all of
// them.
func load(doc document, environ []string) (Config, error) {
	var cfg Config
	builtIn := document{name: defaultName, data: []byte(DefaultYAML)}
	c := checker{cfg: &cfg, documents: []*document{&doc, &builtIn}, variables: map[string]string{}}
	c.overlay(&builtIn)
	c.overlay(&doc)
	c.overlayEnvironment(environ)
	c.readSecretFiles()
	if c.isAmbiguous() {
		return Config{}, c.sortedProblems()
	}
	c.setDerivedDefaults()
	c.check()
	if len(c.problems) > 0 {
		return Config{}, c.sortedProblems()
	}
	return cfg, nil
}

// readLimited reads a file of at most maxFile bytes, so that a wrong path, such as
// a log, does not fill the memory.
func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read the configuration: %s has %d bytes, the limit is %d", path, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return data, nil
}

// overlay decodes a document into the configuration: its settings replace those
// with the same path. A list is replaced as a whole, and so is a map whose
// names the operator chooses.
func (c *checker) overlay(doc *document) {
	if !contentPattern.Match(doc.data) {
		return // only comments
	}
	if err := yaml.Load(doc.data, &doc.root); err != nil {
		c.reportDecodeErrors(doc, err)
		return
	}
	c.unknownFields(doc)
	c.resetReplacedMaps(doc)
	c.reportDecodeErrors(doc, doc.rootMap().Load(c.cfg))
}

// resetReplacedMaps empties statuses and upstreams if the document contains
// them, because the decoder would merge the maps, and an omitted status would
// continue to admit.
func (c *checker) resetReplacedMaps(doc *document) {
	if doc.find("statuses") > 0 {
		c.cfg.Statuses = nil
	}
	if doc.find("upstreams") > 0 {
		c.cfg.Upstreams = nil
	}
}

// reportDecodeErrors records the decoder's errors as problems with lines.
func (c *checker) reportDecodeErrors(doc *document, err error) {
	if err == nil {
		return
	}
	if all, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		for _, e := range all.Errors {
			p := Problem{File: doc.name, Line: e.Mark.Line, Message: describeDecodeError(e.Message), Fix: "correct the value", unread: true}
			if strings.Contains(e.Message, duplicateKey) {
				p.Fix, p.repeated = "keep one of the two; for a group such as listen, with the settings of both", true
			}
			c.problems = append(c.problems, p)
		}
		return
	}
	p := Problem{File: doc.name, Message: "This is not YAML: " + err.Error() + ".", Fix: "correct the line; indent with spaces, not tabs"}
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		p.Line, p.Message = one.Mark.Line, "This is not YAML: "+one.Message+"."
	}
	c.problems = append(c.problems, p)
}

// describeDecodeError replaces the Go types in a decoder's message by the
// operator's terms. It keeps a message of another form.
func describeDecodeError(message string) string {
	m := decodeErrorPattern.FindStringSubmatch(message)
	if m == nil {
		message = strings.TrimPrefix(message, "yaml: ")
		return strings.ToUpper(message[:1]) + message[1:] + "."
	}
	found := map[string]string{"!!seq": "a list", "!!map": "a map"}[m[1]]
	if found == "" {
		found = fmt.Sprintf("%q", m[2])
	}
	wanted := "another value"
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
	return fmt.Sprintf("This is %s, and the setting needs %s.", found, wanted)
}

// duplicateKey is a part of the decoder's message about a name that occurs twice in
// one map.
const duplicateKey = "already defined at line"

// isAmbiguous reports whether a name occurs twice in one map. The decoder leaves out
// such a map, so that every check of its settings would be wrong.
func (c *checker) isAmbiguous() bool {
	return slices.ContainsFunc(c.problems, func(p Problem) bool { return p.repeated })
}

// isSet reports whether the operator's file or a variable sets the setting of a
// section.
func (c *checker) isSet(section, setting string) bool {
	path := section + "." + setting
	return c.variables[path] != "" || c.documents[0].contains(path)
}

// readSecretFiles sets secrets from the files that the configuration names.
func (c *checker) readSecretFiles() {
	c.readSecretFile("store.url", c.cfg.Store.URLFile, &c.cfg.Store.URL)
	c.readSecretFile("rate_limit.redis", c.cfg.RateLimit.RedisFile, &c.cfg.RateLimit.Redis)
	c.readSecretFile("mail.password", c.cfg.Mail.PasswordFile, &c.cfg.Mail.Password)
	c.readSecretFile("export.authorization", c.cfg.Export.AuthorizationFile, &c.cfg.Export.Authorization)
	for name, w := range c.cfg.Webhooks {
		c.readSecretFile("webhooks."+name+".secret", w.SecretFile, &w.Secret)
		c.cfg.Webhooks[name] = w
	}
	for name, p := range c.cfg.SignIn.Providers {
		c.readSecretFile("signin.providers."+name+".client_secret", p.ClientSecretFile, &p.ClientSecret)
		c.cfg.SignIn.Providers[name] = p
	}
}

// readSecretFile sets value, the setting at path, to the content of file, unless
// file is "". No problem contains the content.
func (c *checker) readSecretFile(path, file string, value *string) {
	if file == "" {
		return
	}
	content, err := text.ReadFile(file)
	if err != nil {
		c.report(path+"_file", "The file cannot be read: "+err.Error()+".", "create it in UTF-8, readable only for the user of this process")
		return
	}
	if *value != "" {
		c.report(path+"_file", "Both "+path+" and "+path+"_file are set.", "remove one of the two")
	}
	*value = strings.TrimSpace(content)
}

// setDerivedDefaults sets each empty setting whose default depends on other
// settings or on the machine. It sets each missing timeout of an upstream,
// because default.yaml cannot know the names of the upstreams. It also sorts
// the trusted proxies.
func (c *checker) setDerivedDefaults() {
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
	fill(&cfg.Branding.EnvVar, brand.EnvVar(cfg.Branding.Product))
	fill(&cfg.Meter.Dir, filepath.Join(cfg.Data, "meter"))
	if cfg.Node.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "node"
		}
		cfg.Node.Name = host
	}
	for name, u := range cfg.Upstreams {
		fill := func(d *time.Duration, setting string, value time.Duration) {
			if *d == 0 && !c.isSet("upstreams."+name, setting) {
				*d = value
			}
		}
		fill(&u.ConnectTimeout, "connect_timeout", 5*time.Second)
		fill(&u.ResponseTimeout, "response_timeout", time.Minute)
		fill(&u.IdleTimeout, "idle_timeout", 4*time.Second)
		fill(&u.ConnectionAge, "connection_age", time.Minute)
		cfg.Upstreams[name] = u
	}
	c.setProviderDefaults()
	c.setRouteDefaults()
	c.setFamilyDefault()
	c.setPlanDefaults()
	slices.SortFunc(cfg.TrustedProxies, netip.Prefix.Compare)
}

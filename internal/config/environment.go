package config

import (
	"encoding"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// variablePrefix starts the name of every variable that Toksta reads.
const variablePrefix = "TOKSTA_"

// Process holds the environment of this process, as commands need it.
type Process struct {
	Environ  []string // as os.Environ returns it, for Load
	Config   string   // TOKSTA_CONFIG: path of the configuration
	Socket   string   // TOKSTA_SOCKET: operator socket of a server elsewhere on this machine
	Profile  string   // TOKSTA_PROFILE: name of a profile of a server on another machine
	Operator string   // name for the audit trail: TOKSTA_OPERATOR or the system's user
	// ConfigHome is the directory of this user's configuration files: XDG_CONFIG_HOME, or
	// .config in HOME; "" without either.
	ConfigHome string
}

// ReadProcess reads the environment of this process.
func ReadProcess() Process {
	p := Process{
		Environ:  os.Environ(),
		Config:   os.Getenv("TOKSTA_CONFIG"),
		Socket:   os.Getenv("TOKSTA_SOCKET"),
		Profile:  os.Getenv("TOKSTA_PROFILE"),
		Operator: os.Getenv("TOKSTA_OPERATOR"),
	}
	// The XDG specification requires an absolute path and ignores any other.
	if p.ConfigHome = os.Getenv("XDG_CONFIG_HOME"); !filepath.IsAbs(p.ConfigHome) {
		p.ConfigHome = ""
		if home := os.Getenv("HOME"); filepath.IsAbs(home) {
			p.ConfigHome = filepath.Join(home, ".config")
		}
	}
	if p.Operator == "" {
		if u, err := user.Current(); err == nil {
			p.Operator = u.Username
		}
	}
	return p
}

// setting is one scalar or list of the configuration, with its two names.
type setting struct {
	path      string // "listen.tls.cert"
	variable  string // "TOKSTA_LISTEN_TLS_CERT"
	value     reflect.Value
	writeBack func() // stores value in its map; does nothing outside maps
}

// settings returns the settings below v, which is at path: every scalar outside
// lists, which a variable can set, and every list, which a variable cannot set.
// writeBack stores v in the map that contains it.
func settings(v reflect.Value, path string, writeBack func()) []setting {
	switch {
	case v.Kind() == reflect.Struct && !isScalar(v):
		var out []setting
		for _, f := range fieldsOf(v.Type()) {
			out = append(out, settings(v.Field(f.index), joinPath(path, f.name), writeBack)...)
		}
		return out
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		var out []setting
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			store := func() { v.SetMapIndex(key, element) }
			out = append(out, settings(element, joinPath(path, key.String()), store)...)
		}
		return out
	default:
		name := variablePrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
		return []setting{{path, name, v, writeBack}}
	}
}

// isScalar reports whether one text can set v. v must be addressable.
func isScalar(v reflect.Value) bool {
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true
	}
	return v.Kind() == reflect.String || v.Kind() == reflect.Bool || v.CanInt() || v.CanFloat()
}

// joinPath appends a name to a path; "" is the path of the whole configuration.
func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// overlayEnvironment sets scalars from their variables. It reports a variable
// that names a list or a map, a value that is not valid, and an unknown setting
// of a known section.
func (c *checker) overlayEnvironment(environ []string) {
	known := map[string]setting{}
	for _, s := range settings(reflect.ValueOf(c.cfg).Elem(), "", func() {}) {
		known[s.variable] = s
	}
	fields := fieldsOf(reflect.TypeFor[Config]())
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if s, ok := known[name]; ok {
			c.variables[s.path] = name
			if !isScalar(s.value) {
				c.report(s.path, "A variable holds a single value, and this setting is a list or a map.", "set "+s.path+" in the file, and unset the variable")
				continue
			}
			if !utf8.ValidString(value) {
				c.report(s.path, "The variable is not UTF-8 text.", "write it in UTF-8, or set "+s.path+" in the file")
				continue
			}
			if err := setScalar(s.value, value); err != nil {
				c.report(s.path, fmt.Sprintf("%q is not valid: %v.", value, err), "correct the variable or unset it")
				continue
			}
			s.writeBack()
			continue
		}
		for _, field := range fields {
			if strings.HasPrefix(name+"_", variablePrefix+strings.ToUpper(field.name)+"_") {
				p := Problem{File: environment, Field: name, Message: "There is no such setting.", Fix: "unset it"}
				if near := nearest(name, slices.Collect(maps.Keys(known))); near != "" {
					p.Fix = "did you mean " + near + "?"
				}
				c.problems = append(c.problems, p)
				break
			}
		}
	}
}

// setScalar parses text in the syntax of the file and stores it in v.
func setScalar(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return parseInto(v, text, time.ParseDuration)
	case v.Kind() == reflect.Bool:
		return parseInto(v, text, strconv.ParseBool)
	case v.CanInt():
		return parseInto(v, text, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case v.CanFloat():
		return parseInto(v, text, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	default:
		v.SetString(text)
		return nil
	}
}

// parseInto stores the parsed text in v. It leaves v unchanged on an error.
func parseInto[T any](v reflect.Value, text string, parse func(string) (T, error)) error {
	parsed, err := parse(text)
	if err == nil {
		v.Set(reflect.ValueOf(parsed).Convert(v.Type()))
	}
	return err
}

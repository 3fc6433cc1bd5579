package config

import (
	"encoding"
	"fmt"
	"maps"
	"os"
	"os/user"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// variablePrefix starts the name of every variable of ours.
const variablePrefix = "TOKSTA_"

// Process is what commands read of the environment beside the settings.
type Process struct {
	Environ  []string
	Config   string // TOKSTA_CONFIG: path of the configuration
	Socket   string // TOKSTA_SOCKET: operator socket of a server elsewhere on this machine
	Operator string // name for the audit trail: TOKSTA_OPERATOR or the system's user
}

// ReadProcess reads the environment of this process.
func ReadProcess() Process {
	p := Process{
		Environ:  os.Environ(),
		Config:   os.Getenv("TOKSTA_CONFIG"),
		Socket:   os.Getenv("TOKSTA_SOCKET"),
		Operator: os.Getenv("TOKSTA_OPERATOR"),
	}
	if p.Operator == "" {
		if u, err := user.Current(); err == nil {
			p.Operator = u.Username
		}
	}
	return p
}

// setting is one scalar or list of the configuration with its two names.
type setting struct {
	path     string // "listen.tls.cert"
	variable string // "TOKSTA_LISTEN_TLS_CERT"
	value    reflect.Value
	store    func() // writes value back where it is a copy: an element of a map
}

// settings lists every scalar outside lists, which is what a variable can set,
// and every list, which none can.
func settings(v reflect.Value, path string, store func()) []setting {
	switch {
	case v.Kind() == reflect.Struct && !isScalar(v):
		var out []setting
		for _, f := range fieldsOf(v.Type()) {
			out = append(out, settings(v.Field(f.index), join(path, f.name), store)...)
		}
		return out
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		var out []setting
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			back := func() { v.SetMapIndex(key, element) }
			out = append(out, settings(element, join(path, key.String()), back)...)
		}
		return out
	default:
		name := variablePrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
		return []setting{{path, name, v, store}}
	}
}

// isScalar reports whether one text can set v, which must be addressable.
func isScalar(v reflect.Value) bool {
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true
	}
	return v.Kind() == reflect.String || v.Kind() == reflect.Bool || v.CanInt()
}

// join extends a path, "" for the top, by a name.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// overlayEnvironment sets scalars from their variables. A variable that names a
// list, or a section and no setting of it, is a fault, as an unknown field is.
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
				c.fault(s.path, "A variable holds a single value, and this setting does not.", "set "+s.path+" in the file, and unset the variable")
				continue
			}
			if !utf8.ValidString(value) {
				c.fault(s.path, "The variable is not UTF-8 text.", "write it in UTF-8, or set "+s.path+" in the file")
				continue
			}
			if err := setScalar(s.value, value); err != nil {
				c.fault(s.path, fmt.Sprintf("%q does not fit: %v.", value, err), "correct the variable or unset it")
				continue
			}
			s.store()
			continue
		}
		for _, field := range fields {
			if strings.HasPrefix(name+"_", variablePrefix+strings.ToUpper(field.name)+"_") {
				f := Fault{File: environment, Field: name, Problem: "There is no such setting.", Fix: "unset it"}
				if near := nearest(name, slices.Collect(maps.Keys(known))); near != "" {
					f.Fix = "did you mean " + near + "?"
				}
				c.faults = append(c.faults, f)
				break
			}
		}
	}
}

// setScalar reads text as v's type has it in the file: a duration needs its
// unit, an amount its decimals.
func setScalar(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return assign(v, text, time.ParseDuration)
	case v.Kind() == reflect.Bool:
		return assign(v, text, strconv.ParseBool)
	case v.CanInt():
		return assign(v, text, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	default:
		v.SetString(text)
		return nil
	}
}

// assign leaves v alone when text does not parse.
func assign[T any](v reflect.Value, text string, parse func(string) (T, error)) error {
	parsed, err := parse(text)
	if err == nil {
		v.Set(reflect.ValueOf(parsed).Convert(v.Type()))
	}
	return err
}

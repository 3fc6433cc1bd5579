package doors

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// asking is a proxy of which no package is available here. It asks with the bytes that the real one
// sends, and applies the decision as the documentation of the real one states, with the settings of
// its page in docs/integrations.
type asking struct {
	toksta string // address
	// question returns the bytes of the question about r, whose client has that address, or nil if
	// the proxy rejects r by itself with 400.
	question func(r *http.Request, client string) []byte
	// admit changes r by the header of an admission, and returns the fields for the client.
	admit func(r *http.Request, decision http.Header) http.Header
	// unreachable is the status of a request on which there is no decision.
	unreachable int
	// rejectsUpgrade reports whether the proxy rejects r by itself with 403 because of its upgrade. nil: never.
	rejectsUpgrade func(r *http.Request) bool
	backend        *httputil.ReverseProxy
}

// ServeHTTP asks, and forwards an admitted request.
func (a *asking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	if a.rejectsUpgrade != nil && a.rejectsUpgrade(r) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	question := a.question(r, client)
	if question == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	decision, body, err := a.ask(question, r.Method)
	if err != nil {
		w.WriteHeader(a.unreachable)
		return
	}
	if decision.StatusCode != http.StatusOK {
		for _, hop := range []string{"Connection", "Keep-Alive", "Transfer-Encoding"} {
			decision.Header.Del(hop)
		}
		for name, values := range decision.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(decision.StatusCode)
		_, _ = w.Write(body)
		return
	}
	for name, values := range a.admit(r, decision.Header) {
		w.Header()[name] = values
	}
	a.backend.ServeHTTP(w, r)
}

// ask sends the bytes of a question over a connection of its own.
func (a *asking) ask(question []byte, method string) (*http.Response, []byte, error) {
	conn, err := net.Dial("tcp", a.toksta)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(question); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// start serves a until t ends.
func (a *asking) start(t *testing.T, w *World) (address string) {
	t.Helper()
	a.toksta = w.asked()
	to := w.BackEnd.Listener.Addr().String()
	a.backend = &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.RawQuery = "http", to, r.In.URL.RawQuery
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}}
	server := httptest.NewUnstartedServer(a)
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// forwardAuth is the part of traefik.md that decides.
type forwardAuth struct {
	HTTP struct {
		Middlewares map[string]struct {
			ForwardAuth struct {
				Address             string   `yaml:"address"`
				TrustForwardHeader  bool     `yaml:"trustForwardHeader"`
				AuthRequestHeaders  []string `yaml:"authRequestHeaders"`
				AuthResponseHeaders []string `yaml:"authResponseHeaders"`
			} `yaml:"forwardAuth"`
			Headers struct {
				CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
			} `yaml:"headers"`
		} `yaml:"middlewares"`
		Routers map[string]struct {
			Rule        string   `yaml:"rule"`
			Middlewares []string `yaml:"middlewares"`
		} `yaml:"routers"`
	} `yaml:"http"`
}

// startTraefik serves as Traefik 3.7 does, with the block of traefik.md.
func startTraefik(t *testing.T, w *World) string {
	t.Helper()
	var page forwardAuth
	if err := yaml.Load([]byte(w.snippet(t, "traefik.md yaml 2")), &page); err != nil {
		t.Fatal(err)
	}
	middleware := page.HTTP.Middlewares["toksta"].ForwardAuth
	at, err := url.Parse(middleware.Address)
	if err != nil || middleware.TrustForwardHeader || len(middleware.AuthRequestHeaders) > 0 || len(middleware.AuthResponseHeaders) == 0 {
		t.Fatalf("the middleware of traefik.md is %+v", middleware)
	}
	a := &asking{unreachable: http.StatusInternalServerError}
	a.question = func(r *http.Request, client string) []byte {
		forgetNamed(r.Header)
		forgetForwarded(r.Header) // by the entry point, for a client that is not trusted
		header := r.Header.Clone()
		hop := []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade", "Proxy-Connection"}
		for _, line := range header["Connection"] {
			hop = append(hop, strings.Split(strings.ReplaceAll(line, " ", ""), ",")...)
		}
		for _, name := range hop {
			header.Del(name)
		}
		header.Set("X-Forwarded-For", client)
		header.Set("X-Forwarded-Method", r.Method)
		header.Set("X-Forwarded-Proto", "http")
		header.Set("X-Forwarded-Port", "80")
		header.Set("X-Forwarded-Host", r.Host)
		header.Set("X-Forwarded-Uri", r.URL.RequestURI())
		header.Del("Content-Length")
		var b bytes.Buffer
		b.WriteString("GET " + at.Path + " HTTP/1.1\r\nHost: " + at.Host + "\r\n")
		_ = header.Write(&b)
		b.WriteString("Accept-Encoding: gzip\r\n\r\n")
		return b.Bytes()
	}
	a.admit = func(r *http.Request, decision http.Header) http.Header {
		for _, name := range middleware.AuthResponseHeaders {
			r.Header.Del(name)
			if values := decision.Values(name); len(values) > 0 {
				r.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
		router := page.HTTP.Routers["api"]
		if further := page.HTTP.Routers["websocket"]; matchesHeaders(further.Rule, r.Header) {
			router = further
		}
		for _, used := range router.Middlewares {
			for name, value := range page.HTTP.Middlewares[used].Headers.CustomRequestHeaders {
				if value == "" {
					r.Header.Del(name)
				}
			}
		}
		return nil
	}
	return a.start(t, w)
}

// forgetNamed deletes the fields that Connection names, and their names, as the entry point of Traefik
// does before any middleware.
func forgetNamed(h http.Header) {
	upgrade := false
	for _, line := range h["Connection"] {
		for _, name := range strings.Split(line, ",") {
			if name = strings.TrimSpace(name); strings.EqualFold(name, "Upgrade") {
				upgrade = true
			} else {
				h.Del(name)
			}
		}
	}
	h.Del("Connection")
	if upgrade {
		h.Set("Connection", "Upgrade")
	}
}

// headerRegexp is a part of a rule of Traefik.
var headerRegexp = regexp.MustCompile("(!?)HeaderRegexp\\(`([^`]+)`, `([^`]+)`\\)")

// matchesHeaders reports whether a header satisfies each HeaderRegexp of a rule, which has at least one: it matches
// if one of the field's lines does.
func matchesHeaders(rule string, h http.Header) bool {
	parts := headerRegexp.FindAllStringSubmatch(rule, -1)
	for _, part := range parts {
		if slices.ContainsFunc(h.Values(part[2]), regexp.MustCompile(part[3]).MatchString) == (part[1] == "!") {
			return false
		}
	}
	return len(parts) > 0
}

// forgetForwarded deletes the fields with which a client that is not trusted could state a proxy.
func forgetForwarded(h http.Header) {
	for _, name := range []string{"For", "Proto", "Host", "Port", "Server", "Uri", "Method", "Prefix", "Tls-Client-Cert", "Tls-Client-Cert-Info"} {
		h.Del("X-Forwarded-" + name)
	}
	h.Del("X-Real-Ip")
}

// matcher is a pattern of field names of Envoy.
type matcher struct {
	Exact     string `yaml:"exact"`
	Prefix    string `yaml:"prefix"`
	SafeRegex struct {
		Regex string `yaml:"regex"`
	} `yaml:"safe_regex"`
}

// matchers is a list of them.
type matchers struct {
	Patterns []matcher `yaml:"patterns"`
}

// match reports whether one of the patterns matches a name in lower case.
func (m matchers) match(name string) bool {
	return slices.ContainsFunc(m.Patterns, func(p matcher) bool {
		switch {
		case p.Exact != "":
			return name == p.Exact
		case p.Prefix != "":
			return strings.HasPrefix(name, p.Prefix)
		}
		return regexp.MustCompile("^(?:" + p.SafeRegex.Regex + ")$").MatchString(name)
	})
}

// extAuthz is the part of envoy.md that decides.
type extAuthz struct {
	Filters []struct {
		Config struct {
			FailureModeAllow bool     `yaml:"failure_mode_allow"`
			AllowedHeaders   matchers `yaml:"allowed_headers"`
			Service          struct {
				PathPrefix string `yaml:"path_prefix"`
				Response   struct {
					Upstream  matchers `yaml:"allowed_upstream_headers"`
					OnSuccess matchers `yaml:"allowed_client_headers_on_success"`
				} `yaml:"authorization_response"`
			} `yaml:"http_service"`
		} `yaml:"typed_config"`
	} `yaml:"http_filters"`
	Remove []string `yaml:"request_headers_to_remove"`
}

// startEnvoy serves as Envoy 1.36 does, with the block of envoy.md.
func startEnvoy(t *testing.T, w *World) string {
	t.Helper()
	var page extAuthz
	if err := yaml.Load([]byte(w.snippet(t, "envoy.md yaml 2")), &page); err != nil {
		t.Fatal(err)
	}
	filter := page.Filters[0].Config
	if filter.FailureModeAllow || filter.Service.PathPrefix == "" {
		t.Fatalf("the filter of envoy.md is %+v", filter)
	}
	a := &asking{unreachable: http.StatusServiceUnavailable, rejectsUpgrade: rejectUpgrade}
	a.question = func(r *http.Request, client string) []byte {
		if len(r.Header["Upgrade"]) == 0 {
			r.Header.Del("Connection") // and Envoy keeps the fields that it names
		}
		r.Header["X-Forwarded-For"] = []string{strings.Join(append(r.Header["X-Forwarded-For"], client), ",")}
		var b bytes.Buffer
		b.WriteString(r.Method + " " + filter.Service.PathPrefix + r.RequestURI + " HTTP/1.1\r\nhost: " + r.Host + "\r\ncontent-length: 0\r\n")
		for name, values := range r.Header {
			lower := strings.ToLower(name)
			if strings.Contains(lower, "_") {
				return nil // headers_with_underscores_action: REJECT_REQUEST
			}
			if lower != "authorization" && !filter.AllowedHeaders.match(lower) {
				continue
			}
			for _, value := range values {
				if lower == "x-forwarded-for" {
					value += ",127.0.0.1" // Envoy's own address
				}
				b.WriteString(lower + ": " + value + "\r\n")
			}
		}
		b.WriteString("x-envoy-internal: true\r\n\r\n")
		return b.Bytes()
	}
	a.admit = func(r *http.Request, decision http.Header) http.Header {
		toClient := http.Header{}
		for name, values := range decision {
			lower := strings.ToLower(name)
			if filter.Service.Response.Upstream.match(lower) {
				r.Header[name] = values
			}
			if filter.Service.Response.OnSuccess.match(lower) {
				toClient[name] = values
			}
		}
		for _, name := range page.Remove {
			r.Header.Del(name)
		}
		return toClient
	}
	return a.start(t, w)
}

// rejectUpgrade does with upgrades as Envoy does if its configuration lists WebSocket only: it ignores one to h2c and
// reports whether it rejects another one.
func rejectUpgrade(r *http.Request) bool {
	protocols := strings.ToLower(strings.Join(r.Header["Upgrade"], ","))
	if protocols == "h2c" {
		r.Header.Del("Upgrade")
		r.Header.Del("Http2-Settings")
	}
	return protocols != "" && protocols != "h2c" && protocols != "websocket"
}

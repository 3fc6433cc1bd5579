package gateway

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// refreshTarget matches the text before the reference in a Refresh field, such as "5; url=/next".
var refreshTarget = regexp.MustCompile(`(?i)\burl=`)

// relocateAll relocates the references in the fields Location, Content-Location and Refresh.
func (p *proxy) relocateAll(h http.Header) {
	for _, name := range []string{"Location", "Content-Location"} {
		for i, reference := range h[name] {
			h[name][i] = p.relocate(reference)
		}
	}
	for i, refresh := range h["Refresh"] {
		if at := refreshTarget.FindStringIndex(refresh); at != nil {
			h["Refresh"][i] = refresh[:at[1]] + p.relocate(refresh[at[1]:])
		}
	}
}

// relocate turns a reference to the upstream's own address, which callers cannot reach,
// into its path without the base path, behind the prefix that the route strips. It returns other references unchanged.
func (p *proxy) relocate(reference string) string {
	u, err := url.Parse(reference)
	if err != nil || u.User != nil || u.Host == "" || u.Scheme != "" && u.Scheme != p.base.Scheme || authority(u, p.base.Scheme) != authority(p.base, p.base.Scheme) {
		return reference
	}
	_, rest, _ := strings.Cut(reference, "//")
	rest, under := strings.CutPrefix(rest, u.Host+p.base.RawPath)
	switch {
	case !under || rest != "" && strings.IndexByte("/?#", rest[0]) < 0:
		return reference
	case strings.HasPrefix(rest, "//"): // not the name of another host
		return "/." + rest
	case strings.HasPrefix(rest, "/"):
		return p.rewritten.Prefix() + rest
	default:
		return p.rewritten.Prefix() + "/" + rest
	}
}

// authority returns host:port of u in lower case.
func authority(u *url.URL, scheme string) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

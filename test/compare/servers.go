package main

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// serve runs the reference server of this program: net/http with a static 200
// response and, if -keys is set, with Toksta's decision and a reverse proxy.
func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address")
	keys := flags.String("keys", "", "file of lines: digest in hex, space, account")
	upstream := flags.String("upstream", "", "URL of the upstream")
	if err := flags.Parse(args); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc(pathHealth, respondOK)
	if *keys != "" {
		d, err := newDecider(*keys, *upstream)
		if err != nil {
			return err
		}
		mux.HandleFunc("/decision", d.check)
		mux.HandleFunc("/", d.proxied)
	}
	return http.ListenAndServe(*listen, mux)
}

func respondOK(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`)
}

// decider looks up the key in Toksta's index and rejects with 401 or 403 as Toksta
// does. It has no lease and no rate limit, counts no calls and writes no log records.
type decider struct {
	index          *index.Index
	called, denied *toksta.Route
	proxy          *httputil.ReverseProxy
}

// newDecider reads the digests of all keys.
func newDecider(keys, upstream string) (*decider, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	d := &decider{
		index: index.New(&toksta.Catalog{
			Plans:    []toksta.Plan{{ID: "BENCH", API: toksta.APIAlways, Families: []toksta.Family{"data"}}},
			Statuses: map[toksta.Status]toksta.Reason{toksta.StatusActive: ""},
		}),
		called: &toksta.Route{Method: "GET", Pattern: pathCall, Family: "data"},
		denied: &toksta.Route{Method: "GET", Pattern: pathDenied, Family: "workspace"},
		proxy: &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
			Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		},
	}
	file, err := os.Open(keys)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		text, account, _ := strings.Cut(lines.Text(), " ")
		var digest toksta.Digest
		if _, err := hex.Decode(digest[:], []byte(text)); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", keys, n, err)
		}
		id := toksta.AccountID(account)
		if d.index.Standing(id) == nil {
			d.index.PutAccount(toksta.Account{ID: id, Plan: "BENCH", Status: toksta.StatusActive})
		}
		d.index.PutGrant(digest, id, toksta.Grant{KeyID: toksta.KeyID(fmt.Sprintf("key_%d", n)), Generation: 1})
	}
	return d, lines.Err()
}

// decide returns the account of an admitted call to path, or the status of the
// rejection.
func (d *decider) decide(r *http.Request, path string) (account toksta.AccountID, status int) {
	digest, err := httpauth.Credential(r.Header["Authorization"])
	if err != nil {
		return "", http.StatusUnauthorized
	}
	grant, standing, known := d.index.Lookup(digest)
	if !known {
		return "", http.StatusUnauthorized
	}
	call := toksta.Call{Digest: digest, Route: d.called, Now: time.Now()}
	if strings.HasPrefix(path, pathDenied) {
		call.Route = d.denied
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		call.Addr = peer.Addr()
	}
	if rejection := toksta.Authorize(&grant, standing, &call); rejection.Rejected() {
		return "", httpauth.Status(rejection.Code)
	}
	return standing.Account.ID, http.StatusOK
}

// proxied decides a call and forwards it if it is admitted.
func (d *decider) proxied(w http.ResponseWriter, r *http.Request) {
	account, status := d.decide(r, r.URL.Path)
	if status != http.StatusOK {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"code":"REJECTED"}}`)
		return
	}
	r.Header.Set("X-Account-Id", string(account))
	d.proxy.ServeHTTP(w, r)
}

// check responds to nginx's auth_request with the decision only.
func (d *decider) check(w http.ResponseWriter, r *http.Request) {
	account, status := d.decide(r, r.Header.Get("X-Original-Uri"))
	if status == http.StatusOK {
		w.Header().Set("X-Account-Id", string(account))
	}
	w.WriteHeader(status)
}

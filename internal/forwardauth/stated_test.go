package forwardauth

import (
	"net/http"
	"testing"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/sdk/toksta"
)

// fieldsOf returns the fields of pairs of names, in any spelling that net/http keeps, and values.
func fieldsOf(pairs ...string) map[string][]string {
	fields := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		name := http.CanonicalHeaderKey(pairs[i])
		fields[name] = append(fields[name], pairs[i+1])
	}
	return fields
}

// Guarantee: a deciding value that is missing, empty, sent twice, malformed or contradicted by
// another field, in any spelling of its name, is rejected in every form.
func TestRead(t *testing.T) {
	t.Parallel()
	whole := func(name string, more ...string) []string {
		if name == "original" {
			return append([]string{"X-Original-Method", "GET", "X-Original-URI", "/a?b=c"}, more...)
		}
		return append([]string{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a?b=c"}, more...)
	}
	type fields []string
	for name, c := range map[string]struct {
		endpoint string
		fields   []string
		accepted bool
	}{
		"original":                    {pathOriginal, whole("original"), true},
		"nginx":                       {pathNginx, whole("original"), true},
		"forwarded":                   {pathForwarded, whole("forwarded"), true},
		"forwarded, query of its own": {pathForwarded + "?b=c", whole("forwarded"), true},
		"the other form":              {pathForwarded, whole("original"), false},
		"both forms, equal":           {pathForwarded, whole("forwarded", whole("original")...), true},
		"no fields":                   {pathOriginal, nil, false},
		"no method":                   {pathOriginal, fields{"X-Original-URI", "/a"}, false},
		"no target":                   {pathOriginal, fields{"X-Original-Method", "GET"}, false},
		"empty method":                {pathOriginal, fields{"X-Original-Method", "", "X-Original-URI", "/a"}, false},
		"empty target":                {pathOriginal, fields{"X-Original-Method", "GET", "X-Original-URI", ""}, false},
		"target twice":                {pathOriginal, whole("original", "X-Original-URI", "/a?b=c"), false},
		"target twice, one empty":     {pathOriginal, whole("original", "X-Original-URI", ""), false},
		"method twice":                {pathForwarded, whole("forwarded", "X-Forwarded-Method", "GET"), false},
		"list of methods":             {pathForwarded, fields{"X-Forwarded-Method", "GET, POST", "X-Forwarded-Uri", "/a"}, false},
		"method with a digit":         {pathForwarded, fields{"X-Forwarded-Method", "GET1", "X-Forwarded-Uri", "/a"}, false},
		"absolute target":             {pathForwarded, fields{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "http://h/a"}, false},
		"asterisk":                    {pathForwarded, fields{"X-Forwarded-Method", "OPTIONS", "X-Forwarded-Uri", "*"}, false},
		"authority":                   {pathForwarded, fields{"X-Forwarded-Method", "CONNECT", "X-Forwarded-Uri", "h:443"}, false},
		"fragment":                    {pathForwarded, fields{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a#b"}, false},
		"fragment in the query":       {pathForwarded, fields{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a?b#c"}, false},
		"control character":           {pathForwarded, fields{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a\tb"}, false},
		"delete":                      {pathForwarded, fields{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a\x7f"}, false},
		"list of targets":             {pathForwarded, fields{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a, /b"}, false},
		"forged target":               {pathOriginal, whole("original", "X-Forwarded-Uri", "/b"), false},
		"forged target, underscores":  {pathOriginal, whole("original", "X_Original_URI", "/b"), false},
		"forged target, dots":         {pathForwarded, whole("forwarded", "x.forwarded.uri", "/b"), false},
		"forged URL":                  {pathForwarded, whole("forwarded", "X-Original-URL", "/b"), false},
		"rewritten URL":               {pathForwarded, whole("forwarded", "X-Rewrite-URL", "/b"), false},
		"forged method":               {pathForwarded, whole("forwarded", "X-Original-Method", "POST"), false},
		"method override":             {pathForwarded, whole("forwarded", "X-HTTP-Method-Override", "DELETE"), false},
		"hop-by-hop target":           {pathForwarded, whole("forwarded", "Connection", "close, X-Forwarded-Uri"), false},
		"hop-by-hop address":          {pathForwarded, whole("forwarded", "Connection", "x-forwarded-for"), false},
		"hop-by-hop key":              {pathForwarded, whole("forwarded", "Connection", "Authorization"), false},
		"hop-by-hop identity":         {pathForwarded, whole("forwarded", "Connection", "close, x_acme_plan"), false},
		"path of Gunicorn":            {pathForwarded, whole("forwarded", "SCRIPT_NAME", "/a"), false},
		"path of Gunicorn, hyphen":    {pathForwarded, whole("forwarded", "Script-Name", "/a"), false},
		"path of Gunicorn, rest":      {pathForwarded, whole("forwarded", "PATH_INFO", "/b"), false},
		"path of a Flask recipe":      {pathForwarded, whole("forwarded", "X-Script-Name", "/a"), false},
		"path of Daphne":              {pathForwarded, whole("forwarded", "Daphne-Root-Path", "/a"), false},
		"upgrade to HTTP/2":           {pathForwarded, whole("forwarded", "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABk"), false},
		"upgrade to HTTP/2, bare":     {pathForwarded, whole("forwarded", "Upgrade", "H2C"), false},
		"settings of HTTP/2":          {pathForwarded, whole("forwarded", "HTTP2-Settings", "AAMAAABk"), false},
		"upgrade, two protocols":      {pathForwarded, whole("forwarded", "Upgrade", "websocket, h2c"), false},
		"upgrade twice":               {pathForwarded, whole("forwarded", "Upgrade", "websocket", "Upgrade", "h2c"), false},
		"upgrade to WebSocket":        {pathForwarded, whole("forwarded", "Connection", "Upgrade", "Upgrade", "WebSocket"), true},
		"connection for an upgrade":   {pathForwarded, whole("forwarded", "Connection", "keep-alive, Upgrade"), true},
		"no matter of the decision":   {pathForwarded, whole("forwarded", "X-Forwarded-Prefix", "/b", "X-Forwarded-Port", "1", "X-Forwarded-Host", "h"), true},
		"Envoy":                       {pathEnvoy + "/a?b=c", nil, true},
		"Envoy, forged":               {pathEnvoy + "/a?b=c", whole("forwarded", "X-Forwarded-Uri", "/b"), false},
		"Envoy, no target":            {pathEnvoy, nil, false},
		"Envoy, asterisk":             {pathEnvoy + "*", nil, false},
		"Envoy, another path":         {pathEnvoy + "x/a", nil, false},
	} {
		f, rest, ok := formOf(c.endpoint)
		if !ok {
			t.Errorf("%s: %s is no endpoint", name, c.endpoint)
			continue
		}
		fields := fieldsOf(c.fields...)
		got, err := f.read(fields, stated{"GET", rest})
		if err == nil {
			err = f.checkOthers(fields, got, admit.NewOwnPrefix("X-Acme"))
		}
		switch {
		case c.accepted && (err != nil || got != stated{"GET", "/a?b=c"}):
			t.Errorf("%s: %+v, %v", name, got, err)
		case !c.accepted && toksta.ErrorCode(err) != toksta.CodeBadRequest:
			t.Errorf("%s: %+v, %v, want %s", name, got, err, toksta.CodeBadRequest)
		}
	}
	for _, target := range []string{"/", "/nginx/response", "/original/", "/v1/things", "http://h/original"} {
		if _, _, ok := formOf(target); ok {
			t.Errorf("%s is an endpoint", target)
		}
	}
}

// Guarantee: the check of a question's other fields costs no allocation, because every call of a
// proxy's clients passes it.
func TestCheckOthersAllocatesNothing(t *testing.T) {
	fields := fieldsOf("X-Original-Method", "GET", "X-Original-URI", "/a", "Authorization", "Bearer a", "User-Agent", "a", "Accept", "*/*", "X-Forwarded-For", "a",
		"X-Forwarded-Proto", "https", "Connection", "keep-alive")
	f, _, _ := formOf(pathOriginal)
	own := admit.NewOwnPrefix("X-Acme")
	n := testing.AllocsPerRun(100, func() {
		if err := f.checkOthers(fields, stated{"GET", "/a"}, own); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

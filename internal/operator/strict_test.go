package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/operator/v1/keys/create", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// Guarantee: a request that two parsers could read in different ways is rejected, so that
// the audit trail shows the request that was made.
func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		code toksta.Code
		says string
	}{
		"duplicate name":            {`{"name":"a","name":"b"}`, toksta.CodeBadRequest, "twice"},
		"duplicate in another case": {`{"name":"a","Name":"b"}`, toksta.CodeBadRequest, "twice"},
		"duplicate deeper":          {`{"scopes":[{"a":1,"b":[{}],"a":2}]}`, toksta.CodeBadRequest, "twice"},
		"duplicate by escape":       {`{"name":"a","n\u0061me":"b"}`, toksta.CodeBadRequest, "twice"},
		"a zero character":          {`{"name":"a\u0000b"}`, toksta.CodeBadRequest, "U+0000"},
		"a byte of Latin-1":         {"{\"name\":\"caf\xe9\"}", toksta.CodeBadRequest, "E9 is not UTF-8"},
		"half a surrogate pair":     {`{"name":"\ud800"}`, toksta.CodeBadRequest, "surrogate"},
		"half a pair in a name":     {`{"n\udc00me":"a"}`, toksta.CodeBadRequest, "surrogate"},
		"unknown field":             {`{"name":"a","admin":true}`, toksta.CodeValidation, "no such field"},
		"wrong type":                {`{"name":7}`, toksta.CodeValidation, "does not fit"},
		"data after":                {`{"name":"a"} {}`, toksta.CodeBadRequest, "after"},
		"not an object":             {`[]`, toksta.CodeBadRequest, "not a JSON object"},
		"not JSON":                  {`name=a`, toksta.CodeBadRequest, "not one JSON object"},
		"cut off":                   {`{"name":"a"`, toksta.CodeBadRequest, "not one JSON object"},
		"unbalanced":                {`{"name":["a"}`, toksta.CodeBadRequest, "not one JSON object"},
		"empty":                     {``, toksta.CodeBadRequest, "not one JSON object"},
		"too large":                 {`{"name":"` + strings.Repeat("a", maxBody) + `"}`, toksta.CodePayloadTooLarge, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var request client.CreateKeyRequest
			err := decode(httptest.NewRecorder(), post(test.body), &request)
			if toksta.ErrorCode(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %s with %q", err, test.code, test.says)
			}
		})
	}
}

// Guarantee: the form of another site's page is not a valid request.
func TestDecodeRefusesOtherMedia(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json-patch+json"} {
		r := post(`{"name":"a"}`)
		r.Header.Set("Content-Type", media)
		var request client.CreateKeyRequest
		if err := decode(httptest.NewRecorder(), r, &request); toksta.ErrorCode(err) != toksta.CodeBadRequest {
			t.Errorf("%q: got %v", media, err)
		}
	}
}

// Guarantee: a valid request is decoded completely. The same name in two objects is not a
// duplicate.
func TestDecodeReads(t *testing.T) {
	t.Parallel()
	var request client.ImportRequest
	err := decode(httptest.NewRecorder(), post(`{"rows":[{"name":"a","scopes":["data"]},{"name":"b"}],"dry_run":true}`), &request)
	if err != nil || len(request.Rows) != 2 || request.Rows[1].Name != "b" || !request.DryRun {
		t.Errorf("got %+v, %v", request, err)
	}
}

func BenchmarkDecodeImport(b *testing.B) {
	request := client.ImportRequest{Token: "t"}
	for i := range 5000 {
		request.Rows = append(request.Rows, client.ImportRow{
			Digest: strings.Repeat("ab", 32), Account: "acct_01M857YSDJWMWN1AN6VYG9EYCG", Name: fmt.Sprint("key ", i),
			Scopes: []toksta.Family{"data", "job"}, Start: "a1b2", End: "9f0e", CreatedAt: new(time.Unix(1e9, 0)),
		})
	}
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var out client.ImportRequest
		if err := decode(httptest.NewRecorder(), r, &out); err != nil {
			b.Fatal(err)
		}
	}
}

package operator

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: each field of a call is read. A field that is added to client.VerifyRequest
// must be added to the parser.
func TestParseCallReadsEveryField(t *testing.T) {
	t.Parallel()
	want := client.VerifyRequest{
		Key: "tk", Authorization: "Bearer ü\"", Operation: "getThing", Method: "GET", Target: "/a?b", Address: netip.MustParseAddr("2001:db8::1"),
		Agent: "agent", RequestID: "id", Traceparent: "parent", TraceID: "trace", Credits: new(int64(7)),
		Hold: &client.VerifyHold{Job: "job", ExpiresIn: 9},
	}
	for _, v := range []reflect.Value{reflect.ValueOf(want), reflect.ValueOf(*want.Hold)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Fatalf("the test does not set %s", v.Type().Field(i).Name)
			}
		}
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseCall(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// calls are texts of calls, of which several are malformed.
var calls = []string{
	`{}`, ` { "key" : "tk_live_1" , "operation":"getThing" } `, `{"key":"\u00e9\n","target":"/ö"}`, `{"credits":0}`, `{"credits":-0,"hold":null}`,
	`{"hold":{"job":"a"}}`, `{"hold":{}}`, `{"address":""}`, `{"address":"192.0.2.1"}`, `{"address":"fe80::1%eth0"}`, `{"key":null,"credits":null}`,
	``, `null`, `[]`, `"x"`, `{`, `{}x`, `{}{}`, `{"key"}`, `{"key":}`, `{"key":"a",}`, `{,}`, `{"key":"a" "agent":"b"}`, `{"key":"a}`, `{"key":"\x"}`,
	`{"key":"a","key":"b"}`, `{"key":null,"key":"b"}`, `{"hold":{"job":"a","job":"b"}}`, `{"other":1}`, `{"hold":{"other":1}}`, `{"key":1}`, `{"key":{}}`,
	`{"credits":1.0}`, `{"credits":1e2}`, `{"credits":01}`, `{"credits":"1"}`, `{"credits":9223372036854775808}`, `{"credits":tru}`, `{"credits":true}`,
	`{"address":"192.0.2.1:80"}`, `{"address":5}`, `{"hold":5}`, `{"hold":[]}`, `{"key":"\ud800"}`, `{"key":"` + "\xff" + `"}`, `{"key":"\u0000"}`,
	"{\"key\":\"a\nb\"}", `{"key":nul}`, `{"key":nullx}`, `{"agent":"` + strings.Repeat("a", 5000) + `"}`,
}

// FuzzParseCall compares the parser with the general decoder, which reads several times.
//
// Guarantee: the parser of calls accepts the same JSON as the general decoder and reads the
// same values, except that it compares names with case.
func FuzzParseCall(f *testing.F) {
	for _, text := range calls {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want client.VerifyRequest
		wantErr := text.CheckObject(data)
		if wantErr == nil {
			wantErr = decodeFields(data, &want)
		}
		if wantErr == nil && !inCase(data) {
			return
		}
		got, err := parseCall(data)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, the general decoder returns %v", data, err, wantErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%q\n%s", data, diff)
		}
	})
}

// inCase reports whether all names of a call are written as declared.
func inCase(data []byte) bool {
	var call map[string]json.RawMessage
	if json.Unmarshal(data, &call) != nil {
		return false
	}
	for name := range call {
		if !slices.Contains(callFields, name) {
			return false
		}
	}
	var hold map[string]json.RawMessage
	_ = json.Unmarshal(call["hold"], &hold)
	for name := range hold {
		if !slices.Contains(holdFields, name) {
			return false
		}
	}
	return true
}

// Guarantee: a malformed call of a batch affects no other call; a syntax error rejects the
// batch.
func TestParseCalls(t *testing.T) {
	t.Parallel()
	got, malformed, err := parseCalls([]byte(`{"calls":[{"key":"a"},{"key":5},"x",{"other":[1,{"key":"b"}]},{"key":"c","credits":1}]}`))
	if err != nil || len(got) != 5 || len(malformed) != 5 {
		t.Fatal(got, malformed, err)
	}
	for i, bad := range []bool{false, true, true, true, false} {
		if (malformed[i] != nil) != bad {
			t.Errorf("call %d: %v", i, malformed[i])
		}
	}
	if got[0].Key != "a" || got[4].Key != "c" || *got[4].Credits != 1 {
		t.Errorf("%#v", []string{got[0].Key, got[4].Key})
	}
	many := func(n int) string { return `{"calls":[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `]}` }
	if got, _, err := parseCalls([]byte(many(client.MaxVerifyBatch))); err != nil || len(got) != client.MaxVerifyBatch {
		t.Errorf("%d calls, %v", len(got), err)
	}
	for _, text := range []string{
		``, `{}`, `{"calls":[]}`, `{"calls":{}}`, `{"calls":null}`, `{"calls":[{}],"calls":[{}]}`, `{"calls":[{}],"other":1}`, `{"calls":[{}]`, `{"calls":[{},]}`,
		`{"calls":[{"key":"a}]}`, `{"calls":[{}]}x`, many(client.MaxVerifyBatch + 1),
	} {
		if got, _, err := parseCalls([]byte(text)); err == nil {
			t.Errorf("%.60s: accepted as %d calls", text, len(got))
		}
	}
}

// Guarantee: the bodies of verify and verify/batch are limited, and must be JSON.
func TestVerifyBody(t *testing.T) {
	t.Parallel()
	long := `{"agent":"` + strings.Repeat("a", maxCallBody) + `"}`
	for name, test := range map[string]struct {
		request ownDecoder
		body    string
		code    toksta.Code
	}{
		"a call":          {&verifyRequest{}, `{"agent":"a"}`, ""},
		"a long call":     {&verifyRequest{}, long, toksta.CodePayloadTooLarge},
		"a batch":         {&verifyBatchRequest{}, `{"calls":[` + long + `]}`, ""},
		"a long batch":    {&verifyBatchRequest{}, `{"calls":[{"agent":"` + strings.Repeat("a", maxBatchBody) + `"}]}`, toksta.CodePayloadTooLarge},
		"an empty body":   {&verifyRequest{}, "", toksta.CodeBadRequest},
		"a batch of none": {&verifyBatchRequest{}, "{}", toksta.CodeValidation},
	} {
		if err := test.request.decode(httptest.NewRecorder(), post(test.body)); toksta.ErrorCode(err) != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
	form := post(`{}`)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := new(verifyRequest).decode(httptest.NewRecorder(), form); toksta.ErrorCode(err) != toksta.CodeBadRequest {
		t.Errorf("a form: %v", err)
	}
}

// Guarantee: the error about a malformed call never repeats a secret, wherever it was put.
func TestParseCallHidesSecrets(t *testing.T) {
	t.Parallel()
	const secret = "tk_live_0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, text := range []string{
		`{"` + secret + `":1}`, `{"key":{"` + secret + `":1}}`, `{"key":["` + secret + `"]}`, `{"credits":"` + secret + `"}`,
		`{"address":"` + secret + `"}`, `{"key":"` + secret, `{"key":"` + secret + `\x"}`, `{"hold":{"` + secret + `":1}}`, `"` + secret + `"`,
	} {
		_, err := parseCall([]byte(text))
		if e, ok := err.(*toksta.Error); !ok || strings.Contains(e.Message, secret[8:30]) || len(e.Details) > 0 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

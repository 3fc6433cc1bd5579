package httpauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// A server stores and compares the digest of a key.
func ExampleCredential() {
	digest, err := httpauth.Credential([]string{"Bearer tk_live_0a"})
	fmt.Println(digest, err)
	_, err = httpauth.Credential(nil)
	fmt.Println(err)
	// Output:
	// b2b777ba82f859161970e9fea420b6fd2f47beab2e32b650026d351a9919611b <nil>
	// UNAUTHORIZED: Provide an API key using the Authorization: Bearer header.
}

// A handler of the vendor's own rejects a request in the envelope of the API.
func ExampleWriteError() {
	w := httptest.NewRecorder()
	m := &httpauth.Meta{RequestID: "req_1", TraceID: "t1"}
	httpauth.WriteError(w, m, &toksta.Error{Code: toksta.CodeNotFound, Message: "No such creator."})
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// 404 application/json
	// {"success":false,"error":{"code":"NOT_FOUND","message":"No such creator."},"meta":{"request_id":"req_1","trace_id":"t1"}}
}

// WriteData writes a success in the envelope of the API.
func ExampleWriteData() {
	w := httptest.NewRecorder()
	_ = httpauth.WriteData(w, &httpauth.Meta{RequestID: "req_1"}, http.StatusOK, map[string]int{"calls": 3})
	fmt.Println(w.Body)
	// Output: {"success":true,"data":{"calls":3},"meta":{"request_id":"req_1"}}
}

// decides is a verifier for this example. Programs use the one of client.NewVerifier, or
// that of an embedded node.
type decides struct{}

func (decides) Verify(_ context.Context, c httpauth.Call) (httpauth.Decision, error) {
	if len(c.Authorization) == 0 {
		e := httpauth.ErrorReply(&httpauth.Meta{RequestID: "req_1", TraceID: "t1"}, toksta.Reject(toksta.ReasonKeyMissing).Err())
		return httpauth.Decision{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyMissing, Reply: e}, nil
	}
	return httpauth.Decision{Admitted: true, Principal: toksta.Principal{AccountID: "acct_1", KeyID: "key_1", Plan: "PRO"}}, nil
}

// Require admits a request to the handler, or sends the response of the gateway. The
// handler gets the account and the key from the context.
func ExampleRequire() {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := httpauth.FromContext(r.Context())
		fmt.Fprintf(w, "%s on the plan %s", caller.AccountID, caller.Plan)
	})
	protect := httpauth.Require(decides{})
	server := httptest.NewServer(protect(api))
	defer server.Close()
	for _, credential := range []string{"Bearer tk_live_0a", ""} {
		r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
		if credential != "" {
			r.Header.Set("Authorization", credential)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Println(res.StatusCode, string(body))
	}
	// Output:
	// 200 acct_1 on the plan PRO
	// 401 {"success":false,"error":{"code":"UNAUTHORIZED","message":"Provide an API key using the Authorization: Bearer header."},"meta":{"request_id":"req_1","trace_id":"t1"}}
}

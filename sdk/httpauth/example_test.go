package httpauth_test

import (
	"fmt"
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

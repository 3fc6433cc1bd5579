package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// A change is enforced on every node when the call returns.
func ExampleNew() {
	api := client.New("/var/lib/toksta/toksta.sock", client.WithTimeout(30*time.Second))
	api.Operator = "billing job"
	_, err := api.RevokeKey(context.Background(), client.KeyRef{Key: "key_01hxyz"})
	var failure *toksta.Error
	switch {
	case errors.As(err, &failure) && failure.Code == toksta.CodeNotFound:
		fmt.Println("no such key")
	case err != nil:
		fmt.Println("not revoked:", err)
	}
}

// A receiver of webhooks verifies the signature before it reads the body.
func ExampleVerifyWebhook() {
	handler := func(w http.ResponseWriter, r *http.Request, body []byte) {
		hook, err := client.VerifyWebhook(r.Header, body, time.Now(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		if err != nil {
			http.Error(w, "the signature is not valid", http.StatusUnauthorized)
			return
		}
		fmt.Println(hook.Kind)
	}
	_ = handler
}

package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
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

// A program on another machine uses an operator key, which it reads from a file.
func ExampleWithKey() {
	key, err := os.ReadFile("/run/secrets/operator-key")
	if err != nil {
		fmt.Println(err)
		return
	}
	api := client.New("https://keys.example.com:8443", client.WithKey(strings.TrimSpace(string(key))), client.WithTimeout(30*time.Second))
	page, err := api.ListAccounts(context.Background(), client.ListAccountsRequest{Limit: 10})
	if err != nil {
		fmt.Println("no list:", err)
		return
	}
	fmt.Println(len(page.Accounts), "accounts")
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

// A program protects its own handlers. Only the proxies in front of it may state the
// address of a client.
func ExampleNewVerifier() {
	verifier := client.NewVerifier("/var/lib/toksta/toksta.sock")
	protect := httpauth.Require(verifier, httpauth.WithAddress(httpauth.TrustedProxies(netip.MustParsePrefix("10.0.0.0/24"))))
	api := http.NewServeMux()
	api.HandleFunc("GET /v1/creators/{id}", func(w http.ResponseWriter, r *http.Request) {
		caller, _ := httpauth.FromContext(r.Context())
		fmt.Fprintln(w, caller.AccountID)
	})
	_ = http.ListenAndServe(":9000", protect(api))
}

// A job with a price that is known at its end holds its credits at the decision, and
// charges the price when it is done.
func ExampleVerifier_Settle() {
	verifier := client.NewVerifier("/var/lib/toksta/toksta.sock")
	most := int64(100)
	protect := httpauth.Require(verifier, httpauth.WithCall(func(_ *http.Request, c *httpauth.Call) error {
		c.Credits, c.Hold = &most, &httpauth.Hold{Job: "report 7", Expires: time.Hour}
		return nil
	}))
	start := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decision, _ := httpauth.DecisionFromContext(r.Context())
		go func() {
			price := int64(42) // of the job that ran here
			if err := verifier.Settle(context.Background(), decision, price); err != nil {
				fmt.Println("settle the job:", err)
			}
		}()
		w.WriteHeader(http.StatusAccepted)
	})
	_ = http.ListenAndServe(":9000", protect(start))
}

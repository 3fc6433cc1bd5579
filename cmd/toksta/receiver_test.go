package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"time"

	"github.com/toksta/toksta/sdk/client"
)

// receiver is a vendor's back office, as a program of its own: over TLS by a
// certificate of nobody's, which it leaves in ca.pem, at the address in url. It
// answers 410 while there is a file named gone, and adds what it could verify
// to heard.
func receiver() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		webhook, err := client.VerifyWebhook(r.Header, body, time.Now(), os.Getenv("TOKSTA_WEBHOOKS_BILLING_SECRET"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		if _, err := os.Stat("gone"); err == nil {
			w.WriteHeader(http.StatusGone)
			return
		}
		heard, err := os.OpenFile("heard", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer heard.Close()
		fmt.Fprintln(heard, r.Proto, webhook.Kind, webhook.ID)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if os.WriteFile("ca.pem", certificate, 0o600) != nil || os.WriteFile("url", []byte(server.URL+"/end"), 0o600) != nil {
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
}

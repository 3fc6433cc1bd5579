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

// receiver runs a webhook receiver as a separate program. It writes its URL to url
// and its self-signed certificate to ca.pem. It appends verified events to received,
// and responds 410 while a file named gone exists.
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
		received, err := os.OpenFile("received", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer received.Close()
		fmt.Fprintln(received, r.Proto, webhook.Kind, webhook.ID)
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

package demo

import (
	"fmt"
	"net/http"
)

// Addresses of the vendor's own pages on the back end, to which the account pages link.
const (
	BillingPath = "/billing"
	CreditsPath = "/credits"
)

// vendorPage serves a page that stands for one of the vendor's own.
func vendorPage(title, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"+
			"<title>%[1]s</title>\n<h1>%[1]s</h1>\n<p>%[2]s</p>\n<p>This page stands for one of the vendor, whose program then calls the operator API.</p>\n", title, text)
	}
}

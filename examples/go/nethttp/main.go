// The program nethttp serves an API with the router of the standard library. Toksta
// decides on every request.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
)

func main() {
	server := flag.String("toksta", "toksta-data/toksta.sock", "socket of Toksta, or URL of its operator listener")
	keyFile := flag.String("key-file", "", "file with an operator key of the role verify, for a URL")
	listen := flag.String("listen", "127.0.0.1:9000", "address of this API")
	flag.Parse()

	var options []client.Option
	if *keyFile != "" {
		key, err := os.ReadFile(*keyFile)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, client.WithKey(strings.TrimSpace(string(key))))
	}
	protect := httpauth.Require(client.NewVerifier(*server, options...))
	log.Fatal(http.ListenAndServe(*listen, protect(routes())))
}

// routes returns the API. Its paths are routes of Toksta's configuration.
func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/creators/{id}", getCreator)
	return mux
}

func getCreator(w http.ResponseWriter, r *http.Request) {
	caller, _ := httpauth.FromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": r.PathValue("id"), "account": caller.AccountID, "plan": caller.Plan})
}

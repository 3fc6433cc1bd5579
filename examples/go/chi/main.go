// The program chi serves an API with the router chi. Toksta decides on every request.
package main

import (
	"encoding/json"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/toksta/toksta/examples/go/program"
	"github.com/toksta/toksta/sdk/httpauth"
)

func main() {
	verifier, listen := program.Flags()
	router := chi.NewRouter()
	router.Use(httpauth.Require(verifier)) // or router.Group, for a part of the paths
	router.Get("/v1/creators/{id}", getCreator)
	log.Fatal(http.ListenAndServe(listen, router))
}

func getCreator(w http.ResponseWriter, r *http.Request) {
	caller, _ := httpauth.FromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": chi.URLParam(r, "id"), "account": caller.AccountID, "plan": caller.Plan})
}

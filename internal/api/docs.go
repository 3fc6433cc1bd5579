package api

import "net/http"

// docsJSON serves GET /docs/json.
func (a *API) docsJSON(w http.ResponseWriter, _ *http.Request) {
	a.send(w, "application/json", http.StatusOK, a.openAPI)
}

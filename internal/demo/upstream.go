package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxProfiles limits the profiles of one response.
const maxProfiles = 100

// params contains the request fields that the demo uses; it ignores others.
type params struct {
	Query         string   `json:"query"` // takes precedence over Keywords as the topic
	Keywords      []string `json:"keywords"`
	Limit         int      `json:"limit"`       // number of results; 0: ten
	Name          string   `json:"name"`        // of a new campaign or list
	CreatorIDs    []string `json:"creator_ids"` // empty: two invented ids
	JobID         string   `json:"job_id"`      // any id is valid
	JobIDs        []string `json:"job_ids"`
	DetailLevel   string   `json:"detail_level"`   // returned in the response
	AnalysisDepth string   `json:"analysis_depth"` // returned in the response
	Mode          string   `json:"mode"`           // of an analysis
	MaxCandidates int64    `json:"max_candidates_to_analyze"`
}

// topic returns the topic of the request, which is never empty.
func (p params) topic() string {
	if p.Query != "" {
		return p.Query
	}
	if len(p.Keywords) > 0 {
		return strings.Join(p.Keywords, ", ")
	}
	return "software"
}

// creators returns the requested ids, up to the maximum of one response, or two
// invented ids.
func (p params) creators() []string {
	if len(p.CreatorIDs) > 0 {
		return p.CreatorIDs[:min(len(p.CreatorIDs), maxProfiles)]
	}
	d := newRand(p.topic() + p.JobID)
	return []string{uuid(d), uuid(d)}
}

// operation returns the response to one operation. It stores nothing, so it needs no
// lock.
type operation func(p params, r *http.Request) (status int, data map[string]any)

// ReservingUpstream extends Upstream by jobs that are paid by reservations through the
// operator API, because their price is known at their end, and by the vendor's own pages.
func ReservingUpstream(api *client.Client) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/creators/thought-leaders", analyses{api, 3 * time.Second})
	mux.Handle("GET "+BillingPath, vendorPage("Billing", "Here a customer chooses a plan, sees invoices and pays them."))
	mux.Handle("GET "+CreditsPath, vendorPage("Credits", "Here a customer buys credits."))
	mux.Handle("/", Upstream())
	return mux
}

// Upstream responds to every back-end route of the shipped configuration. The meta
// object of a response contains the identity that the gateway set.
func Upstream() http.Handler {
	mux := http.NewServeMux()
	for pattern, fn := range map[string]operation{
		"POST /v1/creators/search":             search(20),
		"POST /v1/creators/discovery-search":   search(maxProfiles),
		"POST /v1/creators/thought-leaders":    thoughtLeaders,
		"GET /v1/creators/{id}":                getCreator,
		"POST /v1/creators/enrich":             jobs("enrichment"),
		"POST /v1/creators/content-match":      jobs("content-fit"),
		"POST /v1/creators/audience-match":     jobs("audience-fit"),
		"POST /v1/search-results/posts":        posts,
		"POST /v1/enrichments/results":         results("enrichment"),
		"POST /v1/content-match/results":       results("content-fit"),
		"POST /v1/content-match/posts":         posts,
		"POST /v1/audience-match/results":      results("audience-fit"),
		"POST /v1/audience-match/details":      results("audience-fit"),
		"GET /v1/jobs/{id}":                    getJob,
		"POST /v1/jobs/results":                jobResults,
		"POST /v1/jobs/results:bulk":           bulkResults,
		"POST /v1/jobs/{id}/cancel":            cancelJob,
		"GET /v1/campaigns":                    listCampaigns,
		"POST /v1/campaigns":                   createCampaign,
		"GET /v1/campaigns/{id}":               getCampaign,
		"GET /v1/creator-lists":                listCreatorLists,
		"POST /v1/creator-lists":               createCreatorList,
		"POST /v1/creator-lists/{id}/creators": saveCreators,
	} {
		mux.HandleFunc(pattern, fn.serve)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, r, http.StatusNotFound, &toksta.Error{Code: toksta.CodeNotFound, Message: "The demo back end has no such operation."})
	})
	return mux
}

// maxBody limits a request's body, in bytes.
const maxBody = 1 << 20

// serve responds to a request.
func (fn operation) serve(w http.ResponseWriter, r *http.Request) {
	if p, ok := decode(w, r); ok {
		status, data := fn(p, r)
		writeData(w, r, status, data)
	}
}

// decode decodes the request body leniently, like most back ends. It responds with
// an error and returns false if the body is invalid.
func decode(w http.ResponseWriter, r *http.Request) (p params, ok bool) {
	if r.Method == http.MethodPost {
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&p)
		if err != nil && err != io.EOF {
			writeError(w, r, http.StatusBadRequest, &toksta.Error{
				Code: toksta.CodeValidation, Message: "The body is not a JSON object of this operation.",
			})
			return p, false
		}
	}
	return p, true
}

// writeError responds with an error in the API's envelope.
func writeError(w http.ResponseWriter, r *http.Request, status int, e *toksta.Error) {
	body := object{"code": e.Code, "message": e.Message}
	if len(e.Details) > 0 {
		body["details"] = e.Details
	}
	writeJSON(w, status, object{"success": false, "error": body, "meta": object{"request_id": r.Header.Get("X-Request-Id")}})
}

// writeData responds with data, the request's id and the caller's identity from the
// gateway.
func writeData(w http.ResponseWriter, r *http.Request, status int, data object) {
	writeJSON(w, status, object{"success": true, "data": data, "meta": object{
		"request_id": r.Header.Get("X-Request-Id"),
		"caller": map[string]string{
			"account_id": r.Header.Get("X-Toksta-Account-Id"), "key_id": r.Header.Get("X-Toksta-Key-Id"),
			"plan": r.Header.Get("X-Toksta-Plan"), "scopes": r.Header.Get("X-Toksta-Scopes"),
		},
		"answered_at": time.Now().UTC().Format(time.RFC3339),
	}})
}

func writeJSON(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

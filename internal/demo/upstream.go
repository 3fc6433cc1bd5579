package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxProfiles is the most profiles of one answer.
const maxProfiles = 100

// question is what the demo understands of requests; other fields are ignored.
type question struct {
	Query         string   `json:"query"` // wins over Keywords as the topic
	Keywords      []string `json:"keywords"`
	Limit         int      `json:"limit"`       // how many to find; 0: ten
	Name          string   `json:"name"`        // of a campaign or list to make
	CreatorIDs    []string `json:"creator_ids"` // none: two stand-ins
	JobID         string   `json:"job_id"`      // any: every job is known
	JobIDs        []string `json:"job_ids"`
	DetailLevel   string   `json:"detail_level"`   // repeated, otherwise ignored
	AnalysisDepth string   `json:"analysis_depth"` // the same
}

// topic is what the question is about, never empty.
func (q question) topic() string {
	if q.Query != "" {
		return q.Query
	}
	if len(q.Keywords) > 0 {
		return strings.Join(q.Keywords, ", ")
	}
	return "software"
}

// creators returns the ids asked for, as many as one answer holds, or two
// stand-ins.
func (q question) creators() []string {
	if len(q.CreatorIDs) > 0 {
		return q.CreatorIDs[:min(len(q.CreatorIDs), maxProfiles)]
	}
	d := dice(q.topic() + q.JobID)
	return []string{uuid(d), uuid(d)}
}

// answer makes the data of one operation. It keeps nothing between two calls, so
// it needs no lock and a restart forgets nothing.
type answer func(q question, r *http.Request) (status int, data map[string]any)

// Upstream answers every back-end route of the shipped configuration. Each
// answer's meta repeats the identity that the gateway stated, to learn from.
func Upstream() http.Handler {
	mux := http.NewServeMux()
	for pattern, fn := range map[string]answer{
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
		write(w, r, http.StatusNotFound, map[string]any{"success": false, "error": map[string]string{
			"code": "NOT_FOUND", "message": "The demo back end has no such operation.",
		}})
	})
	return mux
}

// maxQuestion bounds a request's body, in bytes.
const maxQuestion = 1 << 20

// serve reads the question, leniently as back ends are, and writes the answer.
func (fn answer) serve(w http.ResponseWriter, r *http.Request) {
	var q question
	if r.Method == http.MethodPost {
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion)).Decode(&q)
		if err != nil && err != io.EOF {
			write(w, r, http.StatusBadRequest, map[string]any{"success": false, "error": map[string]string{
				"code": "VALIDATION_ERROR", "message": "The body is not a JSON object of this operation.",
			}})
			return
		}
	}
	status, data := fn(q, r)
	write(w, r, status, map[string]any{"success": true, "data": data})
}

// write adds meta: the request's id and who the gateway says is calling.
func write(w http.ResponseWriter, r *http.Request, status int, body map[string]any) {
	body["meta"] = map[string]any{
		"request_id": r.Header.Get("X-Request-Id"),
		"caller": map[string]string{
			"account_id": r.Header.Get("X-Toksta-Account-Id"), "key_id": r.Header.Get("X-Toksta-Key-Id"),
			"plan": r.Header.Get("X-Toksta-Plan"), "scopes": r.Header.Get("X-Toksta-Scopes"),
		},
		"answered_at": time.Now().UTC().Format(time.RFC3339),
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

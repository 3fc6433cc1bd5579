package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/client"
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
	Mode          string   `json:"mode"`           // of an analysis
	MaxCandidates int64    `json:"max_candidates_to_analyze"`
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

// ReservingUpstream is Upstream with jobs whose price is known at their end:
// they are paid by reservations through the operator API.
func ReservingUpstream(api *client.Client) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/creators/thought-leaders", analyses{api, 3 * time.Second})
	mux.Handle("/", Upstream())
	return mux
}

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
		fail(w, r, http.StatusNotFound, &toksta.Error{Code: toksta.CodeNotFound, Message: "The demo back end has no such operation."})
	})
	return mux
}

// maxQuestion bounds a request's body, in bytes.
const maxQuestion = 1 << 20

// serve writes the answer to a question.
func (fn answer) serve(w http.ResponseWriter, r *http.Request) {
	if q, ok := ask(w, r); ok {
		status, data := fn(q, r)
		write(w, r, status, data)
	}
}

// ask reads the question, leniently as back ends are, or answers that it is
// none.
func ask(w http.ResponseWriter, r *http.Request) (q question, ok bool) {
	if r.Method == http.MethodPost {
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion)).Decode(&q)
		if err != nil && err != io.EOF {
			fail(w, r, http.StatusBadRequest, &toksta.Error{
				Code: toksta.CodeValidation, Message: "The body is not a JSON object of this operation.",
			})
			return q, false
		}
	}
	return q, true
}

// fail answers with an error in the API's envelope.
func fail(w http.ResponseWriter, r *http.Request, status int, e *toksta.Error) {
	body := object{"code": e.Code, "message": e.Message}
	if len(e.Details) > 0 {
		body["details"] = e.Details
	}
	send(w, status, object{"success": false, "error": body, "meta": object{"request_id": r.Header.Get("X-Request-Id")}})
}

// write answers with data, to which it adds the request's id and who the
// gateway says is calling.
func write(w http.ResponseWriter, r *http.Request, status int, data object) {
	send(w, status, object{"success": true, "data": data, "meta": object{
		"request_id": r.Header.Get("X-Request-Id"),
		"caller": map[string]string{
			"account_id": r.Header.Get("X-Toksta-Account-Id"), "key_id": r.Header.Get("X-Toksta-Key-Id"),
			"plan": r.Header.Get("X-Toksta-Plan"), "scopes": r.Header.Get("X-Toksta-Scopes"),
		},
		"answered_at": time.Now().UTC().Format(time.RFC3339),
	}})
}

func send(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

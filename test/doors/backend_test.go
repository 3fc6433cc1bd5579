package doors

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Paths at which the back end does not respond with an echo.
const (
	streamPath = "/v1/stream" // two lines; the second one follows after a call of streamPath + "/next"
	socketPath = "/v1/socket" // 101, then an echo of all bytes
)

// fieldBackEnd is a header field of each response of the back end, with the value "echo".
const fieldBackEnd = "X-Back-End"

// echo is the request that the back end received, which is the body of its response.
type echo struct {
	Method string `json:"method"`
	Target string `json:"target"` // as received, with the query
	// Header has the fields by name in lower case; values of several lines are joined with
	// ", ". Names keep underscores.
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
}

// backEnd returns the back end behind every door. It trusts all fields that it receives.
func backEnd() http.Handler {
	mux := http.NewServeMux()
	next := make(chan struct{}, 1)
	mux.HandleFunc("GET "+streamPath, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "one\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-next:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "two\n")
	})
	mux.HandleFunc("GET "+streamPath+"/next", func(http.ResponseWriter, *http.Request) { next <- struct{}{} })
	mux.HandleFunc("GET "+socketPath, echoSocket)
	mux.HandleFunc("/", echoRequest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isH2C(r) {
			switchToH2C(w)
			return
		}
		if r.URL.Path == streamPath || r.URL.Path == streamPath+"/next" || r.URL.Path == socketPath {
			mux.ServeHTTP(w, r)
			return
		}
		echoRequest(w, r) // a mux would redirect odd paths
	})
}

// isH2C reports whether an h2c server would switch to HTTP/2 (RFC 7540, section 3.2). It does not insist on
// HTTP2-Settings and on the options of Connection, because some servers do not either.
func isH2C(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Upgrade"], ",")), "h2c")
}

// switchToH2C responds as an h2c server does. A client that receives the 101 has a connection to the back
// end on which further requests pass without a decision.
func switchToH2C(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
}

// echoRequest responds with the request.
func echoRequest(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e := echo{Method: r.Method, Target: r.RequestURI, Header: map[string]string{}, Body: string(body)}
	for name, values := range r.Header {
		e.Header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	w.Header().Set(fieldBackEnd, "echo")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(e)
}

// echoSocket accepts an upgrade to WebSocket and sends back all bytes, without frames.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "no upgrade", http.StatusUpgradeRequired)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") // for the key of the client
	_, _ = io.Copy(conn, bufio.NewReader(buffered))
}

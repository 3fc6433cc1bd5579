package doors

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// startVerify starts a back end that asks the verify API about each request and copies the
// plain values of the decision, as a program in any language can.
func startVerify(t *testing.T, w *World) string {
	t.Helper()
	api := client.New(w.Operator, client.WithKey(w.OperatorKey))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		d, err := api.Verify(r.Context(), question(r))
		if err != nil {
			httpauth.WriteError(rw, &httpauth.Meta{RequestID: r.Header.Get("X-Request-Id")}, toksta.Reject(toksta.ReasonLeaseExpired).Err())
			return
		}
		for name, value := range d.Response.Headers {
			rw.Header().Set(name, value)
		}
		if !d.Admitted {
			rw.WriteHeader(d.Response.Status)
			_, _ = rw.Write(d.Response.Body)
			return
		}
		for name := range r.Header {
			if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-toksta-") {
				delete(r.Header, name)
			}
		}
		if upgrade := r.Header["Upgrade"]; len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") {
			delete(r.Header, "Upgrade")
		}
		delete(r.Header, "Http2-Settings")
		delete(r.Header, "Authorization")
		for name, value := range d.Identity {
			r.Header.Set(name, value)
		}
		w.BackEnd.Config.Handler.ServeHTTP(rw, r)
	}))
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// question returns the values of a request on which a decision depends.
func question(r *http.Request) client.VerifyRequest {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return client.VerifyRequest{
		Authorization: strings.Join(r.Header["Authorization"], ", "), Method: r.Method, Target: r.RequestURI,
		Address: peer.Addr(), Agent: r.UserAgent(), RequestID: r.Header.Get("X-Request-Id"),
		Traceparent: r.Header.Get("Traceparent"), TraceID: r.Header.Get("X-Trace-Id"),
	}
}

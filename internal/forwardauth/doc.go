// Package forwardauth responds to reverse proxies that ask, before they forward a request,
// whether it is admitted: auth_request of nginx, ForwardAuth of Traefik, forward_auth of Caddy,
// ext_authz of Envoy over HTTP, and HAProxy with a Lua action.
//
// It reads the client's request from the form in which the proxy describes it, asks the
// admission chain, and responds 200 with the fields that identify the caller, or with the
// rejection for the client. The peer must be a configured proxy. A description that is incomplete,
// ambiguous or contradictory is rejected. The package makes no decision of its own and keeps no
// state.
package forwardauth

// Package doors sends the same requests through every way by which they reach a vendor's
// back end: the gateway, the verify API, proxies that ask Toksta, and middleware. A client
// must see the same statuses, header fields and bodies at each of them, the back end the
// same identity, and the vendor the same counts.
package doors

import (
	"slices"
	"sync"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
)

// Door is one way by which requests reach a back end. Further doors are added to the list
// doors, and their deviations to the table deviations. A door has these duties:
//
//   - It admits and rejects each request by a decision of World.Node, and sends admitted
//     ones to World.BackEnd, or to a back end of its own that responds like BackEnd.
//   - The client receives rejections as Toksta made them, and the header fields of an
//     admitted call beside those of the back end.
//   - The back end receives the identity fields of the decision, none that the client sent
//     in any spelling, and no key.
type Door struct {
	Name string
	// Start starts the door and returns the host:port to which clients connect over plain
	// HTTP/1.1. The door ends with t.
	Start func(t *testing.T, w *World) (address string)
	// Missing names a program that the door needs and that is not installed, or returns "".
	// The door is skipped then. nil: it needs none.
	Missing func() string
	// Streams and Upgrades report whether the door carries a response piece by piece, and
	// WebSockets.
	Streams, Upgrades bool
	// Discards reports that the door cannot add the header fields of an admitted call to the
	// response of the back end.
	Discards bool
}

// doors lists all doors.
var doors = []Door{
	{Name: "gateway", Start: startGateway, Streams: true, Upgrades: true},
	{Name: "verify", Start: startVerify, Streams: true, Upgrades: true},
	{Name: "nginx", Start: startNginx, Missing: missingCommand("nginx"), Streams: true, Upgrades: true},
	{Name: "haproxy", Start: startHAProxy, Missing: missingCommand("haproxy"), Streams: true, Upgrades: true},
	{Name: "caddy", Start: startCaddy, Missing: missingCommand("caddy"), Streams: true, Upgrades: true},
	{Name: "traefik", Start: startTraefik, Streams: true, Upgrades: true, Discards: true},
	{Name: "envoy", Start: startEnvoy, Streams: true, Upgrades: true},
	{Name: "net-http", Start: startNetHTTP, Streams: true, Upgrades: true},
	{Name: "embedded", Start: startEmbedded, Streams: true, Upgrades: true},
	{Name: "chi", Start: startGo("chi"), Streams: true, Upgrades: true},
	{Name: "gin", Start: startGo("gin"), Streams: true, Upgrades: true},
	{Name: "echo", Start: startGo("echo"), Streams: true, Upgrades: true},
	{Name: "express", Start: express.startNode, Missing: missingModules, Streams: true, Upgrades: true},
	{Name: "fastify", Start: fastify.startNode, Missing: missingModules, Streams: true},
	{Name: "hono", Start: hono.startNode, Missing: missingModules, Streams: true},
	{Name: "flask", Start: flask.startPython, Missing: missingPackage("flask"), Streams: true},
	{Name: "django", Start: django.startPython, Missing: missingPackage("django"), Streams: true},
	{Name: "starlette", Start: starlette.startPython, Missing: missingPackage("starlette, uvicorn"), Streams: true},
	{Name: "fastapi", Start: fastapi.startPython, Missing: missingPackage("fastapi, uvicorn"), Streams: true},
}

func TestMain(m *testing.M) { apptest.Main(m) }

// Guarantee: at each door, a client sees the statuses, header fields and bodies of the
// gateway, the back end receives the verified identity and nothing that a client made up,
// each call is counted once, and no door admits a call while the node holds no lease.
func TestDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var started sync.Map // address by name of the door
	t.Run("leased", func(t *testing.T) {
		for _, d := range doors {
			t.Run(d.Name, func(t *testing.T) {
				t.Parallel()
				d.require(t)
				address := d.Start(w.t, w)
				started.Store(d.Name, address)
				s := &suite{world: w, door: d.Name, discards: d.Discards, address: address, keys: w.newKeyring(t)}
				s.runCases(t)
				s.checkCounts(t)
				s.checkOverrides(t)
				if d.Streams {
					t.Run("stream", s.checkStream)
				}
				if d.Upgrades {
					t.Run("WebSocket", s.checkUpgrade)
				}
			})
		}
	})
	w.loseLease(t)
	started.Range(func(name, address any) bool {
		s := &suite{world: w, door: name.(string), address: address.(string), keys: w.keys}
		t.Run("no lease/"+s.door, func(t *testing.T) { s.run(t, &noLease) })
		return true
	})
}

// require skips t if a program that the door needs is not installed.
func (d *Door) require(t *testing.T) {
	t.Helper()
	if d.Missing == nil {
		return
	}
	if program := d.Missing(); program != "" {
		t.Skip(program + " is missing: run scripts/test-deps")
	}
}

// each runs a test for each door with one of the names, all at the same time.
func each(t *testing.T, names []string, test func(t *testing.T, d Door)) {
	t.Helper()
	for _, d := range doors {
		if !slices.Contains(names, d.Name) {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			d.require(t)
			test(t, d)
		})
	}
}

package doors

// deviation states that a door differs from the gateway in one case.
type deviation struct {
	Why  string // the cause, for readers of the table
	Want *Want  // the outcome at this door; nil: that of the case
	Own  bool   // the door rejects the request by itself: only the status is compared
	Skip bool   // the door cannot carry the request at all
}

// deviations lists every difference between a door and the gateway: the name of the door,
// then that of the case. The pages in docs/integrations tell users of them.
var deviations = map[string]map[string]deviation{
	"nginx": withUpgrades(map[string]deviation{
		"two fields": ownFields, "two fields, another scheme first": ownFields, "two fields, another scheme last": ownFields,
		"ambiguous path /v1/things/%00": {Why: "nginx rejects the escape of a NUL", Want: &badRequest, Own: true},
		"method in lower case":          {Why: "nginx rejects a method in lower case", Want: &badRequest, Own: true},
		"forged identity":               forgedField, "forged identity without a key": forgedField, "public route with forged identity": forgedField,
		"another target in fields": forgedField, "another target in fields, admitted": forgedField,
		"another target in fields, wrong method": forgedField, "fields named by Connection": forgedField,
	}, forgedField),
	"traefik": {
		"forged identity": forgedField, "forged identity without a key": forgedField, "public route with forged identity": forgedField,
		"another target in fields": forgedField, "another target in fields, admitted": forgedField,
		"another target in fields, wrong method": forgedField, "fields named by Connection": forgedField,
		"upgrade to h2c without the settings in Connection": forgedField,
	},
	"envoy": {
		"forged identity": ownUnderscores, "forged identity without a key": forgedField, "public route with forged identity": ownUnderscores,
		"another target in fields": forgedField, "another target in fields, admitted": forgedField,
		"another target in fields, wrong method": forgedField, "fields named by Connection": forgedField,
		"another address in fields":   ownUnderscores,
		"upgrade to WebSocket or h2c": ownUpgrade, "upgrade to h2c or WebSocket": ownUpgrade, "upgrade to another protocol": ownUpgrade,
		"two upgrades, WebSocket first": ownUpgrade, "two upgrades, h2c first": ownUpgrade,
	},
	"starlette": uvicorn, "fastapi": uvicorn,
	"express": withUpgrades(map[string]deviation{"method in lower case": nodeMethod}, ownRejection("its listener for WebSockets rejects other upgrades")),
	"hono":    {"method in lower case": nodeMethod},
	"fastify": {
		"method in lower case":               nodeMethod,
		"ambiguous path /v1/things/a%C0%AFb": {Why: "the router of Fastify rejects an escape that is not UTF-8", Want: &badRequest, Own: true},
	},
}

// The deviations that several cases share.
var (
	forgedField    = deviation{Why: "Toksta rejects a forged field that the proxy would forward", Want: &badRequest}
	nodeMethod     = deviation{Why: "Node rejects a method in lower case", Want: &badRequest, Own: true}
	ownFields      = deviation{Why: "nginx rejects a second Authorization field", Want: &badRequest, Own: true}
	ownUpgrade     = deviation{Why: "Envoy rejects an upgrade that is not configured", Want: &Want{Status: 403}, Own: true}
	ownUnderscores = deviation{Why: "Envoy rejects names with underscores, as its page configures", Want: &badRequest, Own: true}
)

// uvicorn has the deviations of the server of two doors.
var uvicorn = withUpgrades(map[string]deviation{
	"two upgrades, h2c first": {Why: "a second Upgrade field makes its WebSocket library fail", Want: &Want{Status: 500}, Own: true},
}, ownRejection("this version of uvicorn rejects an upgrade other than one to WebSocket"))

// ownRejection is the deviation of a door that responds 400 by itself.
func ownRejection(why string) deviation { return deviation{Why: why, Want: &badRequest, Own: true} }

// withUpgrades adds a deviation to all for the other cases with an upgrade.
func withUpgrades(all map[string]deviation, d deviation) map[string]deviation {
	for _, c := range upgradeCases() {
		if _, found := all[c.Name]; !found {
			all[c.Name] = d
		}
	}
	return all
}

package operatorapi

import (
	"encoding/json"

	"github.com/toksta/toksta/sdk/toksta"
)

// step is a request of the scenario. The first one of an operation is its example in the document.
// Steps run in their order on a new server, and each one must succeed.
type step struct {
	operation string
	request   string
	failures  []failure // sent after the request
}

// failure is a request that fails with a code.
type failure struct {
	code    toksta.Code
	request string
}

// Requests that several operations reject.
const (
	unknownAccount = `{"account":"crm-none"}`
	unknownKey     = `{"key":"device-none"}`
)

// requestExample returns the example of an operation's request.
func requestExample(operation string) (json.RawMessage, bool) {
	for _, s := range scenario() {
		if s.operation == operation {
			return json.RawMessage(s.request), true
		}
	}
	return nil, false
}

// scenario returns the steps. Each operation has one or more.
func scenario() (steps []step) {
	for _, part := range [][]step{operatorKeySteps(), accountSteps(), memberSteps(), keySteps(), sessionSteps(), verifySteps(), creditSteps(), reportSteps(), furtherSteps(), lastSteps()} {
		steps = append(steps, part...)
	}
	return steps
}

func operatorKeySteps() []step {
	return []step{
		{"operator-keys/create", `{"name":"billing job","roles":["billing"],"networks":["192.0.2.0/24"],"expires_at":"2099-12-31T23:59:59Z","token":"billing-job"}`, []failure{
			{toksta.CodeConflict, `{"name":"billing job","roles":["billing"],"token":"billing-job"}`},
		}},
		{"operator-keys/list", `{"revoked":true,"limit":50}`, nil},
		{"operator-keys/show", `{"key":"` + sampleOperatorKey + `"}`, []failure{{toksta.CodeNotFound, `{"key":"op_none"}`}}},
		{"operator-keys/rotate", `{"key":"` + sampleOperatorKey + `","generation":1,"token":"rotate-billing-job"}`, []failure{
			{toksta.CodeConflict, `{"key":"` + sampleOperatorKey + `","generation":1}`},
			{toksta.CodeNotFound, `{"key":"op_none"}`},
		}},
		{"operator-keys/revoke", `{"key":"` + sampleOperatorKey + `"}`, []failure{{toksta.CodeNotFound, `{"key":"op_none"}`}}},
	}
}

func verifySteps() []step {
	return []step{
		{"verify", `{"authorization":"Bearer ` + sampleSecret + `","method":"POST","target":"/v1/creators/search","address":"192.0.2.17","agent":"curl/8.14.1"}`, nil},
		{"verify/batch", `{"calls":[{"key":"` + sampleSecret + `","operation":"getCreator"},{"operation":"getCreator"}]}`, nil},
	}
}

func accountSteps() []step {
	return []step{
		{"accounts/create", `{"name":"Fjordlight","plan":"API_BUILD","status":"active","external_id":"crm-42","metadata":{"region":"eu"},"token":"create-crm-42"}`, []failure{
			{toksta.CodeConflict, `{"name":"Other","external_id":"crm-42"}`},
			{toksta.CodeConflict, `{"name":"Fjordlight","token":"create-crm-42"}`},
			{toksta.CodeValidation, `{"name":""}`},
		}},
		{"accounts/list", `{"plan":"API_BUILD","limit":50}`, []failure{{toksta.CodeValidation, `{"limit":1001}`}}},
		{"accounts/show", `{"account":"crm-42"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"accounts/rename", `{"account":"crm-42","name":"Fjordlight Ltd"}`, []failure{{toksta.CodeNotFound, `{"account":"crm-none","name":"Other"}`}}},
		{"accounts/set-plan", `{"account":"crm-42","plan":"API_SCALE"}`, []failure{{toksta.CodeNotFound, `{"account":"crm-none","plan":"API_SCALE"}`}}},
		{"accounts/set-status", `{"account":"crm-42","status":"trialing"}`, []failure{{toksta.CodeNotFound, `{"account":"crm-none","status":"active"}`}}},
		{"accounts/set-entitlement", `{"account":"crm-42","name":"rate_limit_per_minute","value":"300","token":"limit-crm-42"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","name":"rate_limit_per_minute","value":"400","token":"limit-crm-42"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","name":"rate_limit_per_minute","value":"300"}`},
		}},
		{"accounts/set-external-id", `{"account":"crm-42","external_id":"crm-42"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-free","external_id":"crm-42"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","external_id":"crm-7"}`},
		}},
		{"accounts/set-metadata", `{"account":"crm-42","set":{"tier":"gold"},"unset":["region"]}`, []failure{{toksta.CodeNotFound, `{"account":"crm-none","set":{"tier":"gold"}}`}}},
		{"accounts/invite", `{"account":"crm-42","email":"grace@fjordlight.example"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"accounts/add-member", `{"account":"crm-42","email":"ada@fjordlight.example","name":"Ada","password":"a long sentence that nobody guesses"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","email":"ada@fjordlight.example","name":"Ada","password":"a long sentence that nobody guesses"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","email":"bob@fjordlight.example","name":"Bob","password":"a long sentence that nobody guesses"}`},
		}},
		{"accounts/set-password", `{"member":"ada@fjordlight.example","password":"another sentence that nobody guesses"}`, []failure{
			{toksta.CodeNotFound, `{"member":"bob@fjordlight.example","password":"another sentence that nobody guesses"}`},
		}},
	}
}

func sessionSteps() []step {
	return []step{
		{"sessions/create", `{"account":"crm-42","member":{"email":"lin@fjordlight.example","name":"Lin"},"role":"developer","next":"/account","lifetime_seconds":3600}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","member":{"email":"lin@fjordlight.example"},"embed":true}`},
			{toksta.CodeNotFound, `{"account":"crm-none","member":{"email":"lin@fjordlight.example"}}`},
			{toksta.CodeNotFound, `{"account":"crm-42","member":{"id":"mem_none"}}`},
			{toksta.CodeValidation, `{"account":"crm-42","member":{"email":"new@fjordlight.example"}}`},
			{toksta.CodeValidation, `{"account":"crm-42","member":{"email":"lin@fjordlight.example"},"next":"https://evil.example"}`},
			{toksta.CodeValidation, `{"account":"crm-42","member":{"email":"lin@fjordlight.example"},"lifetime_seconds":43201}`},
		}},
	}
}

// memberSteps change the member Ada of the account crm-42, and end with her as the only owner.
func memberSteps() []step {
	const (
		ada      = `"account":"crm-42","member":"ada@fjordlight.example"`
		stranger = `"account":"crm-free","member":"ada@fjordlight.example"`
		person   = `{"member":"ada@fjordlight.example"}`
		nobody   = `{"member":"bob@fjordlight.example"}`
	)
	return []step{
		{"members/list", `{"account":"crm-42"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"members/invite", `{"account":"crm-42","email":"linus@fjordlight.example","role":"developer"}`, []failure{
			{toksta.CodeNotFound, `{"account":"crm-none","email":"bob@fjordlight.example","role":"developer"}`},
			{toksta.CodeValidation, `{"account":"crm-42","email":"bob@fjordlight.example","role":"chief"}`},
		}},
		{"invitations/list", `{"account":"crm-42"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"invitations/revoke", `{"account":"crm-42","invitation":"` + sampleInvitation + `"}`, []failure{
			{toksta.CodeNotFound, `{"account":"crm-free","invitation":"` + sampleInvitation + `"}`},
		}},
		{"members/set-role", `{` + ada + `,"role":"owner"}`, []failure{
			{toksta.CodeNotFound, `{` + stranger + `,"role":"owner"}`},
			{toksta.CodeConflict, `{` + ada + `,"role":"viewer"}`},
		}},
		{"accounts/add-member", `{"account":"crm-42","email":"grace@fjordlight.example","name":"Grace","password":"a long sentence that nobody guesses","role":"viewer"}`, nil},
		{"members/disable", `{"account":"crm-42","member":"grace@fjordlight.example"}`, []failure{
			{toksta.CodeNotFound, `{` + stranger + `}`},
			{toksta.CodeConflict, `{` + ada + `}`},
		}},
		{"members/enable", `{"account":"crm-42","member":"grace@fjordlight.example"}`, []failure{{toksta.CodeNotFound, `{` + stranger + `}`}}},
		{"members/disable", `{"member":"ada@fjordlight.example","without_owner":true}`, nil},
		{"members/enable", person, []failure{{toksta.CodeNotFound, nobody}}},
		{"members/list", `{"account":"crm-42"}`, nil},
		{"members/remove", `{"account":"crm-42","member":"grace@fjordlight.example","keys":"revoke"}`, []failure{
			{toksta.CodeNotFound, `{` + stranger + `,"keys":"keep"}`},
			{toksta.CodeConflict, `{` + ada + `,"keys":"keep"}`},
			{toksta.CodeValidation, `{` + ada + `,"keys":"rotate"}`},
		}},
		{"members/erase", `{"member":"` + sampleMember + `","confirm":"` + sampleMember + `"}`, []failure{
			{toksta.CodeNotFound, `{"member":"bob@fjordlight.example","confirm":""}`},
			{toksta.CodeValidation, `{"member":"` + sampleMember + `","confirm":"yes"}`},
			{toksta.CodeConflict, `{"member":"` + sampleOwner + `","confirm":"` + sampleOwner + `"}`},
		}},
		{"members/reset-factors", person, []failure{{toksta.CodeNotFound, nobody}}},
		{"members/sessions", person, []failure{{toksta.CodeNotFound, nobody}}},
		{"members/end-sessions", person, []failure{{toksta.CodeNotFound, nobody}}},
	}
}

func keySteps() []step {
	return []step{
		{"keys/import", `{"rows":[{"digest":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","account":"crm-42","name":"Legacy","start":"a1b2","end":"9f0e","external_id":"legacy-1"}],"dry_run":false,"token":"import-1"}`, nil},
		{"keys/revoke-many", `{"account":"crm-42","keys":["legacy-1"],"created_before":"2099-12-31T23:59:59Z","skip_unknown":true}`, []failure{
			{toksta.CodeNotFound, `{"account":"crm-free"}`},
			{toksta.CodeValidation, `{"keys":["device-none"]}`},
		}},
		{"keys/create", `{"account":"crm-42","name":"Production","scopes":["data","job"],"networks":["192.0.2.0/24"],"per_minute":60,"expires_at":"2099-12-31T23:59:59Z","external_id":"device-7","metadata":{"region":"eu"},"token":"key-device-7"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","name":"Other","external_id":"device-7"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","name":"Other"}`},
			{toksta.CodeForbidden, `{"account":"crm-free","name":"Other"}`},
		}},
		{"keys/list", `{"account":"crm-42","state":"live","limit":50}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"keys/show", `{"key":"device-7"}`, []failure{{toksta.CodeNotFound, unknownKey}}},
		{"keys/rename", `{"key":"device-7","name":"Production, Oslo"}`, []failure{{toksta.CodeNotFound, `{"key":"device-none","name":"Other"}`}, {toksta.CodeConflict, `{"key":"legacy-1","name":"Other"}`}}},
		{"keys/set-limits", `{"key":"device-7","scopes":["data"],"networks":[],"per_minute":120}`, []failure{
			{toksta.CodeNotFound, `{"key":"device-none","per_minute":1}`},
			{toksta.CodeConflict, `{"key":"legacy-1","per_minute":1}`},
		}},
		{"keys/set-external-id", `{"key":"device-7","external_id":"device-7"}`, []failure{{toksta.CodeNotFound, `{"key":"device-none","external_id":"device-8"}`}, {toksta.CodeConflict, `{"key":"legacy-1","external_id":"device-8"}`}}},
		{"keys/set-metadata", `{"key":"device-7","set":{"rack":"12"}}`, []failure{{toksta.CodeNotFound, `{"key":"device-none","set":{"rack":"12"}}`}, {toksta.CodeConflict, `{"key":"legacy-1","set":{"rack":"12"}}`}}},
		{"keys/rotate", `{"account":"crm-42","key":"device-7","generation":1,"token":"rotate-device-7"}`, []failure{
			{toksta.CodeConflict, `{"key":"device-7","generation":1}`},
			{toksta.CodeNotFound, unknownKey},
		}},
	}
}

func creditSteps() []step {
	return []step{
		{"credits/top-up", `{"account":"crm-42","credits":500,"reason":"invoice 1042","idempotency_key":"invoice-1042"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","credits":600,"idempotency_key":"invoice-1042"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","credits":600,"idempotency_key":"invoice-1043"}`},
		}},
		{"credits/adjust", `{"account":"crm-42","credits":-20,"reason":"entered twice","idempotency_key":"correction-7"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","credits":-30,"reason":"entered twice","idempotency_key":"correction-7"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","credits":-20,"reason":"entered twice","idempotency_key":"correction-8"}`},
		}},
		{"credits/reserve", `{"account":"crm-42","key":"device-7","family":"data","cost_key":"audience_match","credits":50,"expires_in_seconds":3600,"reason":"job 42","idempotency_key":"job-42"}`, []failure{
			{toksta.CodeInsufficientCredits, `{"account":"crm-poor","family":"data","cost_key":"audience_match","credits":1000000,"idempotency_key":"job-43"}`},
			{toksta.CodeConflict, `{"account":"crm-42","family":"data","cost_key":"audience_match","credits":60,"idempotency_key":"job-42"}`},
			{toksta.CodeNotFound, `{"account":"crm-none","family":"data","cost_key":"audience_match","credits":1,"idempotency_key":"job-44"}`},
		}},
		{"credits/reservations", `{"account":"crm-42","limit":50}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"credits/settle", `{"account":"crm-42","reservation":"` + sampleReservation + `","credits":30,"reason":"job 42","idempotency_key":"job-42-end"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","reservation":"` + sampleReservation + `","credits":40,"idempotency_key":"job-42-again"}`},
			{toksta.CodeNotFound, `{"account":"crm-42","reservation":"res_none","credits":1,"idempotency_key":"job-45"}`},
		}},
		{"credits/refund", `{"account":"crm-42","reservation":"` + sampleReservation + `","credits":10,"reason":"partial result","idempotency_key":"job-42-refund"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","reservation":"` + sampleReservation + `","credits":11,"idempotency_key":"job-42-refund"}`},
			{toksta.CodeNotFound, `{"account":"crm-42","reservation":"res_none","credits":1,"idempotency_key":"job-46"}`},
		}},
		{"credits/entries", `{"account":"crm-42","reservation":"` + sampleReservation + `","limit":50}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"credits/verify", `{}`, nil},
	}
}

func reportSteps() []step {
	return []step{
		{"audit", `{"account":"crm-42","kind":"key.created","since":"2020-01-01T00:00:00Z","limit":50}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"usage", `{"account":"crm-42","month":"2027-01"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"usage/by", `{"account":"crm-42","by":"operation","month":"2027-01"}`, []failure{{toksta.CodeNotFound, `{"account":"crm-none","by":"key"}`}}},
		{"usage/table", `{"account":"crm-42","from":"2027-01-31T00:00:00Z","to":"2027-02-01T00:00:00Z","daily":true}`, []failure{
			{toksta.CodeNotFound, `{"account":"crm-none","from":"2027-01-31T00:00:00Z","to":"2027-02-01T00:00:00Z"}`},
		}},
		{"nodes", `{}`, nil},
		{"whoami", `{}`, nil},
		{"health", `{}`, nil},
		{"export/status", `{}`, nil},
		{"mail/test", `{"to":"ada@fjordlight.example"}`, []failure{{toksta.CodeUpstreamError, `{"to":"gone@fjordlight.example"}`}}},
		{"events/list", `{"account":"crm-poor","state":"delivered","channel":"billing","limit":50}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"events/show", `{"event":"` + sampleEvent + `"}`, []failure{{toksta.CodeNotFound, `{"event":"evt_none"}`}}},
		{"events/replay", `{"event":"` + sampleEvent + `","channel":"billing"}`, []failure{{toksta.CodeNotFound, `{"event":"evt_none"}`}}},
		{"events/test", `{"channel":"billing"}`, []failure{
			{toksta.CodeNotFound, `{"channel":"none"}`},
			{toksta.CodeUpstreamError, `{"channel":"broken"}`},
		}},
	}
}

// furtherSteps cause responses of other forms, such as rejections, and lists with all that the
// scenario has made.
func furtherSteps() []step {
	decide := func(call string) step { return step{"verify", call, nil} }
	read := func(operation, request string) step { return step{operation, request, nil} }
	return []step{
		decide(`{"method":"GET","target":"/v1/creators/42"}`),
		decide(`{"key":"` + sampleSecret + `","method":"GET","target":"/nowhere"}`),
		decide(`{"key":"` + sampleSecret + `","method":"GET","target":"/v1/jobs/42","request_id":"req-7"}`),
		decide(`{"key":"` + sampleSecret + `","operation":"searchCreators","credits":5,"hold":{"job":"job-50","expires_in_seconds":600}}`),
		read("verify/batch", `{"calls":[{"key":"`+sampleSecret+`","operation":"none"},{"key":"`+sampleSecret+`","operation":"searchCreators"}]}`),
		read("keys/import", `{"rows":[{"digest":"short","account":"crm-42"}],"dry_run":true}`),
		read("keys/revoke-many", `{"account":"crm-42","dry_run":true}`),
		read("keys/show", `{"key":"device-7"}`),
		read("keys/show", `{"key":"legacy-1"}`),
		read("keys/list", `{"revoked":true}`),
		read("accounts/invite", `{}`),
		read("accounts/show", `{"account":"crm-42"}`),
		read("accounts/list", `{}`),
		read("operator-keys/list", `{}`),
		read("credits/reservations", `{}`),
		read("credits/entries", `{"account":"crm-42"}`),
		read("audit", `{"limit":1000}`),
		read("usage", `{"account":"crm-poor"}`),
		read("usage/by", `{"account":"crm-poor","by":"key"}`),
		read("usage/by", `{"account":"crm-poor","by":"hour"}`),
		read("usage/table", `{"from":"2027-01-31T00:00:00Z","to":"2027-02-01T00:00:00Z"}`),
		read("events/list", `{}`),
		read("events/replay", `{"dead":true}`),
	}
}

// lastSteps end the lives of keys and accounts that other steps use.
func lastSteps() []step {
	return []step{
		{"keys/revoke", `{"key":"device-7"}`, []failure{{toksta.CodeNotFound, unknownKey}}},
		{"accounts/close", `{"account":"crm-42"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"accounts/reopen", `{"account":"crm-42"}`, []failure{{toksta.CodeNotFound, unknownAccount}}},
		{"accounts/close", `{"account":"crm-42"}`, nil},
		{"members/invite", `{"account":"crm-poor","role":"viewer"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","email":"bob@fjordlight.example","role":"viewer"}`},
		}},
		{"members/disable", `{"account":"crm-42","member":"ada@fjordlight.example","without_owner":true}`, nil},
		{"members/enable", `{"member":"ada@fjordlight.example"}`, []failure{
			{toksta.CodeConflict, `{"account":"crm-42","member":"ada@fjordlight.example"}`},
		}},
		{"accounts/erase", `{"account":"crm-42","confirm":"` + sampleAccount + `"}`, []failure{
			{toksta.CodeNotFound, `{"account":"crm-42","confirm":"` + sampleAccount + `"}`}, // it has no external id any more
			{toksta.CodeValidation, `{"account":"` + sampleAccount + `","confirm":"crm-42"}`},
			{toksta.CodeConflict, `{"account":"crm-free","confirm":"` + sampleFree + `"}`},
		}},
		{"accounts/reopen", `{"account":"crm-free"}`, []failure{{toksta.CodeConflict, `{"account":"` + sampleAccount + `"}`}}},
		{"accounts/show", `{"account":"` + sampleAccount + `"}`, nil},
		{"audit", `{"account":"` + sampleAccount + `"}`, nil},
	}
}

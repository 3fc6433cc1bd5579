package operatorapi

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// The ids in examples. The scenario replaces those that the server chooses.
const (
	sampleAccount     = "acct_01KDZ3V8Q2M7X4N6B9R5T1W0CE"
	sampleFree        = "acct_01KDZ3VDM5Q8T1W4Z7B0E3H6JK" // the open account crm-free
	sampleOwner       = "mem_01KDZ3VJM1P4S7V0Y3A6D9F2HK"  // the owner of crm-free
	sampleKey         = "key_01KDZ3W1C5H8J2P4S7V0Y3A6DG"
	sampleMember      = "mem_01KDZ3WB7F0K3M6Q9T2X5Z8B1E"
	sampleInvitation  = "inv_01KDZ3WQ9E2H5K8N1R4V7Y0B3D"
	sampleReservation = "res_01KDZ3XH4D7G0J3N6R9V2Y5B8F"
	sampleEvent       = "evt_01KDZ3Y9A2D5G8K1N4Q7T0W3Z6"
	sampleOperatorKey = "op_01KDZ3YQ6B9E2H5K8N1R4V7Y0C"
	sampleSecret      = "tk_live_a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f69f0e"
)

// sampleTime is the time in examples.
const sampleTime = "2027-01-31T12:00:00Z"

// sampleMeta is the member meta of example responses.
var sampleMeta = object{{"request_id", "req_01KDZ40F2H5K8N1R4V7Y0C3F6J"}, {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"}}

// tableExample is an example of the usage as CSV.
const tableExample = "account_id,day,key_id,family,cost_key,outcome,calls,credits,purchased,overage,overage_usd,external_id\n" +
	sampleAccount + ",2027-01-31," + sampleKey + ",data,creator_search,admitted,7,7,0,0,0,crm-42\n"

// sampler returns example values of responses.
type sampler struct {
	values map[string]any // by "Type.name" or by name, as in JSON
	kinds  map[reflect.Type]any
}

// left is the value of an optional member that an example does not have.
type left struct{}

func newSampler() sampler {
	return sampler{
		kinds: map[reflect.Type]any{
			reflect.TypeFor[time.Time]():            sampleTime,
			reflect.TypeFor[netip.Prefix]():         "192.0.2.0/24",
			reflect.TypeFor[netip.Addr]():           "192.0.2.17",
			reflect.TypeFor[toksta.AccountID]():     sampleAccount,
			reflect.TypeFor[toksta.KeyID]():         sampleKey,
			reflect.TypeFor[toksta.MemberID]():      sampleMember,
			reflect.TypeFor[toksta.InvitationID]():  sampleInvitation,
			reflect.TypeFor[toksta.MemberRole]():    toksta.MemberDeveloper,
			reflect.TypeFor[toksta.ReservationID](): sampleReservation,
			reflect.TypeFor[toksta.OperatorKeyID](): sampleOperatorKey,
			reflect.TypeFor[toksta.Role]():          toksta.RoleSupport,
			reflect.TypeFor[toksta.PlanID]():        "API_BUILD",
			reflect.TypeFor[toksta.Status]():        toksta.StatusActive,
			reflect.TypeFor[toksta.Family]():        "data",
			reflect.TypeFor[toksta.KeyState]():      toksta.KeyLive,
			reflect.TypeFor[toksta.ChangeKind]():    toksta.ChangeKeyCreated,
			reflect.TypeFor[toksta.EventKind]():     toksta.EventCreditsLow,
			reflect.TypeFor[toksta.ActorKind]():     toksta.ActorOperator,
			reflect.TypeFor[toksta.Reason]():        left{},
			reflect.TypeFor[toksta.Code]():          left{},
			reflect.TypeFor[json.Number]():          0.025,
			reflect.TypeFor[usage.Report]():         sampleReport,
			reflect.TypeFor[client.Credits]():       object{{"total", 50}, {"included", 50}, {"purchased", 0}, {"overage", 0}, {"overage_micros", 0}},
		},
		values: map[string]any{
			"name": "Fjordlight", "email": "ada@fjordlight.example", "cadence": "monthly", "external_id": "crm-42",
			"preview": "tk_live_a1b2…9f0e", "secret": sampleSecret,
			"created_by": "operator", "operation": "getCreator", "address": "192.0.2.17", "agent": "curl/8.14.1",
			"month": "2027-01", "code": "XK4T-9QPL-7M2D", "url": "https://accounts.example.com/invitation?code=XK4T-9QPL-7M2D",
			"cost_key": "creator_search", "CreditEntry.actor": "operator", "reason": left{}, "text": "The balance differs from the sum of its entries by 5.",
			"SessionResponse.url": "https://accounts.example.com/signin/vendor?code=XK4T-9QPL-7M2D",
			"channel":             "billing", "outcome": "responded 204", "epoch": "01KDZ3N0", "version": "v1.0.0", "lease": "15s", "data": "/var/lib/toksta",
			"node": "node 1", "fenced": []string{}, "detail": object{{"name", "Fjordlight"}}, "metadata": object{{"region", "eu"}},
			"revoked_at": left{}, "disabled_at": left{}, "cycle_anchor": left{}, "closed_at": left{}, "erased_at": left{}, "consent": left{}, "consent_at": left{}, "key_id": sampleKey,
			"member_id": left{}, "next": left{}, "unknown": left{}, "currency": left{}, "overage_amount": left{}, "failure": "",
			"rejected": []any{}, "differences": []any{}, "overspent": []any{}, "fix": left{}, "milliseconds": 4.2,
			"Member.name": "Ada", "Session.method": "password", "Member.expires_at": left{}, "removed_at": left{}, "Invitation.created_by": left{}, "kept_keys": []any{}, "ErasedMember.rows": object{{"changes", 4}, {"sessions", 1}}, "EraseAccountResponse.rows": object{{"changes", 12}, {"keys", 3}, {"sessions", 1}}, "Account.entitlements": object{}, "Event.id": sampleEvent, "Event.data": object{{"plan", "API_BUILD"}, {"remaining", 120}, {"included", 1000}},
			"CreditEntry.id": "cre_01KDZ43S8C1F4H7K0N3R6V9Y2B", "CreditEntry.kind": "reserve", "Reservation.state": "open", "Reservation.charged": object{{"total", 0}, {"included", 0}, {"purchased", 0}, {"overage", 0}, {"overage_micros", 0}}, "Delivery.state": "delivered",
			"Delivery.next_at": left{}, "Check.name": "store", "Check.level": "ok", "Check.detail": "responds in 1 ms", "UsageTable.by": "key",
			"UsageRow.of": sampleKey, "UsageRow.name": "Production", "Node.name": "node 1", "Key.name": "Production", "KeyDetail.name": "Production",
			"Actor.id": sampleOperatorKey, "Actor.name": "billing job", "Key.external_id": "device-7", "KeyDetail.external_id": "device-7",
			"KeyDetail.reasons": left{}, "KeyDetail.rejection": left{}, "KeyCalls.reasons": left{}, "per_hour": left{}, "per_day": left{}, "concurrent": left{},
			"OperatorKey.name": "billing job", "OperatorKey.preview": "tk_op_a1b2…9f0e", "OperatorKey.roles": []toksta.Role{toksta.RoleBilling},
			"OperatorSecretResponse.secret": "tk_op_a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f69f0e", "last_used_address": "192.0.2.17",
			"Caller.name": "billing job", "Caller.roles": []toksta.Role{toksta.RoleBilling},
			"VerifyResponse.admitted": true, "VerifyResponse.public": left{}, "VerifyResponse.operation": "searchCreators", "VerifyResponse.message": left{},
			"VerifyCredits.charged": 1, "VerifyCredits.reservation": left{}, "VerifyReply.status": left{}, "VerifyReply.body": left{},
			"VerifyRate.limit": 300, "VerifyRate.remaining": 299, "VerifyRate.reset": 1801396860, "identity_prefix": "X-Toksta-",
			"VerifyReply.headers": object{
				{"X-Ratelimit-Limit", "300"},
				{"X-Ratelimit-Remaining", "299"},
				{"X-Ratelimit-Reset", "1801396860"},
				{"X-Request-Id", "req_01KDZ41V6A9D2G5J8M1P4S7V0Y"},
				{"X-Toksta-Credit-Cost", "1"},
			},
			"VerifyResponse.identity": object{
				{"X-Request-Id", "req_01KDZ41V6A9D2G5J8M1P4S7V0Y"}, {"X-Toksta-Account-Id", sampleAccount}, {"X-Toksta-Key-Id", sampleKey},
			},
			"idempotency_key": "job-42",
		},
	}
}

// receiptKinds are the changes of operations that are not toksta.ChangeAccountCreated, for their receipts.
var receiptKinds = map[string]toksta.ChangeKind{
	"accounts/rename": toksta.ChangeAccountRenamed, "accounts/set-plan": toksta.ChangePlanSet, "accounts/set-status": toksta.ChangeStatusSet,
	"accounts/set-entitlement": toksta.ChangeEntitlementSet, "accounts/set-external-id": toksta.ChangeAccountExternalID,
	"accounts/set-metadata": toksta.ChangeAccountMetadata, "accounts/invite": toksta.ChangeInvitationCreated,
	"members/invite": toksta.ChangeInvitationCreated, "members/set-role": toksta.ChangeMemberRoleSet, "members/disable": toksta.ChangeMemberDisabled,
	"members/enable": toksta.ChangeMemberEnabled, "members/remove": toksta.ChangeMemberRemoved, "invitations/revoke": toksta.ChangeInvitationRevoked, "members/erase": toksta.ChangeMemberErased,
	"accounts/close": toksta.ChangeAccountClosed, "accounts/reopen": toksta.ChangeAccountReopened, "accounts/erase": toksta.ChangeAccountErased,
	"keys/create": toksta.ChangeKeyCreated, "keys/rename": toksta.ChangeKeyRenamed, "keys/set-limits": toksta.ChangeKeyLimitsSet,
	"keys/set-external-id": toksta.ChangeKeyExternalID, "keys/set-metadata": toksta.ChangeKeyMetadata, "keys/rotate": toksta.ChangeKeyRotated,
	"keys/revoke": toksta.ChangeKeyRevoked, "keys/revoke-many": toksta.ChangeKeysRevoked, "keys/import": toksta.ChangeKeysImported,
	"credits/top-up": toksta.ChangeCreditsPurchased, "credits/adjust": toksta.ChangeCreditsAdjusted,
	"operator-keys/create": toksta.ChangeOperatorKeyCreated, "operator-keys/rotate": toksta.ChangeOperatorKeyRotated, "operator-keys/revoke": toksta.ChangeOperatorKeyRevoked,
}

// of returns an example of a response type. Only the optional members with an example value are in it.
func (s sampler) of(t reflect.Type) any {
	if v, ok := s.kinds[t]; ok {
		return v
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return false
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Float64:
		return 1
	case reflect.Slice:
		if v := s.of(t.Elem()); v != (left{}) {
			return []any{v}
		}
		return []any{}
	case reflect.Map:
		return object{}
	case reflect.Struct:
		return s.structure(t.Name(), t)
	}
	return ""
}

// structure returns an example of a struct with the fields of t. name is the type whose members they
// are, also if t is embedded in it.
func (s sampler) structure(name string, t reflect.Type) object {
	out := object{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, s.structure(name, f.Type)...)
			continue
		}
		inJSON, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		v := s.member(name, inJSON, f.Type)
		if v == any(left{}) || options != "" && v == "" {
			continue
		}
		out = append(out, member{inJSON, v})
	}
	return out
}

// member returns an example of a member.
func (s sampler) member(name, inJSON string, t reflect.Type) any {
	if v, ok := s.values[name+"."+inJSON]; ok {
		return v
	}
	if _, ok := s.kinds[t]; !ok || t.Kind() != reflect.String {
		if v, ok := s.values[inJSON]; ok {
			return v
		}
	}
	return s.of(t)
}

// sampleReport is an example of the usage report.
var sampleReport = object{
	{"period", "2027-01"},
	{"total_calls", 7},
	{"total_credits_charged", 21},
	{"total_overage_usd", 0},
	{"plan_source", "dedicated_api"},
	{"subscription_plan", "API_BUILD"},
	{"subscription_status", "active"},
	{"operations", object{{"creator_search", object{{"calls", 7}, {"credits_charged", 21}, {"overage_amount_usd", 0}}}}},
	{"entitlements", object{{"api_access_enabled", true}, {"rate_limit_per_minute", 300}, {"included_credits", 1000}, {"overage_usd_per_credit", 0.018}}},
	{"credits", object{{"included", 1000}, {"included_used", 21}, {"purchased_credits", 0}, {"remaining", 979}, {"resets_at", sampleTime}}},
	{"keys", []object{{{"id", sampleKey}, {"name", "Production"}, {"calls", 7}, {"credits", 21}, {"last_used_at", sampleTime}}}},
	{"refused", object{{"rate_limited", 1}}},
}

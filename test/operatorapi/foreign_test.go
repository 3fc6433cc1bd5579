package operatorapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// selects lists the operations whose fields are conditions, of which a row must meet all. They find nothing.
var selects = map[string]string{
	"keys/list": "a cursor", "keys/revoke-many": "selects keys", "credits/entries": "selects entries",
}

// Guarantee: an operation that names an account and a member, an invitation, a key or a reservation of
// another account responds NOT_FOUND and changes nothing. The operations are those of the table, so a new
// one is tested too.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	r := &runner{t: t, server: s}
	theirs := newForeign(t, client.New(s.socket))
	before, tested := theirs.state(), 0
	for _, o := range operator.Operations() {
		example, ok := requestExample(o.Name)
		if !ok {
			t.Fatalf("%s has no example", o.Name)
		}
		var request map[string]any
		if err := json.Unmarshal(example, &request); err != nil {
			t.Fatal(err)
		}
		account, foreign := "", false
		for _, f := range reflect.VisibleFields(o.Request) {
			name := jsonNames(o.Request)[f.Name]
			if f.Type == reflect.TypeFor[toksta.AccountID]() {
				account = name
			} else if id, ok := theirs.ids[f.Type]; ok {
				request[name], foreign = id, true
			} else if f.Type == reflect.TypeFor[client.SessionMember]() {
				request[name], foreign = map[string]any{"id": theirs.ids[reflect.TypeFor[toksta.MemberID]()]}, true
			}
		}
		if account == "" || !foreign {
			continue
		}
		tested++
		request[account] = s.ids[sampleFree]
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		got := r.post(o.Name, string(body))
		if selects[o.Name] != "" && got.Status == http.StatusOK {
			if strings.Contains(string(got.Body), string(theirs.ref.Account)) {
				t.Errorf("%s %s: %s", o.Name, body, got.Body)
			}
		} else if got.Status != http.StatusNotFound {
			t.Errorf("%s %s: %d %s", o.Name, body, got.Status, got.Body)
		}
		if diff := cmp.Diff(before, theirs.state()); diff != "" {
			t.Fatalf("%s changed another account:\n%s", o.Name, diff)
		}
	}
	if tested < 15 {
		t.Errorf("only %d operations have such fields", tested)
	}
}

// foreign is an account with a member, an invitation, a key and a reservation.
type foreign struct {
	t   *testing.T
	api *client.Client
	ref client.AccountRef
	ids map[reflect.Type]any
}

func newForeign(t *testing.T, api *client.Client) foreign {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := foreign{t: t, api: api, ref: client.AccountRef{Account: apptest.NewAccount(t, api, "Foreign")}}
	member, err := api.AddMember(t.Context(), client.AddMemberRequest{
		AccountRef: f.ref, Email: "zoe@fjordlight.example", Name: "Zoe", Password: "a long sentence that nobody guesses",
	})
	check(err)
	invited, err := api.InviteMember(t.Context(), client.InviteMemberRequest{AccountRef: f.ref, Role: toksta.MemberViewer})
	check(err)
	_, err = api.TopUpCredits(t.Context(), client.PurchaseRequest{AccountRef: f.ref, Credits: 100, IdempotencyKey: "bought"})
	check(err)
	key := apptest.NewKey(t, api, f.ref.Account, "theirs").Key.ID
	reserved, err := api.ReserveCredits(t.Context(), client.ReserveRequest{AccountRef: f.ref, Credits: 10, Key: key, Family: "job", CostKey: "job", IdempotencyKey: "job"})
	check(err)
	f.ids = map[reflect.Type]any{
		reflect.TypeFor[toksta.MemberID]():      member.Member.ID,
		reflect.TypeFor[toksta.InvitationID]():  invited.Invitation.ID,
		reflect.TypeFor[toksta.KeyID]():         key,
		reflect.TypeFor[[]toksta.KeyID]():       []toksta.KeyID{key},
		reflect.TypeFor[toksta.ReservationID](): reserved.Reservation.ID,
	}
	return f
}

// state returns everything that an operation could change, and the newest change of the server.
func (f foreign) state() []any {
	f.t.Helper()
	out := []any{}
	for _, read := range []func() (any, error){
		func() (any, error) { return f.api.Account(f.t.Context(), f.ref) },
		func() (any, error) { return f.api.Invitations(f.t.Context(), client.InvitationsRequest(f.ref)) },
		func() (any, error) {
			return f.api.ListKeys(f.t.Context(), client.ListKeysRequest{Account: f.ref.Account, Revoked: true})
		},
		func() (any, error) {
			return f.api.Reservations(f.t.Context(), client.ReservationsRequest{Account: f.ref.Account})
		},
		func() (any, error) { return f.api.Audit(f.t.Context(), client.AuditRequest{Limit: 1}) },
	} {
		v, err := read()
		if err != nil {
			f.t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

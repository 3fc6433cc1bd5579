package operatorkeys_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/operatorkeys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// world is a service on a real database.
type world struct {
	*operatorkeys.Service
	t     *testing.T
	store *sqlitetest.Store
	now   time.Time
}

// olga is an operator at the socket.
var olga = toksta.Actor{Kind: toksta.ActorOperator, ID: "olga", Name: "olga"}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := sqlitetest.Open(t)
	w := &world{t: t, store: s, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Service = &operatorkeys.Service{Log: s.DirectLog(), Store: s, Now: func() time.Time { return w.now }}
	return w
}

func (w *world) create(by toksta.Actor, r operatorkeys.CreateRequest) operatorkeys.Created {
	w.t.Helper()
	c, err := w.Create(w.t.Context(), by, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) wantError(err error, code toksta.Code, text string) {
	w.t.Helper()
	if err == nil || toksta.ErrorCode(err) != code || !strings.Contains(err.Error(), text) {
		w.t.Errorf("got %v, want %s with the text %q", err, code, text)
	}
}

// over returns the actor of a request that was made with an operator key.
func over(k toksta.OperatorKey) toksta.Actor {
	return toksta.Actor{Kind: toksta.ActorOperator, ID: string(k.ID), Name: k.Name, Address: "192.0.2.9"}
}

func networks(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// Guarantee: the returned operator key equals the stored one, its secret has the stored digest
// and the documented form, and the change log names the key and has no more of the secret than
// its preview.
func TestCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create(olga, operatorkeys.CreateRequest{
		Name: "  CI ", Roles: []toksta.Role{toksta.RoleBilling, toksta.RoleRead, toksta.RoleRead},
		Networks: networks("::ffff:192.0.2.9/120", "192.0.2.0/24"), ExpiresAt: new(w.now.Add(time.Hour)),
	})
	secret := c.Secret.Reveal()
	if !strings.HasPrefix(secret, "tk_op_") || len(secret) != len("tk_op_")+48 || sha256.Sum256([]byte(secret)) != c.Key.Current().Digest {
		t.Errorf("the secret has %d characters, or another digest than the key", len(secret))
	}
	got, err := w.Get(t.Context(), c.Key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Key, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("-returned +stored\n%s", diff)
	}
	if got.Name != "CI" || got.CreatedBy != "olga" || fmt.Sprint(got.Roles, got.Networks) != "[read billing] [192.0.2.0/24]" {
		t.Errorf("got %+v", got)
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{})
	if err != nil || len(changes) != 1 || changes[0].OperatorKeyID != got.ID || changes[0].Kind != toksta.ChangeOperatorKeyCreated {
		t.Fatalf("%+v, %v", changes, err)
	}
	text, err := json.Marshal(changes)
	if err != nil || strings.Contains(string(text), secret[10:len(secret)-4]) || !strings.Contains(string(text), `"read, billing"`) {
		t.Errorf("the change log has %s, %v", text, err)
	}
	if printed := fmt.Sprintf("%+v %v", c, c.Secret); strings.Contains(printed, secret[10:]) {
		t.Error("the secret can be printed")
	}
}

// Guarantee: an operator key is created only with valid fields, and all invalid fields are named
// at once.
func TestCreateRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := operatorkeys.CreateRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}}
	for field, spoil := range map[string]func(*operatorkeys.CreateRequest){
		"name":       func(r *operatorkeys.CreateRequest) { r.Name = " " },
		"roles":      func(r *operatorkeys.CreateRequest) { r.Roles = nil },
		"networks":   func(r *operatorkeys.CreateRequest) { r.Networks = []netip.Prefix{{}} },
		"expires_at": func(r *operatorkeys.CreateRequest) { r.ExpiresAt = &w.now },
	} {
		r := good
		spoil(&r)
		_, err := w.Create(t.Context(), olga, r)
		w.wantError(err, toksta.CodeValidation, "")
		if e, ok := err.(*toksta.Error); !ok || e.Details["field"] != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err := w.Create(t.Context(), olga, operatorkeys.CreateRequest{Roles: []toksta.Role{"admin"}})
	w.wantError(err, toksta.CodeValidation, `name: Give a name of 1 to 100 characters. roles: There is no role "admin".`)
	if changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{}); err != nil || len(changes) > 0 {
		t.Errorf("rejected requests made changes: %v, %v", changes, err)
	}
}

// Guarantee: a request with a token is carried out once, and its repetition names the key of the
// first one.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := operatorkeys.CreateRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}, Token: "one"}
	c := w.create(olga, r)
	_, err := w.Create(t.Context(), olga, r)
	w.wantError(err, toksta.CodeConflict, "carried out before")
	if e, ok := err.(*toksta.Error); !ok || e.Details["operator_key_id"] != string(c.Key.ID) || e.Reason != toksta.ReasonRepeated {
		t.Errorf("got %+v", err)
	}
	rotate := operatorkeys.RotateRequest{Key: c.Key.ID, Token: "one"}
	if _, err := w.Rotate(t.Context(), olga, rotate); err != nil {
		t.Fatal(err)
	}
	_, err = w.Rotate(t.Context(), olga, rotate)
	w.wantError(err, toksta.CodeConflict, "carried out before")
	if k, err := w.Get(t.Context(), c.Key.ID); err != nil || len(k.Generations) != 2 {
		t.Errorf("%d generations, %v", len(k.Generations), err)
	}
}

// Guarantee: there are never more than MaxLive live operator keys, also when they are created at
// the same time. Revoked and expired ones do not count.
func TestMaxLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := operatorkeys.CreateRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}}
	expiring := r
	expiring.ExpiresAt = new(w.now.Add(time.Hour))
	w.create(olga, expiring)
	var made sync.WaitGroup
	var mu sync.Mutex
	ids := []toksta.OperatorKeyID{}
	for range operatorkeys.MaxLive + 5 {
		made.Go(func() {
			c, err := w.Create(t.Context(), olga, r)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ids = append(ids, c.Key.ID)
				return
			}
			w.wantError(err, toksta.CodeConflict, "Revoke one first")
		})
	}
	made.Wait()
	if len(ids) != operatorkeys.MaxLive-1 {
		t.Fatalf("%d keys were created beside the first, want %d", len(ids), operatorkeys.MaxLive-1)
	}
	if _, err := w.Revoke(t.Context(), olga, ids[0]); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Hour)
	w.create(olga, r)
	w.create(olga, r)
	_, err := w.Create(t.Context(), olga, r)
	w.wantError(err, toksta.CodeConflict, "100 live operator keys")
}

// Guarantee: a rotation ends the old secret in the same change. It rejects a generation that the
// caller has not seen, and a key that is revoked or expired.
func TestRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create(olga, operatorkeys.CreateRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}, ExpiresAt: new(w.now.Add(time.Hour))})
	w.now = w.now.Add(time.Minute)
	rotated, err := w.Rotate(t.Context(), olga, operatorkeys.RotateRequest{Key: c.Key.ID, Generation: 1})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := w.Get(t.Context(), c.Key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rotated.Key, stored); diff != "" {
		t.Errorf("-returned +stored\n%s", diff)
	}
	grants := stored.Grants()
	if len(grants) != 2 || !grants[0].Revoked || grants[1].Revoked || stored.Current().Digest != sha256.Sum256([]byte(rotated.Secret.Reveal())) {
		t.Errorf("after the rotation: %+v", stored)
	}
	_, err = w.Rotate(t.Context(), olga, operatorkeys.RotateRequest{Key: c.Key.ID, Generation: 1})
	w.wantError(err, toksta.CodeConflict, "was rotated since")
	_, err = w.Rotate(t.Context(), olga, operatorkeys.RotateRequest{Key: "op_none"})
	w.wantError(err, toksta.CodeNotFound, "op_none")
	w.now = w.now.Add(time.Hour)
	_, err = w.Rotate(t.Context(), olga, operatorkeys.RotateRequest{Key: c.Key.ID})
	w.wantError(err, toksta.CodeConflict, "has expired")
	if _, err := w.Revoke(t.Context(), olga, c.Key.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Rotate(t.Context(), olga, operatorkeys.RotateRequest{Key: c.Key.ID})
	w.wantError(err, toksta.CodeConflict, "is revoked")
}

// Guarantee: a repeated revocation changes nothing and returns the change of the first one.
func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create(olga, operatorkeys.CreateRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}})
	first, err := w.Revoke(t.Context(), olga, c.Key.ID)
	if err != nil || !first.Key.Grants()[0].Revoked || first.Receipt.Change.Seq != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := w.Revoke(t.Context(), olga, c.Key.ID)
	if err != nil || again.Receipt.Change.Seq != 2 || again.Receipt.Change.Kind != toksta.ChangeOperatorKeyRevoked {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = w.Revoke(t.Context(), olga, "op_none")
	w.wantError(err, toksta.CodeNotFound, "op_none")
}

// Guarantee: over the network, an operator key gets no secret with more rights than its own, by
// creation or rotation, and none after it was revoked. It can always revoke. The socket can give
// every right.
func TestNoSecretBeyondOwnRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	manage, read := []toksta.Role{toksta.RoleManage}, []toksta.Role{toksta.RoleRead}
	soon, later := new(w.now.Add(time.Hour)), new(w.now.Add(2*time.Hour))
	office := networks("192.0.2.0/24", "2001:db8::/32")
	limited := w.create(olga, operatorkeys.CreateRequest{Name: "limited", Roles: manage, Networks: office, ExpiresAt: soon}).Key
	reader := w.create(olga, operatorkeys.CreateRequest{Name: "reader", Roles: read}).Key
	free := w.create(olga, operatorkeys.CreateRequest{Name: "free", Roles: manage}).Key
	gone := w.create(olga, operatorkeys.CreateRequest{Name: "gone", Roles: manage}).Key
	if _, err := w.Revoke(t.Context(), olga, gone.ID); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		by     toksta.Actor
		roles  []toksta.Role
		within []netip.Prefix
		ends   *time.Time
		says   string // "": allowed
	}{
		{"the same", over(limited), manage, office, soon, ""},
		{"a part", over(limited), read, networks("192.0.2.128/25", "2001:db8:1::/48"), new(w.now.Add(time.Minute)), ""},
		{"any network", over(limited), read, nil, soon, "limited to the networks 192.0.2.0/24, 2001:db8::/32"},
		{"a wider network", over(limited), read, networks("192.0.0.0/16"), soon, "limited to the networks"},
		{"one network too many", over(limited), read, networks("192.0.2.0/25", "198.51.100.0/24"), soon, "limited to the networks"},
		{"IPv6 for IPv4", over(limited), read, networks("::/0"), soon, "limited to the networks"},
		{"no expiry", over(limited), read, office, nil, "expire no later"},
		{"a later expiry", over(limited), read, office, later, "expire no later"},
		{"another role", over(reader), []toksta.Role{toksta.RoleRead, toksta.RoleSupport}, nil, nil, "no role support"},
		{"manage", over(reader), manage, nil, nil, "no role manage"},
		{"an unlimited key", over(free), manage, nil, nil, ""},
		{"a revoked key", over(gone), read, nil, nil, "no longer live"},
		{"an unknown key", toksta.Actor{Kind: toksta.ActorOperator, ID: "op_none"}, read, nil, nil, "no operator key"},
		{"the socket", olga, manage, nil, nil, ""},
	} {
		request := operatorkeys.CreateRequest{Name: tt.name, Roles: tt.roles, Networks: tt.within, ExpiresAt: tt.ends}
		_, err := w.Create(t.Context(), tt.by, request)
		_, rotation := w.Rotate(t.Context(), tt.by, operatorkeys.RotateRequest{Key: w.create(olga, request).Key.ID})
		if tt.says == "" {
			if err != nil || rotation != nil {
				t.Errorf("%s: %v, %v", tt.name, err, rotation)
			}
			continue
		}
		w.wantError(err, toksta.CodeForbidden, tt.says)
		w.wantError(rotation, toksta.CodeForbidden, tt.says)
	}
	if _, err := w.Revoke(t.Context(), over(limited), free.ID); err != nil {
		t.Errorf("a limited key cannot revoke: %v", err)
	}
	w.now = *soon
	_, err := w.Create(t.Context(), over(limited), operatorkeys.CreateRequest{Name: "late", Roles: read, Networks: office, ExpiresAt: soon})
	w.wantError(err, toksta.CodeValidation, "in the future")
	_, err = w.Create(t.Context(), over(limited), operatorkeys.CreateRequest{Name: "late", Roles: read, Networks: office, ExpiresAt: later})
	w.wantError(err, toksta.CodeForbidden, "no longer live")
}

// Guarantee: the last use of an operator key is recorded when the process stops, and a use that
// could not be recorded is kept for the next time.
func TestUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(olga, operatorkeys.CreateRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}}).Key.ID
	uses := operatorkeys.NewUses(w.store, slog.New(slog.DiscardHandler))
	uses.Used(id, w.now, "192.0.2.1")
	uses.Used(id, w.now.Add(-time.Second), "192.0.2.2")
	uses.Used("op_unknown", w.now, "192.0.2.2")
	stopped(t, uses)
	k, err := w.Get(t.Context(), id)
	if want := (toksta.OperatorUse{At: w.now, Address: "192.0.2.1"}); err != nil || k.LastUse != want {
		t.Errorf("%+v, %v", k.LastUse, err)
	}
	once := &failsOnce{OperatorUses: w.store}
	uses = operatorkeys.NewUses(once, slog.New(slog.DiscardHandler))
	uses.Used(id, w.now.Add(time.Minute), "192.0.2.3")
	stopped(t, uses)
	if k, err := w.Get(t.Context(), id); err != nil || k.LastUse.Address != "192.0.2.1" {
		t.Fatalf("nothing failed: %+v, %v", k.LastUse, err)
	}
	stopped(t, uses)
	if k, err := w.Get(t.Context(), id); err != nil || k.LastUse.Address != "192.0.2.3" {
		t.Errorf("after a failure: %+v, %v", k.LastUse, err)
	}
}

// stopped runs uses until it has recorded them at the end.
func stopped(t *testing.T, uses *operatorkeys.Uses) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := uses.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// failsOnce is a database whose first record of uses fails.
type failsOnce struct {
	store.OperatorUses
	failed bool
}

func (f *failsOnce) TouchOperatorKeys(ctx context.Context, uses map[toksta.OperatorKeyID]toksta.OperatorUse) error {
	if !f.failed {
		f.failed = true
		return store.ErrUnavailable
	}
	return f.OperatorUses.TouchOperatorKeys(ctx, uses)
}

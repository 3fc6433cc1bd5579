// Package storetest is the conformance suite of [store.Store]. It tests through the
// interface the guarantees that the rest of the product relies on. Every implementation
// passes it unchanged.
package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Database opens the same database at each call; it is empty at first. Stores are closed at
// the end of the test. If only one process can open the database, all calls may return the
// same store.
type Database func(t *testing.T) store.Store

// Run runs the suite, each test on a database of its own.
func Run(t *testing.T, database func(t *testing.T) Database) {
	for _, tt := range conformance {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			open := database(t)
			tt.test(&suite{T: t, s: open(t), open: open})
		})
	}
}

// conformanceTest tests one guarantee of a store.
type conformanceTest struct {
	name string
	test func(*suite)
}

var conformance = []conformanceTest{
	{"commit numbers have no gap", commitNumbers},
	{"commit decides one at a time", commitCap},
	{"commit token", commitToken},
	{"commit failure writes nothing", commitFailure},
	{"commit nothing", commitNothing},
	{"commit round trip", commitRoundTrip},
	{"many rows", manyRows},
	{"digest of another key", takenDigest},
	{"accounts", accounts},
	{"keys", keys},
	{"key of another account", foreignKey},
	{"ids keep their case", caseOfIDs},
	{"external ids", externalIDs},
	{"search for accounts", searchAccounts},
	{"search for keys", searchKeys},
	{"search in many rows", searchMany},
	{"search for changes", searchChanges},
	{"live keys", liveKeys},
	{"extreme times", extremeTimes},
	{"members", members},
	{"sign-ups", signUps},
	{"memberships", memberships},
	{"erased addresses", erasedAddresses},
	{"erasing", erases},
	{"erasing addresses", erasesAddresses},
	{"time of an erasure", marksErased},
	{"people of one account", soleMembers},
	{"erased people", erasedPeople},
	{"tickets", tickets},
	{"latest tickets", latestTickets},
	{"database time", databaseTime},
	{"attempts", attempts},
	{"trimmed attempts", trimmedAttempts},
	{"browsers", browsers},
	{"passkeys", passkeys},
	{"factors of providers", vouchedFactors},
	{"authenticator apps", authenticatorApps},
	{"recovery codes", recoveryCodes},
	{"invitations", invitations},
	{"identities", identities},
	{"audit", audit},
	{"audit of many keys", auditOfMany},
	{"sessions", sessions},
	{"delta", deltaRows},
	{"delta of a rotated key", deltaRotate},
	{"delta shares limits", deltaShares},
	{"delta under commits", deltaRaces},
	{"snapshot", snapshot},
	{"fenced", fenced},
	{"fence spares a renewed node", fenceSpares},
	{"nodes", nodes},
	{"listens", listens},
	{"delta pages", deltaPages},
	{"follows", follows},
	{"renews", renews},
	{"acks", acks},
	{"operator keys", operatorKeys},
	{"last uses of operator keys", operatorUses},
	{"digest of another operator key", takenOperatorDigest},
	{"delta of operator keys", deltaOperators},
	{"delta of many operator keys", deltaManyOperators},
	{"usage totals", usageTotals},
	{"usage selection", usageSelection},
	{"usage of all accounts", eachUsage},
	{"last uses", lastUses},
	{"key uses", keyUses},
	{"credit use", creditUse},
	{"one event of an occurrence", raiseOnce},
	{"claims of deliveries", claimDeliveries},
	{"late finish", lateFinish},
	{"lists of events", listEvents},
	{"replay", replay},
	{"prune events", pruneEvents},
	{"notices are written once", writeNotices},
	{"notices on pages", noticePages},
	{"claims of notices", claimNotices},
	{"backlog of notices", noticeBacklog},
	{"dates of keys", datedKeys},
	{"credit use of reservations", creditUseHeld},
	{"credits are decided in turn", creditsDecideInTurn},
	{"credits state", creditsState},
	{"credits except own charges", creditsExceptOwn},
	{"credits round trip", creditsRoundTrip},
	{"credits in a change", creditsInChange},
	{"charges by others", chargesBy},
	{"charges of reservations", chargesHeld},
	{"roll-up", rollUp},
	{"roll-up of any history", rollUpProperty},
	{"roll-up races", rollUpRaces},
	{"roll-up waits for the export", rollUpWaits},
	{"drop", drop},
	{"work is claimed", workClaims},
	{"export once", exportOnce},
	{"export of late growth", exportLate},
	{"export of a refund", exportRefund},
	{"export with an external id", exportExternalID},
	{"export by two nodes", exportTogether},
	{"export status", exportStatus},
}

// suite is one test with its own store.
type suite struct {
	*testing.T
	s    store.Store
	open Database // opens the database of s again
}

// now is a time without fractions of a millisecond.
var now = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)

var operator = toksta.Actor{Kind: toksta.ActorOperator, ID: "op", Name: "Op", Address: "192.0.2.1", Agent: "cli"}

func decided(m store.Mutation) store.Decide {
	return func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
}

func (t *suite) commit(m store.Mutation) toksta.Change {
	t.Helper()
	c, err := t.s.Commit(t.Context(), operator, decided(m))
	t.ok(err)
	return c
}

func (t *suite) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails the test unless got equals want. An empty slice equals nil.
func is[T any](t *suite, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Fatalf("-want +got\n%s", d)
	}
}

func account(id string) toksta.Account {
	on := true
	return toksta.Account{
		ID: toksta.AccountID(id), Name: "Ada & Co", Plan: "API_BUILD", Status: toksta.StatusActive, StatusSince: now,
		Cadence: "monthly", CycleAnchor: now, CreatedAt: now,
		Entitlements: toksta.Entitlements{APIAccess: &on, Families: map[toksta.Family]bool{"workspace": true}},
	}
}

func (t *suite) account(id string) toksta.Account {
	t.Helper()
	a := account(id)
	a.Seq = t.commit(store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}}).Seq
	return a
}

func digest(of string) toksta.Digest { return sha256.Sum256([]byte(of)) }

// key returns a key with one generation, whose digest is derived from the id.
func key(account toksta.AccountID, id string) toksta.Key {
	return toksta.Key{
		ID: toksta.KeyID(id), AccountID: account, Name: "k", CreatedAt: now, CreatedBy: "Ada", CreatedByID: "mem_ada",
		Generations: []toksta.Generation{{Digest: digest(id), Number: 1, Start: "a1b2", End: "9f0e", CreatedAt: now}},
	}
}

func (t *suite) put(k toksta.Key) toksta.Key {
	t.Helper()
	m := store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: k.AccountID, KeyID: k.ID, Keys: []toksta.Key{k}}
	k.Seq = t.commit(m).Seq
	return k
}

func ids[T any](rows []T, id func(T) string) string {
	out := ""
	for _, r := range rows {
		out += id(r) + " "
	}
	return out
}

func keyIDs(keys []toksta.Key) string {
	return ids(keys, func(k toksta.Key) string { return string(k.ID) })
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%04d", prefix, n) }

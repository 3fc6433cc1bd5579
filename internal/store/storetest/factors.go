package storetest

import (
	"errors"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// once calls use 8 times at the same moment and requires that one call succeeds and the others
// return ErrNotFound. Half of the calls go through a second handle.
func (t *suite) once(use func(store.Store) error) {
	t.Helper()
	handles := []store.Store{t.s, t.open(t.T)}
	used := make(chan error, 8)
	for i := range cap(used) {
		go func() { used <- use(handles[i%2]) }()
	}
	succeeded := 0
	for range cap(used) {
		if err := <-used; err == nil {
			succeeded++
		} else {
			t.missing(err)
		}
	}
	is(t, succeeded, 1)
}

// passkeys: a removed passkey must not be found, a sign count must not be overwritten by an older
// one, and a rename must not reset it.
func passkeys(t *suite) {
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_a", Email: "a@x"}, {ID: "mem_b", Email: "b@x"}}})
	p := store.Passkey{
		ID: "pass_a", MemberID: "mem_a", Credential: []byte{1, 0, 255}, PublicKey: []byte{7}, SignCount: 1<<32 - 2, BackupEligible: true,
		AAGUID: "00", Transports: "internal,hybrid", Name: "Phone", CreatedAt: now,
	}
	other := store.Passkey{ID: "pass_b", MemberID: "mem_b", Credential: []byte{2}, PublicKey: []byte{8}, Name: "Key", CreatedAt: now, UsedAt: now, SuspectedAt: now}
	t.commit(store.Mutation{Kind: toksta.ChangeFactorAdded, Passkeys: []store.Passkey{p, other}})
	find := func(credential []byte) store.Passkey {
		t.Helper()
		got, err := t.s.Passkey(t.Context(), credential)
		t.ok(err)
		return got
	}
	is(t, find(p.Credential), p)
	is(t, find(other.Credential), other)
	state, err := t.s.FactorState(t.Context(), "mem_a")
	t.ok(err)
	is(t, state, store.FactorState{Passkeys: 1})
	is(t, state.HasFactor(), true)

	was := p.SignCount
	p.SignCount, p.UsedAt, p.SuspectedAt, p.BackedUp, p.BackupEligible = was+1, now, now, true, false
	t.once(func(s store.Store) error { return s.UsePasskey(t.Context(), p, was) })
	is(t, find(p.Credential), p)
	renamed := p
	renamed.Name, renamed.SignCount, renamed.UsedAt = "Old phone", 0, time.Time{}
	t.commit(store.Mutation{Kind: toksta.ChangeFactorAdded, Passkeys: []store.Passkey{renamed}})
	p.Name = "Old phone"
	is(t, find(p.Credential), p)
	taken := other
	taken.ID = "pass_c"
	_, err = t.s.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeFactorAdded, Passkeys: []store.Passkey{taken}}))
	is(t, errors.Is(err, store.ErrTaken), true)

	p.RemovedAt, p.Name, p.PublicKey = now, "", []byte{}
	t.commit(store.Mutation{Kind: toksta.ChangeFactorRemoved, Passkeys: []store.Passkey{p}})
	_, err = t.s.Passkey(t.Context(), p.Credential)
	t.missing(err)
	t.missing(t.s.UsePasskey(t.Context(), p, p.SignCount))
	list, err := t.s.ListPasskeys(t.Context(), "mem_a")
	t.ok(err)
	is(t, list, nil)
}

// vouchedFactors: only a live session that a provider started with a factor counts as one.
func vouchedFactors(t *suite) {
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_b", Email: "b@x"}}})
	session := store.Session{ID: digest("s"), MemberID: "mem_b", FactorAt: now, ExpiresAt: time.Now().Add(time.Hour)}
	t.ok(t.s.PutSession(t.Context(), session))
	session.ID, session.Provider, session.FactorAt = digest("p"), "sso", time.Time{}
	t.ok(t.s.PutSession(t.Context(), session))
	session.ID, session.FactorAt, session.ExpiresAt = digest("e"), now, time.Now().Add(-time.Hour)
	t.ok(t.s.PutSession(t.Context(), session))
	vouched := func() bool {
		t.Helper()
		state, err := t.s.FactorState(t.Context(), "mem_b")
		t.ok(err)
		return state.Vouched
	}
	is(t, vouched(), false)
	session.ID, session.ExpiresAt = digest("v"), time.Now().Add(time.Hour)
	t.ok(t.s.PutSession(t.Context(), session))
	is(t, vouched(), true)
}

// authenticatorApps: a time step must be accepted once, also by nodes at the same moment, and a
// confirmed app must not be replaced by another one.
func authenticatorApps(t *suite) {
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_a", Email: "a@x"}}})
	read := func() (store.TOTP, string) {
		t.Helper()
		got, err := t.s.TOTP(t.Context(), "mem_a")
		t.ok(err)
		secret := got.Secret.Reveal()
		got.Secret = toksta.Hidden{}
		return got, secret
	}
	want := store.TOTP{MemberID: "mem_a", CreatedAt: now}
	hasSecret := func(secret string) {
		t.Helper()
		got, found := read()
		is(t, found, secret)
		is(t, got.LastStep, want.LastStep)
		is(t, []time.Time{got.CreatedAt, got.ConfirmedAt}, []time.Time{want.CreatedAt, want.ConfirmedAt})
	}
	for _, secret := range []string{"FIRST", "SECOND"} {
		t.ok(t.s.PutTOTP(t.Context(), store.TOTP{MemberID: "mem_a", Secret: toksta.Hide(secret), CreatedAt: now}))
		hasSecret(secret)
	}
	t.missing(t.s.UseTOTPStep(t.Context(), "mem_a", 5))
	want.ConfirmedAt, want.LastStep = now, 5
	confirmed := want
	confirmed.Secret = toksta.Hide("SECOND")
	t.commit(store.Mutation{Kind: toksta.ChangeFactorAdded, TOTPs: []store.TOTP{confirmed}})
	t.missing(t.s.PutTOTP(t.Context(), store.TOTP{MemberID: "mem_a", Secret: toksta.Hide("THIRD"), CreatedAt: now}))
	hasSecret("SECOND")

	t.missing(t.s.UseTOTPStep(t.Context(), "mem_a", 5))
	t.once(func(s store.Store) error { return s.UseTOTPStep(t.Context(), "mem_a", 6) })
	want.LastStep = 6
	hasSecret("SECOND")

	t.commit(store.Mutation{Kind: toksta.ChangeFactorRemoved, TOTPs: []store.TOTP{{MemberID: "mem_a"}}})
	_, err := t.s.TOTP(t.Context(), "mem_a")
	t.missing(err)
	state, err := t.s.FactorState(t.Context(), "mem_a")
	t.ok(err)
	is(t, state, store.FactorState{})
}

// recoveryCodes: a code must work once, also on two nodes at the same moment, and only for its
// member.
func recoveryCodes(t *suite) {
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_a", Email: "a@x"}, {ID: "mem_b", Email: "b@x"}}})
	one, two := store.RecoveryCode{MemberID: "mem_a", Hash: digest("1")}, store.RecoveryCode{MemberID: "mem_a", Hash: digest("2")}
	t.commit(store.Mutation{Kind: toksta.ChangeFactorAdded, RecoveryCodes: []store.RecoveryCode{one, two}})
	used := one
	used.UsedAt = now
	foreign := used
	foreign.MemberID = "mem_b"
	t.missing(t.s.UseRecoveryCode(t.Context(), foreign))
	t.once(func(s store.Store) error { return s.UseRecoveryCode(t.Context(), used) })
	list, err := t.s.ListRecoveryCodes(t.Context(), "mem_a")
	t.ok(err)
	is(t, list, []store.RecoveryCode{two})
	state, err := t.s.FactorState(t.Context(), "mem_a")
	t.ok(err)
	is(t, state, store.FactorState{RecoveryCodes: 1})
	is(t, state.HasFactor(), false)
	two.UsedAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeFactorAdded, RecoveryCodes: []store.RecoveryCode{two}})
	list, err = t.s.ListRecoveryCodes(t.Context(), "mem_a")
	t.ok(err)
	is(t, list, nil)
}

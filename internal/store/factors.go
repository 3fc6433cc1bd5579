package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Factors reads the passkeys and the second factors of members.
type Factors interface {
	// FactorState summarizes what a member has. It is zero for an unknown member.
	FactorState(ctx context.Context, member toksta.MemberID) (FactorState, error)
	// Passkey finds a passkey that was not removed by the id of its credential.
	Passkey(ctx context.Context, credential []byte) (Passkey, error)
	// ListPasskeys returns the passkeys of a member that were not removed, the oldest first.
	ListPasskeys(ctx context.Context, member toksta.MemberID) ([]Passkey, error)
	// TOTP returns the authenticator app of a member, also one that is not confirmed.
	TOTP(ctx context.Context, member toksta.MemberID) (TOTP, error)
	// ListRecoveryCodes returns the unused recovery codes of a member.
	ListRecoveryCodes(ctx context.Context, member toksta.MemberID) ([]RecoveryCode, error)
}

// FactorState summarizes the factors of a member.
type FactorState struct {
	Passkeys      int
	TOTP          bool // confirmed
	RecoveryCodes int  // unused
	// Vouched is set if the member has a session in which a sign-in provider verified a factor.
	Vouched bool
}

// HasFactor reports whether the member has a passkey or an authenticator app. Recovery codes
// alone are no factor.
func (f FactorState) HasFactor() bool { return f.TOTP || f.Passkeys > 0 }

// Passkey is a credential of an authenticator (WebAuthn).
type Passkey struct {
	ID         string // names the passkey on pages
	MemberID   toksta.MemberID
	Credential []byte // the id that the authenticator gave the credential
	PublicKey  []byte // COSE
	SignCount  uint32
	// BackupEligible and BackedUp report whether the authenticator can and does copy the passkey
	// to other devices.
	BackupEligible, BackedUp bool
	AAGUID                   string // the model of the authenticator, in hex; zeros: not stated
	Transports               string // separated by commas, such as "internal,hybrid"
	Name                     string
	CreatedAt                time.Time
	UsedAt                   time.Time // zero: never
	SuspectedAt              time.Time // when the sign count last failed to grow: a copy can exist; zero: never
	RemovedAt                time.Time // zero: usable
}

// TOTP is the authenticator app of a member (RFC 6238).
type TOTP struct {
	MemberID    toksta.MemberID
	Secret      toksta.Hidden // base 32; empty: none
	CreatedAt   time.Time
	ConfirmedAt time.Time // zero: does not count yet
	LastStep    int64     // the newest time step of an accepted code
}

// RecoveryCode is a code that replaces a second factor once.
type RecoveryCode struct {
	MemberID toksta.MemberID
	Hash     toksta.Digest // SHA-256
	UsedAt   time.Time     // zero: unused
}

// FactorUses notes the uses of factors. They are not in the change log, because no right depends
// on them: a sign-in has its own change. Of several simultaneous calls for the same use, on any
// nodes, one succeeds; the others return ErrNotFound.
type FactorUses interface {
	// UsePasskey sets sign count, backup flags, UsedAt and SuspectedAt of a passkey. It returns
	// ErrNotFound if the passkey was removed, or if its sign count is no longer was.
	UsePasskey(ctx context.Context, p Passkey, was uint32) error
	// PutTOTP inserts an app that is not confirmed, or replaces one. It returns ErrNotFound if
	// the member has a confirmed app, or was erased.
	PutTOTP(ctx context.Context, t TOTP) error
	// UseTOTPStep accepts a time step. It returns ErrNotFound if the app
	// is not confirmed, or if this or a later step was accepted before.
	UseTOTPStep(ctx context.Context, member toksta.MemberID, step int64) error
	// UseRecoveryCode marks an unused code as used. It returns ErrNotFound for any other code.
	UseRecoveryCode(ctx context.Context, c RecoveryCode) error
}

package toksta

import "time"

// ActorKind is what kind of party made a change.
type ActorKind string

// The kinds of actors.
const (
	ActorMember   ActorKind = "member"   // a person on the account pages
	ActorOperator ActorKind = "operator" // the vendor, by CLI or operator API
	ActorSystem   ActorKind = "system"
)

// Actor is who asks for a change and from where: an argument of every
// mutation, written into its row of the change log.
type Actor struct {
	Kind    ActorKind
	ID      string // member id, or the operator's own name
	Name    string // for people
	Address string // client address, "" for the CLI on the same machine
	Agent   string // browser or tool
}

// ChangeKind names what happened: "key.revoked".
type ChangeKind string

// The kinds of changes.
const (
	ChangeAccountCreated    ChangeKind = "account.created"
	ChangeAccountRenamed    ChangeKind = "account.renamed"
	ChangePlanSet           ChangeKind = "account.plan_set"
	ChangeStatusSet         ChangeKind = "account.status_set"
	ChangeEntitlementSet    ChangeKind = "account.entitlement_set"
	ChangeCreditsPurchased  ChangeKind = "account.credits_purchased"
	ChangeCreditsAdjusted   ChangeKind = "account.credits_adjusted"
	ChangeMemberCreated     ChangeKind = "member.created"
	ChangeMemberPasswordSet ChangeKind = "member.password_set"
	ChangeMemberDisabled    ChangeKind = "member.disabled"
	ChangeMemberSignedIn    ChangeKind = "member.signed_in"
	ChangeInvitationCreated ChangeKind = "invitation.created"
	ChangeKeyCreated        ChangeKind = "key.created"
	ChangeKeyRenamed        ChangeKind = "key.renamed"
	ChangeKeyRotated        ChangeKind = "key.rotated"
	ChangeKeyRevoked        ChangeKind = "key.revoked"
	ChangeKeyLimitsSet      ChangeKind = "key.limits_set"
	ChangeKeysImported      ChangeKind = "keys.imported"
	ChangeKeysRevoked       ChangeKind = "keys.revoked"
)

// Change is one row of the change log: the audit trail, and the clock that
// nodes follow. Its numbers have no gaps and their order is the commit order.
type Change struct {
	Seq       int64
	At        time.Time
	Kind      ChangeKind
	Actor     Actor
	AccountID AccountID
	KeyID     KeyID
	MemberID  MemberID
	// Detail says what changed, for people: field → "old → new" or the new
	// value. Never a secret, a digest or a password hash.
	Detail map[string]string
}

// Receipt is what a mutation returns once it is enforced: no node admits a
// later request on the state before Seq.
type Receipt struct {
	Change    Change
	Confirmed []NodeConfirmation // nodes that applied the change
	Fenced    []string           // nodes that did not answer and whose lease was waited out
	Took      time.Duration      // from commit to enforced
}

// NodeConfirmation says when a node reported the change applied.
type NodeConfirmation struct {
	Node string
	Took time.Duration // since the commit
}

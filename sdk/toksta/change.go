package toksta

import "time"

// ActorKind is the kind of party that makes a change.
type ActorKind string

// The kinds of actors.
const (
	ActorMember   ActorKind = "member"   // a person on the account pages
	ActorOperator ActorKind = "operator" // the vendor, through the CLI or the operator API
	ActorSystem   ActorKind = "system"
)

// Actor is the author of a change. Every mutation takes an actor and writes
// the actor into its row of the change log.
type Actor struct {
	Kind    ActorKind
	ID      string // id of a member, or name of an operator
	Name    string // for people
	Address string // address of the client; "" for the CLI on the same machine
	Agent   string // browser or tool
}

// ChangeKind names the type of a change: "key.revoked".
type ChangeKind string

// The kinds of changes.
const (
	ChangeAccountCreated    ChangeKind = "account.created"
	ChangeAccountRenamed    ChangeKind = "account.renamed"
	ChangePlanSet           ChangeKind = "account.plan_set"
	ChangeStatusSet         ChangeKind = "account.status_set"
	ChangeAccountExternalID ChangeKind = "account.external_id_set"
	ChangeAccountMetadata   ChangeKind = "account.metadata_set"
	ChangeEntitlementSet    ChangeKind = "account.entitlement_set"
	ChangeCreditsPurchased  ChangeKind = "account.credits_purchased"
	ChangeCreditsAdjusted   ChangeKind = "account.credits_adjusted"
	ChangeMemberCreated     ChangeKind = "member.created"
	ChangeMemberPasswordSet ChangeKind = "member.password_set"
	ChangeMemberProfileSet  ChangeKind = "member.profile_set"
	ChangeMemberDisabled    ChangeKind = "member.disabled"
	ChangeMemberSignedIn    ChangeKind = "member.signed_in"
	ChangeMemberJoined      ChangeKind = "member.joined"   // by an invitation, with an existing sign-in
	ChangeMemberRoleSet     ChangeKind = "member.role_set" // in one account
	ChangeMemberEnabled     ChangeKind = "member.enabled"
	ChangeMemberRemoved     ChangeKind = "member.removed" // from one account, by another member or the operator
	ChangeMemberLeft        ChangeKind = "member.left"
	ChangeMemberVerified    ChangeKind = "member.verified" // the address
	ChangeMemberExpired     ChangeKind = "member.expired"  // a sign-up whose address was not verified
	ChangeFactorAdded       ChangeKind = "member.factor_added"
	ChangeFactorRemoved     ChangeKind = "member.factor_removed"
	ChangeIdentityLinked    ChangeKind = "member.identity_linked" // of a sign-in provider
	ChangeIdentityUnlinked  ChangeKind = "member.identity_unlinked"
	ChangeSessionCreated    ChangeKind = "member.session_created" // by the vendor's back end
	ChangeMemberErased      ChangeKind = "member.erased"          // the personal data, by the operator
	ChangeSessionsEnded     ChangeKind = "member.sessions_ended"  // of a person, by the operator
	ChangeAccountClosed     ChangeKind = "account.closed"
	ChangeAccountReopened   ChangeKind = "account.reopened"
	ChangeAccountErased     ChangeKind = "account.erased"
	ChangeInvitationCreated ChangeKind = "invitation.created"
	ChangeInvitationRevoked ChangeKind = "invitation.revoked"
	ChangeKeyCreated        ChangeKind = "key.created"
	ChangeKeyRenamed        ChangeKind = "key.renamed"
	ChangeKeyRotated        ChangeKind = "key.rotated"
	ChangeKeyRevoked        ChangeKind = "key.revoked"
	ChangeKeyLimitsSet      ChangeKind = "key.limits_set"
	ChangeKeyExternalID     ChangeKind = "key.external_id_set"
	ChangeKeyMetadata       ChangeKind = "key.metadata_set"
	ChangeKeysImported      ChangeKind = "keys.imported"
	ChangeKeysRevoked       ChangeKind = "keys.revoked"

	ChangeOperatorKeyCreated ChangeKind = "operator_key.created"
	ChangeOperatorKeyRotated ChangeKind = "operator_key.rotated"
	ChangeOperatorKeyRevoked ChangeKind = "operator_key.revoked"
)

// ChangeKinds returns all kinds of changes.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{
		ChangeAccountCreated,
		ChangeAccountRenamed,
		ChangePlanSet,
		ChangeStatusSet,
		ChangeAccountExternalID,
		ChangeAccountMetadata,
		ChangeEntitlementSet,
		ChangeCreditsPurchased,
		ChangeCreditsAdjusted,
		ChangeMemberCreated,
		ChangeMemberPasswordSet,
		ChangeMemberProfileSet,
		ChangeMemberDisabled,
		ChangeMemberSignedIn,
		ChangeMemberJoined,
		ChangeMemberRoleSet,
		ChangeMemberEnabled,
		ChangeMemberRemoved,
		ChangeMemberLeft,
		ChangeMemberVerified,
		ChangeMemberExpired,
		ChangeFactorAdded,
		ChangeFactorRemoved,
		ChangeIdentityLinked,
		ChangeIdentityUnlinked,
		ChangeSessionCreated,
		ChangeMemberErased,
		ChangeSessionsEnded,
		ChangeAccountClosed,
		ChangeAccountReopened,
		ChangeAccountErased,
		ChangeInvitationCreated,
		ChangeInvitationRevoked,
		ChangeKeyCreated,
		ChangeKeyRenamed,
		ChangeKeyRotated,
		ChangeKeyRevoked,
		ChangeKeyLimitsSet,
		ChangeKeyExternalID,
		ChangeKeyMetadata,
		ChangeKeysImported,
		ChangeKeysRevoked,
		ChangeOperatorKeyCreated,
		ChangeOperatorKeyRotated,
		ChangeOperatorKeyRevoked,
	}
}

// Change is one row of the change log, which is the audit trail and the feed
// that nodes follow. The numbers have no gaps and are in commit order.
type Change struct {
	Seq       int64
	At        time.Time
	Kind      ChangeKind
	Actor     Actor
	AccountID AccountID
	KeyID     KeyID
	MemberID  MemberID
	// OperatorKeyID is the operator key that the change created, rotated or revoked.
	OperatorKeyID OperatorKeyID
	// Detail describes the change to people, by field: "old → new", or the new
	// value. It never holds a secret, a digest or a password hash.
	Detail map[string]string
}

// Receipt proves that a change is enforced: no node decides a later request by
// the state before the change.
type Receipt struct {
	Change    Change
	Confirmed []NodeConfirmation // nodes that applied the change
	Fenced    []string           // nodes that did not respond and whose lease has expired
	Took      time.Duration      // from the commit until the change was enforced
}

// NodeConfirmation reports that a node applied a change.
type NodeConfirmation struct {
	Node string
	Took time.Duration // time between the commit and the confirmation
}

package operator

import (
	"reflect"
	"slices"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// The roles of several operations. define adds toksta.RoleManage to each list.
var (
	// readers may read all accounts and keys, without secrets.
	readers = []toksta.Role{toksta.RoleRead, toksta.RoleSupport, toksta.RoleBilling}
	// observers may read the state of the servers.
	observers = []toksta.Role{toksta.RoleRead, toksta.RoleSupport, toksta.RoleBilling, toksta.RoleMetrics}
	// supporters may change accounts and keys, except for plan, billing state and secrets.
	supporters = []toksta.Role{toksta.RoleSupport}
	// billers may change the plan, the billing state and the credits of accounts.
	billers = []toksta.Role{toksta.RoleBilling}
	// closers may close accounts: support staff may revoke each key of an account anyway.
	closers = []toksta.Role{toksta.RoleSupport, toksta.RoleBilling}
	// settlers may also close reservations.
	settlers = []toksta.Role{toksta.RoleBilling, toksta.RoleVerify}
	// deciders may ask for decisions on calls.
	deciders = []toksta.Role{toksta.RoleVerify}
	// vouchers may sign people in: the vendor's back end vouches for them.
	vouchers = []toksta.Role{toksta.RoleSessions}
	// everyone has any role.
	everyone = []toksta.Role{toksta.RoleRead, toksta.RoleSupport, toksta.RoleBilling, toksta.RoleVerify, toksta.RoleSessions, toksta.RoleMetrics}
	// managers only have toksta.RoleManage. Each of their operations reveals a secret, sets
	// one, gives a person more rights, or sends a message to an address of the caller's choice.
	managers []toksta.Role
)

// The error codes of several operations.
var (
	notFoundCode         = []toksta.Code{toksta.CodeNotFound}
	conflictCode         = []toksta.Code{toksta.CodeConflict}
	notFoundConflictCode = []toksta.Code{toksta.CodeNotFound, toksta.CodeConflict}
)

// operations returns the table of all operations.
func (s server) operations() []operation {
	return slices.Concat(s.accountOperations(), s.memberOperations(), s.keyOperations(), s.sessionOperations(), s.operatorKeyOperations(), s.creditOperations(), s.verifyOperations(), s.eventOperations(), s.reportOperations())
}

// accountOperations returns the operations on accounts and their members. A new account has a
// plan and a billing state, so creating one is billing.
func (s server) accountOperations() []operation {
	return []operation{
		define(s, Operation{Name: "accounts/create", Summary: "Creates an account.", Roles: billers, Changes: true, Codes: conflictCode}, s.createAccount),
		define(s, Operation{Name: "accounts/list", Summary: "Lists accounts, or searches for them.", Roles: readers}, s.listAccounts),
		define(s, Operation{Name: "accounts/show", Summary: "Returns an account with its members.", Roles: readers, Codes: notFoundCode}, s.showAccount),
		define(s, Operation{Name: "accounts/rename", Summary: "Changes the name of an account.", Roles: supporters, Changes: true, Codes: notFoundCode}, s.renameAccount),
		define(s, Operation{Name: "accounts/set-plan", Summary: "Changes the plan of an account.", Roles: billers, Changes: true, Codes: notFoundCode}, s.setPlan),
		define(s, Operation{Name: "accounts/set-status", Summary: "Changes the billing state of an account.", Roles: billers, Changes: true, Codes: notFoundCode}, s.setStatus),
		define(s, Operation{Name: "accounts/set-entitlement", Summary: "Sets or removes an exception of an account from its plan.", Roles: billers, Changes: true, Codes: notFoundConflictCode}, s.setEntitlement),
		define(s, Operation{Name: "accounts/set-external-id", Summary: "Sets the id that an account has in the vendor's systems.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.setAccountExternalID),
		define(s, Operation{Name: "accounts/set-metadata", Summary: "Changes pairs of an account's metadata.", Roles: supporters, Changes: true, Codes: notFoundCode}, s.setAccountMetadata),
		define(s, Operation{Name: "accounts/close", Summary: "Closes an account and revokes all its keys and invitations.", Roles: closers, Changes: true, Codes: notFoundCode}, s.closeAccount),
		define(s, Operation{Name: "accounts/reopen", Summary: "Opens a closed account again, without its keys.", Roles: closers, Changes: true, Codes: notFoundConflictCode}, s.reopenAccount),
		define(s, Operation{Name: "accounts/erase", Summary: "Removes the personal data of a closed account for good.", Roles: managers, Changes: true, Codes: notFoundConflictCode}, s.eraseAccount),
		define(s, Operation{Name: "accounts/invite", Summary: "Creates an invitation to an account and returns its code once.", Roles: managers, Changes: true, Reveals: true, Codes: notFoundCode}, s.invite),
		define(s, Operation{Name: "accounts/add-member", Summary: "Creates a member who signs in with a password.", Roles: managers, Changes: true, Codes: notFoundConflictCode}, s.addMember),
		define(s, Operation{Name: "accounts/set-password", Summary: "Replaces a member's password and ends the member's sessions.", Roles: managers, Changes: true, Codes: notFoundCode}, s.setPassword),
	}
}

// memberOperations returns the operations on the people of accounts. Support staff may take access
// away from a person, and give it back as it was, but cannot raise it or weaken a sign-in.
func (s server) memberOperations() []operation {
	return []operation{
		define(s, Operation{Name: "members/list", Summary: "Lists the members of an account with their roles.", Roles: readers, Codes: notFoundCode}, s.listMembers),
		define(s, Operation{Name: "members/invite", Summary: "Invites a person to an account, by mail or by a link.", Roles: managers, Changes: true, Reveals: true, Codes: notFoundConflictCode}, s.inviteMember),
		define(s, Operation{Name: "members/set-role", Summary: "Changes the role of a member.", Roles: managers, Changes: true, Codes: notFoundConflictCode}, s.setRole),
		define(s, Operation{Name: "members/disable", Summary: "Takes the use of an account, or of all accounts, from a member.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.disableMember),
		define(s, Operation{Name: "members/enable", Summary: "Gives a disabled member the use of an account back.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.enableMember),
		define(s, Operation{Name: "members/remove", Summary: "Removes a member from an account, and keeps or revokes the member's keys.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.removeMember),
		define(s, Operation{Name: "members/reset-factors", Summary: "Removes the second factors of a person and ends the person's sessions.", Roles: managers, Changes: true, Codes: notFoundCode}, s.resetFactors),
		define(s, Operation{Name: "members/sessions", Summary: "Lists the sessions of a person.", Roles: readers, Codes: notFoundCode}, s.sessions),
		define(s, Operation{Name: "members/end-sessions", Summary: "Ends all sessions of a person.", Roles: supporters, Changes: true, Codes: notFoundCode}, s.endSessions),
		define(s, Operation{Name: "members/erase", Summary: "Removes the personal data of a person who belongs to no account.", Roles: managers, Changes: true, Codes: notFoundConflictCode}, s.eraseMember),
		define(s, Operation{Name: "invitations/list", Summary: "Lists the open invitations to an account.", Roles: readers, Codes: notFoundCode}, s.listInvitations),
		define(s, Operation{Name: "invitations/revoke", Summary: "Revokes an open invitation.", Roles: supporters, Changes: true, Codes: notFoundCode}, s.revokeInvitation),
	}
}

// keyOperations returns the operations on keys. Support staff may revoke and limit keys, but
// cannot create a credential.
func (s server) keyOperations() []operation {
	return []operation{
		define(s, Operation{Name: "keys/create", Summary: "Creates a key and returns its secret once.", Roles: managers, Changes: true, Reveals: true, Codes: notFoundConflictCode}, s.createKey),
		define(s, Operation{Name: "keys/list", Summary: "Lists keys, or searches for them.", Roles: readers, Codes: notFoundCode}, s.listKeys),
		define(s, Operation{Name: "keys/show", Summary: "Returns a key with its state, rights and use.", Roles: readers, Codes: notFoundCode}, s.showKey),
		define(s, Operation{Name: "keys/rename", Summary: "Changes the name of a key.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.renameKey),
		define(s, Operation{Name: "keys/set-limits", Summary: "Changes the scope, the networks and the rate limit of a key.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.setLimits),
		define(s, Operation{Name: "keys/set-external-id", Summary: "Sets the id that a key has in the vendor's systems.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.setKeyExternalID),
		define(s, Operation{Name: "keys/set-metadata", Summary: "Changes pairs of a key's metadata.", Roles: supporters, Changes: true, Codes: notFoundConflictCode}, s.setKeyMetadata),
		define(s, Operation{Name: "keys/rotate", Summary: "Replaces the secret of a key and returns the new one once.", Roles: managers, Changes: true, Reveals: true, Codes: notFoundConflictCode}, s.rotateKey),
		define(s, Operation{Name: "keys/revoke", Summary: "Revokes a key on every node.", Roles: supporters, Changes: true, Codes: notFoundCode}, s.revokeKey),
		define(s, Operation{Name: "keys/revoke-many", Summary: "Revokes all keys that meet the conditions.", Roles: supporters, Changes: true, Codes: notFoundCode}, s.revokeKeys),
		define(s, Operation{Name: "keys/import", Summary: "Imports keys of another system by their digests.", Roles: managers, Changes: true}, s.importKeys),
	}
}

// sessionOperations returns the operations on sessions of people.
func (s server) sessionOperations() []operation {
	return []operation{
		define(s, Operation{Name: "sessions/create", Summary: "Creates a session of a person in one account and returns its link once.", Roles: vouchers, Changes: true, Reveals: true, Codes: notFoundConflictCode}, s.createSession),
	}
}

// operatorKeyOperations returns the operations on operator keys.
func (s server) operatorKeyOperations() []operation {
	return []operation{
		define(s, Operation{Name: "operator-keys/create", Summary: "Creates an operator key and returns its secret once.", Roles: managers, Changes: true, Reveals: true, Codes: conflictCode}, s.createOperatorKey),
		define(s, Operation{Name: "operator-keys/list", Summary: "Lists operator keys.", Roles: managers}, s.listOperatorKeys),
		define(s, Operation{Name: "operator-keys/show", Summary: "Returns an operator key with its last use.", Roles: managers, Codes: notFoundCode}, s.showOperatorKey),
		define(s, Operation{Name: "operator-keys/rotate", Summary: "Replaces the secret of an operator key and returns the new one once.", Roles: managers, Changes: true, Reveals: true, Codes: notFoundConflictCode}, s.rotateOperatorKey),
		define(s, Operation{Name: "operator-keys/revoke", Summary: "Revokes an operator key on every node.", Roles: managers, Changes: true, Codes: notFoundCode}, s.revokeOperatorKey),
	}
}

// creditOperations returns the operations on credits.
func (s server) creditOperations() []operation {
	reserveCodes := []toksta.Code{toksta.CodeNotFound, toksta.CodeConflict, toksta.CodeInsufficientCredits}
	return []operation{
		define(s, Operation{Name: "credits/reserve", Summary: "Reserves credits for a job with a price that is known at its end.", Roles: billers, Changes: true, Codes: reserveCodes}, s.reserveCredits),
		define(s, Operation{Name: "credits/settle", Summary: "Charges the price of a job and releases the rest of its reservation.", Roles: settlers, Changes: true, Codes: notFoundConflictCode}, s.settleCredits),
		define(s, Operation{Name: "credits/refund", Summary: "Returns reserved or charged credits.", Roles: billers, Changes: true, Codes: notFoundConflictCode}, s.refundCredits),
		define(s, Operation{Name: "credits/top-up", Summary: "Adds purchased credits.", Roles: billers, Changes: true, Codes: notFoundConflictCode}, s.topUpCredits),
		define(s, Operation{Name: "credits/adjust", Summary: "Corrects the number of purchased credits.", Roles: billers, Changes: true, Codes: notFoundConflictCode}, s.adjustCredits),
		define(s, Operation{Name: "credits/entries", Summary: "Lists the credit entries of an account, the newest first.", Roles: readers, Codes: notFoundCode}, s.creditEntries),
		define(s, Operation{Name: "credits/reservations", Summary: "Lists the open reservations.", Roles: readers, Codes: notFoundCode}, s.reservations),
		define(s, Operation{Name: "credits/verify", Summary: "Computes the balances of all accounts again and returns differences.", Roles: readers}, s.verifyCredits),
	}
}

// verifyOperations returns the operations that decide on calls.
func (s server) verifyOperations() []operation {
	one := define(s, Operation{Name: "verify", Summary: "Decides on a call that another program received, counts and charges it.", Roles: deciders, Changes: true}, s.verify)
	one.Request = reflect.TypeFor[client.VerifyRequest]()
	many := define(s, Operation{Name: "verify/batch", Summary: "Decides on up to 1,000 calls, each by itself.", Roles: deciders, Changes: true}, s.verifyBatch)
	many.Request = reflect.TypeFor[client.VerifyBatchRequest]()
	return []operation{one, many}
}

// eventOperations returns the operations on events and mails.
func (s server) eventOperations() []operation {
	sendCodes := []toksta.Code{toksta.CodeNotFound, toksta.CodeUpstreamError}
	mailCodes := []toksta.Code{toksta.CodeConflict, toksta.CodeUpstreamError}
	return []operation{
		define(s, Operation{Name: "events/list", Summary: "Lists events with their deliveries, the newest first.", Roles: readers, Codes: notFoundCode}, s.listEvents),
		define(s, Operation{Name: "events/show", Summary: "Returns an event with its deliveries.", Roles: readers, Codes: notFoundCode}, s.showEvent),
		define(s, Operation{Name: "events/replay", Summary: "Repeats the deliveries of an event, or all failed deliveries.", Roles: managers, Changes: true, Codes: notFoundCode}, s.replayEvents),
		define(s, Operation{Name: "events/test", Summary: "Sends a test event to a webhook.", Roles: managers, Changes: true, Codes: sendCodes}, s.testEvent),
		define(s, Operation{Name: "mail/test", Summary: "Sends a test mail.", Roles: managers, Changes: true, Codes: mailCodes}, s.testMail),
	}
}

// reportOperations returns the operations that report the state of accounts and servers.
func (s server) reportOperations() []operation {
	return []operation{
		define(s, Operation{Name: "audit", Summary: "Lists changes, the newest first.", Roles: readers, Codes: notFoundCode}, s.audit),
		define(s, Operation{Name: "usage", Summary: "Returns the usage of an account in a month.", Roles: readers, Codes: notFoundCode}, s.usage),
		define(s, Operation{Name: "usage/by", Summary: "Returns the usage of an account, grouped by a dimension.", Roles: readers, Codes: notFoundCode}, s.usageBy),
		defineWith(s, Operation{Name: "usage/table", Summary: "Returns usage as CSV.", Roles: readers, Codes: notFoundCode}, s.tableWriter, writeTable),
		define(s, Operation{Name: "export/status", Summary: "Returns the progress of the usage export.", Roles: observers}, s.exportStatus),
		define(s, Operation{Name: "nodes", Summary: "Lists the nodes with their leases.", Roles: observers}, s.nodes),
		define(s, Operation{Name: "whoami", Summary: "Returns the operator key of the request with its rights.", Roles: everyone}, s.whoAmI),
		define(s, Operation{Name: "health", Summary: "Runs the server's checks of itself.", Roles: observers}, s.health),
	}
}

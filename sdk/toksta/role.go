package toksta

import (
	"fmt"
	"slices"
	"strings"
)

// Role is a set of operations of the operator API. An operator key has one or more
// roles.
type Role string

// The roles of operator keys.
const (
	RoleRead     Role = "read"     // every list, display and report, except those of operator keys
	RoleSupport  Role = "support"  // read, and the changes of accounts, members and keys that reveal no secret and raise no rights
	RoleBilling  Role = "billing"  // read, and plans, statuses, entitlements and credits
	RoleVerify   Role = "verify"   // decisions about calls, and the settlement of their holds
	RoleSessions Role = "sessions" // sessions on the account pages, in every account and as every member
	RoleMetrics  Role = "metrics"  // health, nodes and counts
	RoleManage   Role = "manage"   // every operation, also those of operator keys
)

// Roles returns all roles.
func Roles() []Role {
	return []Role{RoleRead, RoleSupport, RoleBilling, RoleVerify, RoleSessions, RoleMetrics, RoleManage}
}

// ValidateRoles checks the roles of an operator key: at least one, each of [Roles].
// It returns them in the order of Roles and without duplicates, or an *Error about
// field.
func ValidateRoles(field string, roles []Role) ([]Role, error) {
	names := make([]string, len(Roles()))
	for i, r := range Roles() {
		names[i] = string(r)
	}
	choice := "Choose from: " + strings.Join(names, ", ") + "."
	if len(roles) == 0 {
		return nil, Invalid(field, "Give the key at least one role. "+choice)
	}
	for _, r := range roles {
		if !slices.Contains(Roles(), r) {
			return nil, Invalid(field, fmt.Sprintf("There is no role %.60q. %s", r, choice))
		}
	}
	return slices.DeleteFunc(Roles(), func(r Role) bool { return !slices.Contains(roles, r) }), nil
}

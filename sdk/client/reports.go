package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// AuditRequest selects changes, newest first.
type AuditRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	Key     toksta.KeyID     `json:"key,omitempty"`
	// OperatorKey selects the changes of an operator key. Actor selects those that were made
	// with it.
	OperatorKey toksta.OperatorKeyID `json:"operator_key,omitempty"`
	Member      toksta.MemberID      `json:"member,omitempty"` // changes by or about a person, by id or e-mail address
	Actor       string               `json:"actor,omitempty"`  // name of an operator, id of an operator key, id or e-mail address of a member, or kind of actor
	Kind        toksta.ChangeKind    `json:"kind,omitempty"`
	Since       *time.Time           `json:"since,omitempty"`  // inclusive
	Until       *time.Time           `json:"until,omitempty"`  // exclusive
	Before      int64                `json:"before,omitempty"` // only changes with a lower sequence number
	Limit       int                  `json:"limit,omitempty"`
}

// Change is one row of the audit trail.
type Change struct {
	Sequence  int64             `json:"sequence"`
	At        time.Time         `json:"at"`
	Kind      toksta.ChangeKind `json:"kind"`
	Actor     Actor             `json:"actor"`
	AccountID toksta.AccountID  `json:"account_id,omitempty"`
	KeyID     toksta.KeyID      `json:"key_id,omitempty"`
	MemberID  toksta.MemberID   `json:"member_id,omitempty"`
	// OperatorKeyID is the operator key that was created, rotated or revoked.
	OperatorKeyID toksta.OperatorKeyID `json:"operator_key_id,omitempty"`
	Detail        map[string]string    `json:"detail,omitempty"`
}

// Actor is the author of a change.
type Actor struct {
	Kind    toksta.ActorKind `json:"kind"`
	ID      string           `json:"id,omitempty"`
	Name    string           `json:"name,omitempty"`
	Address string           `json:"address,omitempty"`
	Agent   string           `json:"agent,omitempty"`
}

// AuditPage is a page of changes. Next is the next page's Before, 0 on the last
// page. With conditions, a page can have fewer changes than its limit, or none,
// though others follow.
type AuditPage struct {
	Changes []Change `json:"changes"`
	Next    int64    `json:"next,omitempty"`
}

// Node is a process that admits calls.
type Node struct {
	Name    string    `json:"name"`
	Epoch   string    `json:"epoch"`
	Version string    `json:"version"`
	Applied int64     `json:"applied"` // sequence number of the last applied change
	Keys    int64     `json:"keys"`    // secrets in the index of the node
	Lease   string    `json:"lease"`
	SeenAt  time.Time `json:"seen_at"`
	Stale   bool      `json:"stale"` // the node has not renewed its lease in time: it is disconnected, paused or stopped
}

// NodeList has all nodes.
type NodeList struct {
	Nodes []Node `json:"nodes"`
}

// The values of Check.Level.
const (
	LevelOK   = "ok"
	LevelWarn = "warn"
	LevelFail = "fail"
)

// Check is the result of one check of the server.
type Check struct {
	Name   string `json:"name"`
	Level  string `json:"level"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Health is the result of all checks of the server.
type Health struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`  // the server's wall clock
	Data    string    `json:"data"` // data directory of the server
	Checks  []Check   `json:"checks"`
}

// Audit returns a page of the audit trail.
func (c *Client) Audit(ctx context.Context, r AuditRequest) (AuditPage, error) {
	return call[AuditPage](ctx, c, "audit", r)
}

// Nodes returns the processes that admit calls.
func (c *Client) Nodes(ctx context.Context) (NodeList, error) {
	return call[NodeList](ctx, c, "nodes", struct{}{})
}

// Health runs the checks of the server and returns their results.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return call[Health](ctx, c, "health", struct{}{})
}

package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// AuditRequest asks for changes, newest first.
type AuditRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	Key     toksta.KeyID     `json:"key,omitempty"`
	Before  int64            `json:"before,omitempty"` // sequence numbers below this
	Limit   int              `json:"limit,omitempty"`
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
	Detail    map[string]string `json:"detail,omitempty"`
}

// Actor is who made a change and from where.
type Actor struct {
	Kind    toksta.ActorKind `json:"kind"`
	ID      string           `json:"id,omitempty"`
	Name    string           `json:"name,omitempty"`
	Address string           `json:"address,omitempty"`
	Agent   string           `json:"agent,omitempty"`
}

// AuditPage is a page of changes; Next is the next page's Before, 0 at the end.
type AuditPage struct {
	Changes []Change `json:"changes"`
	Next    int64    `json:"next,omitempty"`
}

// Node is a process that changes wait for.
type Node struct {
	Name    string    `json:"name"`
	Epoch   string    `json:"epoch"`
	Version string    `json:"version"`
	Applied int64     `json:"applied"` // sequence number
	Keys    int64     `json:"keys"`    // secrets in its index
	Lease   string    `json:"lease"`
	SeenAt  time.Time `json:"seen_at"`
	Stale   bool      `json:"stale"` // has not renewed for a lease: cut off, paused or dead
}

// NodeList is the cluster.
type NodeList struct {
	Nodes []Node `json:"nodes"`
}

// The levels of a finding.
const (
	LevelOK   = "ok"
	LevelWarn = "warn"
	LevelFail = "fail"
)

// Check is one finding of the server about itself.
type Check struct {
	Name   string `json:"name"`
	Level  string `json:"level"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Health is what the server finds about itself.
type Health struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`  // the server's wall clock
	Data    string    `json:"data"` // where it keeps its state on its machine
	Checks  []Check   `json:"checks"`
}

// Audit returns a page of the audit trail.
func (c *Client) Audit(ctx context.Context, r AuditRequest) (AuditPage, error) {
	return call[AuditPage](ctx, c, "audit", r)
}

// Nodes lists the processes that changes wait for.
func (c *Client) Nodes(ctx context.Context) (NodeList, error) {
	return call[NodeList](ctx, c, "nodes", struct{}{})
}

// Health asks the server to examine itself.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return call[Health](ctx, c, "health", struct{}{})
}

package e2e

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// operatorCluster is three nodes on PostgreSQL that serve the operator API over the network.
type operatorCluster struct {
	t     *testing.T
	nodes []*apptest.Node
}

// over returns a client of a node's operator listener.
func (c operatorCluster) over(node int, secret string) *client.Client {
	return client.New("http://"+c.nodes[node].App.Addr("operator"), client.WithKey(secret), client.WithTimeout(20*time.Second))
}

// create creates an operator key through api.
func (c operatorCluster) create(api *client.Client, r client.CreateOperatorKeyRequest) client.OperatorSecretResponse {
	c.t.Helper()
	made, err := api.CreateOperatorKey(c.t.Context(), r)
	if err != nil {
		c.t.Fatal(err)
	}
	return made
}

// checkEnded runs change, which ends a secret, while every node gets requests with the secret. It
// fails the test if a node accepts the secret in a request that begins after change has returned,
// or rejects it before change begins.
func (c operatorCluster) checkEnded(name, secret string, change func() error) {
	c.t.Helper()
	var ended atomic.Bool
	var requests sync.WaitGroup
	for i := range c.nodes {
		api := c.over(i, secret)
		requests.Go(func() {
			for {
				last := ended.Load()
				_, err := api.WhoAmI(c.t.Context())
				switch code := toksta.ErrorCode(err); {
				case err == nil && last:
					c.t.Errorf("%s: node %d accepts the secret afterwards", name, i)
				case err != nil && code != toksta.CodeUnauthorized && code != toksta.CodeRateLimited:
					c.t.Errorf("%s: node %d: %v", name, i, err)
				}
				if last {
					return
				}
			}
		})
	}
	for i := range c.nodes { // every node accepts the secret before
		if _, err := c.over(i, secret).WhoAmI(c.t.Context()); err != nil {
			c.t.Errorf("%s: node %d, before the change: %v", name, i, err)
		}
	}
	err := change()
	ended.Store(true)
	requests.Wait()
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
}

// Guarantee: when a rotation or a revocation of an operator key returns, no node accepts the old
// secret in a later request, and every node accepts the new one. Over the network, a key gets no
// secret with more rights than its own.
func TestOperatorKeysOverTheNetwork(t *testing.T) {
	t.Parallel()
	c := operatorCluster{t, apptest.StartCluster(t, pgtest.Start(t).NewDatabase(t), func(c *config.Config) {
		c.Listen.Operator.Address = "127.0.0.1:0"
		c.Node.Lease = 2 * time.Second
	})}
	socket := c.nodes[0].Operator()
	manage := []toksta.Role{toksta.RoleManage}
	key := c.create(socket, client.CreateOperatorKeyRequest{Name: "CI", Roles: manage})
	ref := client.OperatorKeyRef{Key: key.Key.ID}
	var rotated client.OperatorSecretResponse
	c.checkEnded("a rotation", key.Secret, func() (err error) {
		rotated, err = c.over(1, key.Secret).RotateOperatorKey(t.Context(), client.RotateOperatorKeyRequest{OperatorKeyRef: ref, Generation: 1})
		return err
	})
	if n := len(rotated.Receipt.Confirmed); n != 3 {
		t.Errorf("%d nodes confirmed the rotation, want 3", n)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	limited := c.create(c.over(2, rotated.Secret), client.CreateOperatorKeyRequest{Name: "limited", Roles: manage, Networks: loopback, ExpiresAt: new(time.Now().Add(time.Hour))})
	c.checkEscalation(limited, ref)
	c.checkEnded("a revocation", rotated.Secret, func() error {
		_, err := c.over(0, limited.Secret).RevokeOperatorKey(t.Context(), ref)
		return err
	})
	page, err := socket.Audit(t.Context(), client.AuditRequest{Kind: toksta.ChangeOperatorKeyRevoked})
	if err != nil || len(page.Changes) != 1 || page.Changes[0].Actor.ID != string(limited.Key.ID) || page.Changes[0].OperatorKeyID != key.Key.ID {
		t.Errorf("the audit trail has %+v, %v", page, err)
	}
}

// checkEscalation checks that a limited key with the role manage gets no secret of an unlimited
// key, whether it creates one or rotates the one of strong.
func (c operatorCluster) checkEscalation(limited client.OperatorSecretResponse, strong client.OperatorKeyRef) {
	c.t.Helper()
	api := c.over(0, limited.Secret)
	for name, r := range map[string]client.CreateOperatorKeyRequest{
		"any network": {Name: "x", Roles: []toksta.Role{toksta.RoleRead}, ExpiresAt: &limited.Key.ExpiresAt},
		"no expiry":   {Name: "x", Roles: []toksta.Role{toksta.RoleRead}, Networks: limited.Key.Networks},
	} {
		if _, err := api.CreateOperatorKey(c.t.Context(), r); toksta.ErrorCode(err) != toksta.CodeForbidden {
			c.t.Errorf("a limited key creates one with %s: %v", name, err)
		}
	}
	if _, err := api.RotateOperatorKey(c.t.Context(), client.RotateOperatorKeyRequest{OperatorKeyRef: strong}); toksta.ErrorCode(err) != toksta.CodeForbidden {
		c.t.Errorf("a limited key rotates an unlimited one: %v", err)
	}
	own := client.RotateOperatorKeyRequest{OperatorKeyRef: client.OperatorKeyRef{Key: limited.Key.ID}, Generation: 7}
	if _, err := api.RotateOperatorKey(c.t.Context(), own); toksta.ErrorCode(err) != toksta.CodeConflict {
		c.t.Errorf("a limited key may not rotate itself: %v", err)
	}
}

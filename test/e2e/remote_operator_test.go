package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// openOperators makes a node listen for operators on other machines, over TLS with the
// certificate in dir.
func openOperators(dir string) func(*config.Config) {
	return func(c *config.Config) {
		c.Listen.Operator.Address = "127.0.0.1:0"
		c.Listen.Operator.TLS = config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	}
}

// operatorURL returns the address of a node's listener for operators.
func operatorURL(n *apptest.Node) string { return "https://" + n.App.Addr("operator") }

// createOperatorKey creates an operator key through the socket of a node.
func createOperatorKey(t *testing.T, n *apptest.Node, r client.CreateOperatorKeyRequest) client.OperatorSecretResponse {
	t.Helper()
	created, err := n.Operator().CreateOperatorKey(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// Guarantee: the operator API over the network admits exactly live operator keys with a role
// of the operation, from their networks. Every rejection has the envelope. Keys of customers
// and of operators do not work at the other's API. No secret is in the log or the audit
// trail, which name the key.
func TestOperatorListener(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trusting := writeCertificate(t, dir)
	n := apptest.Start(t, openOperators(dir))
	customer := apptest.NewKey(t, n.Operator(), apptest.NewAccount(t, n.Operator(), "Customer"), "key")
	create := func(name string, role toksta.Role, networks ...netip.Prefix) client.OperatorSecretResponse {
		return createOperatorKey(t, n, client.CreateOperatorKeyRequest{Name: name, Roles: []toksta.Role{role}, Networks: networks})
	}
	manage, read := create("laptop", toksta.RoleManage), create("dashboard", toksta.RoleRead)
	remote, revoked := create("remote", toksta.RoleManage, netip.MustParsePrefix("198.51.100.0/24")), create("revoked", toksta.RoleManage)

	api := client.New(operatorURL(n), client.WithTransport(trusting.Transport), client.WithKey(manage.Secret))
	api.Operator = "forged"
	if _, err := api.RevokeOperatorKey(t.Context(), client.OperatorKeyRef{Key: revoked.Key.ID}); err != nil {
		t.Fatal(err)
	}
	account, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Over the network"})
	if err != nil {
		t.Fatal(err)
	}
	caller, err := api.WhoAmI(t.Context())
	if err != nil || caller.OperatorKeyID != manage.Key.ID || caller.Name != "laptop" || caller.Address != from || len(caller.Roles) != 1 {
		t.Errorf("the caller is %+v, %v", caller, err)
	}
	for name, test := range map[string]struct {
		authorization []string
		operation     string
		status        int
		reason        toksta.Reason // in the log
	}{
		"no key":                   {nil, "health", http.StatusUnauthorized, toksta.ReasonKeyMissing},
		"two fields":               {[]string{"Bearer " + manage.Secret, "Bearer " + manage.Secret}, "health", http.StatusUnauthorized, toksta.ReasonKeyMalformed},
		"Basic":                    {[]string{"Basic " + manage.Secret}, "health", http.StatusUnauthorized, toksta.ReasonKeyMalformed},
		"a customer's key":         {[]string{"Bearer " + customer.Secret}, "health", http.StatusUnauthorized, toksta.ReasonKeyUnknown},
		"a revoked key":            {[]string{"Bearer " + revoked.Secret}, "health", http.StatusUnauthorized, toksta.ReasonKeyRevoked},
		"a key of another network": {[]string{"Bearer " + remote.Secret}, "health", http.StatusUnauthorized, toksta.ReasonAddressNotAllowed},
		"a role that is missing":   {[]string{"Bearer " + read.Secret}, "accounts/create", http.StatusForbidden, toksta.ReasonRoleInsufficient},
		"a role that may call":     {[]string{"Bearer " + read.Secret}, "accounts/list", http.StatusOK, ""},
		"an unknown operation":     {[]string{"Bearer " + read.Secret}, "accounts/explode", http.StatusNotFound, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, operatorURL(n)+client.PathPrefix+test.operation, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Content-Type"], r.Header["Authorization"] = []string{"application/json"}, test.authorization
		res, err := apptest.Exchange(trusting, r)
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != test.status || !bytes.HasPrefix(res.Body, []byte(`{"success":`)) {
			t.Errorf("%s: got %d %s", name, res.Status, res.Body)
		}
		if res.Status == http.StatusUnauthorized && (res.Header.Get("Www-Authenticate") == "" || bytes.Contains(res.Body, []byte("details"))) {
			t.Errorf("%s: got %v %s", name, res.Header, res.Body)
		}
		apptest.Eventually(t, name+": the log has no reason "+string(test.reason), func() bool {
			return bytes.Contains(n.Log.Bytes(), []byte(test.reason))
		})
	}
	if res := apptest.Send(t, n.URL, "GET /v1/account/usage", manage.Secret); res.Status != http.StatusUnauthorized {
		t.Errorf("an operator key at the API: %d", res.Status)
	}
	checkRoles(t, n, trusting)
	checkOperatorTrail(t, n, manage, account.Account.ID)
	for _, k := range []client.OperatorSecretResponse{manage, read, remote, revoked} {
		if bytes.Contains(n.Log.Bytes(), []byte(k.Secret[len(toksta.OperatorSecretPrefix):])) {
			t.Errorf("the log has the secret of %s", k.Key.Name)
		}
	}
}

// checkRoles calls every operation with a key of each role, and checks that the key gets 403
// exactly for the operations of other roles.
func checkRoles(t *testing.T, n *apptest.Node, c *http.Client) {
	t.Helper()
	for _, role := range toksta.Roles() {
		key := createOperatorKey(t, n, client.CreateOperatorKeyRequest{Name: string(role), Roles: []toksta.Role{role}})
		for _, o := range operator.Operations() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, operatorURL(n)+client.PathPrefix+o.Name, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+key.Secret)
			res, err := apptest.Exchange(c, r)
			if err != nil {
				t.Fatal(err)
			}
			if permitted := res.Status != http.StatusForbidden; permitted != slices.Contains(o.Roles, role) {
				t.Errorf("%s with the role %s: got %d %s", o.Name, role, res.Status, res.Body)
			}
		}
	}
}

// Guarantee: behind a proxy, the networks of operator keys and the audit trail rely on the
// address that the proxy states, and on no element that its client forged.
func TestOperatorListenerBehindProxy(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) {
		c.Listen.Operator.Address = "127.0.0.1:0"
		c.Listen.Operator.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	key := createOperatorKey(t, n, client.CreateOperatorKeyRequest{
		Name: "office", Roles: []toksta.Role{toksta.RoleRead}, Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
	})
	for forwarded, want := range map[string]toksta.Code{
		"203.0.113.7": "", "198.51.100.1, 203.0.113.7": "",
		"": toksta.CodeUnauthorized, "203.0.113.7, 198.51.100.1": toksta.CodeUnauthorized, "203.0.113.7, nobody": toksta.CodeBadRequest,
	} {
		api := client.New("http://"+n.App.Addr("operator"), client.WithKey(key.Secret), client.WithHeader("X-Forwarded-For", forwarded))
		caller, err := api.WhoAmI(t.Context())
		if toksta.ErrorCode(err) != want || want == "" && caller.Address != "203.0.113.7" {
			t.Errorf("%q: got %+v, %v", forwarded, caller, err)
		}
	}
}

// checkOperatorTrail checks that the audit trail and the log name the operator key that
// created an account, and not its secret.
func checkOperatorTrail(t *testing.T, n *apptest.Node, key client.OperatorSecretResponse, account toksta.AccountID) {
	t.Helper()
	page, err := n.Operator().Audit(t.Context(), client.AuditRequest{Account: account})
	if err != nil || len(page.Changes) != 1 {
		t.Fatalf("the audit trail has %v, %v", page, err)
	}
	want := client.Actor{Kind: toksta.ActorOperator, ID: string(key.Key.ID), Name: "laptop", Address: from, Agent: "operator API"}
	if got := page.Changes[0].Actor; got != want {
		t.Errorf("the author is %+v, want %+v", got, want)
	}
	if text := fmt.Sprint(page); strings.Contains(text, key.Secret[8:]) {
		t.Error("the audit trail has the secret")
	}
	if !bytes.Contains(n.Log.Bytes(), []byte(`"operator_key":"`+string(key.Key.ID)+`"`)) {
		t.Error("the log does not name the key")
	}
}

// Guarantee: a renewed certificate of the operator listener is served without a restart.
func TestOperatorCertificateIsReloaded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeCertificate(t, dir)
	n := apptest.Start(t, openOperators(dir))
	served := func() []byte {
		conn, err := tls.Dial("tcp", n.App.Addr("operator"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Raw
	}
	first := served()
	renewCertificate(t, dir)
	apptest.Eventually(t, "the old certificate is still served", func() bool { return !bytes.Equal(served(), first) })
}

// renewCertificate replaces the certificate in dir by a new one.
func renewCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Guarantee: the operator key of the CLI is neither in its arguments nor in its environment,
// where other users and crash reports could find it.
func TestCLIHidesOperatorKey(t *testing.T) {
	t.Parallel()
	const secret = "tk_op_0123456789abcdef0123456789abcdef0123456789abcdef"
	called, checked := make(chan string, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called <- r.Header.Get("Authorization")
		<-checked
		_, _ = io.WriteString(w, `{"success":true,"data":{"operator_key_id":"op_1","name":"laptop","roles":["read"],"version":"1"}}`)
	}))
	defer server.Close()
	p := apptest.Build(t)
	p.Env = []string{"XDG_CONFIG_HOME=" + t.TempDir(), "TOKSTA_CONFIG=", "TOKSTA_SOCKET="}
	for _, args := range [][]string{{"login", server.URL, "--profile", "test"}, {"nodes", "--profile", "test"}} {
		cmd := p.Command(p.Path, args...)
		cmd.Stdin = strings.NewReader(secret + "\n")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if sent := <-called; sent != "Bearer "+secret {
			t.Errorf("%s sent %q", args[0], sent)
		}
		for _, file := range []string{"cmdline", "environ"} {
			content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file))
			if err != nil {
				t.Skip("there is no /proc")
			}
			if bytes.Contains(content, []byte("0123456789abcdef")) {
				t.Errorf("%s: %s has the key", args[0], file)
			}
		}
		checked <- struct{}{}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, &out)
		}
		if bytes.Contains(out.Bytes(), []byte("0123456789abcdef")) {
			t.Errorf("%s prints the key:\n%s", args[0], &out)
		}
	}
}

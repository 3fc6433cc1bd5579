package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// The files of keys for the targets, in the working directory.
const (
	digestsCSV = "digests.csv" // for toksta keys import
	digestsMap = "digests.map" // lines: digest, space, account
	secretsMap = "secrets.map" // for nginx, which cannot hash: "Bearer secret" account;
)

// operatorSocket is Toksta's operator API, in the working directory.
const operatorSocket = "toksta.sock"

// startToksta starts Toksta, creates the accounts, imports the keys and restarts it, so
// that its memory is that of a server that has not just imported keys.
func (b *bench) startToksta(ctx context.Context) error {
	port, err := b.add(targetToksta, func(port int) ([]string, error) {
		config, err := b.configure("toksta.yaml", "toksta.yaml", settings{Port: port, Upstream: b.upstream})
		return []string{b.binary, "serve", "--config", config}, err
	})
	if err != nil {
		return err
	}
	t := b.targets[targetToksta]
	if err := t.await(ctx, "/ready", "", http.StatusOK); err != nil {
		return fmt.Errorf("start Toksta on port %d: %w", port, err)
	}
	socket := b.file(operatorSocket)
	ids, err := createAccounts(ctx, client.New(socket))
	if err != nil {
		return err
	}
	if err := b.writeKeys(ids); err != nil {
		return err
	}
	if _, err := b.output(ctx, b.binary, "keys", "import", b.file(digestsCSV), "--socket", socket, "--timeout", "5m"); err != nil {
		return err
	}
	return b.restart(t, strconv.Itoa(b.serverCore))
}

// createAccounts creates all accounts, active on the plan of the benchmark.
func createAccounts(ctx context.Context, api *client.Client) ([]toksta.AccountID, error) {
	ids := make([]toksta.AccountID, accounts)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range ids {
		group.Go(func() error {
			created, err := api.CreateAccount(ctx, client.CreateAccountRequest{
				Name: fmt.Sprintf("Account %d", i), Plan: "BENCH", Status: toksta.StatusActive,
			})
			ids[i] = created.Account.ID
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("create the accounts: %w", err)
	}
	return ids, nil
}

// writeKeys makes the secrets and writes them, and their digests, in the form that
// each target reads. Successive keys belong to different accounts.
func (b *bench) writeKeys(ids []toksta.AccountID) error {
	files := map[string]*bufio.Writer{}
	for _, name := range []string{keysSpread, keysHot, keysUnknown, digestsCSV, digestsMap, secretsMap} {
		file, err := os.OpenFile(b.file(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		files[name] = bufio.NewWriter(file)
	}
	fmt.Fprintln(files[digestsCSV], "digest,account")
	for i := range accounts * keysPerAccount {
		secret, account := newSecret(), ids[i%len(ids)]
		digest := sha256.Sum256([]byte(secret))
		fmt.Fprintln(files[keysSpread], secret)
		if i < hotKeys {
			fmt.Fprintln(files[keysHot], secret)
		}
		fmt.Fprintf(files[digestsCSV], "%x,%s\n", digest, account)
		fmt.Fprintf(files[digestsMap], "%x %s\n", digest, account)
		fmt.Fprintf(files[secretsMap], "\"Bearer %s\" %s;\n", secret, account)
	}
	for range unknownKeys {
		fmt.Fprintln(files[keysUnknown], newSecret())
	}
	for name, file := range files {
		if err := file.Flush(); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// newSecret returns a secret of the form that Toksta makes.
func newSecret() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails
	return "tk_live_" + hex.EncodeToString(random[:])
}

// firstSecret returns the first line of a file of secrets, or "" without a file.
func (b *bench) firstSecret(keys string) (string, error) {
	if keys == "" {
		return "", nil
	}
	file, err := os.Open(b.file(keys))
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan()
	return lines.Text(), lines.Err()
}

// output runs a command to its end and returns what it printed.
func (b *bench) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = childEnvironment(b.dir), b.dir, dieWithParent()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return out, nil
}

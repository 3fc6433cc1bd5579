package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/internal/app"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/setup"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// accountFlags describe the first account.
type accountFlags struct {
	none         bool
	name, email  string
	passwordFile string
	prompt       bool
}

// add adds the flags to a command.
func (f *accountFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.none, "no-account", false, "write only the configuration")
	cmd.Flags().StringVar(&f.name, "account", "First customer", "`name` of the first account")
	cmd.Flags().StringVar(&f.email, "email", "you@example.com", "`address` of its member, for signing in")
	cmd.Flags().StringVar(&f.passwordFile, "password-file", "", "`file` with the member's password (default: a generated one)")
	cmd.Flags().BoolVar(&f.prompt, "password-prompt", false, "ask for the member's password, or read it from standard input")
	cmd.MarkFlagsMutuallyExclusive("password-file", "password-prompt")
}

// secret returns the password of the member, or "" to generate one.
func (f *accountFlags) secret(c *cli) (string, error) {
	if f.none || f.passwordFile == "" && !f.prompt {
		return "", nil
	}
	return c.password(f.passwordFile)
}

// firstAccount is the outcome of toksta init. The secret, and a password that was
// generated, are shown only once.
type firstAccount struct {
	Config   string           `json:"config"`
	Account  toksta.AccountID `json:"account"`
	SignIn   string           `json:"sign_in"` // address of the page
	Email    string           `json:"email"`
	Password string           `json:"password,omitempty"` // only a generated one
	Key      toksta.KeyID     `json:"key"`
	Secret   string           `json:"secret"`
}

// createFirst runs a node until it has created the first account. The node listens
// on an unused port, because the configured one may be in use.
func (c *cli) createFirst(ctx context.Context, cfg config.Config, f accountFlags, password string) (firstAccount, error) {
	cfg.Listen.Public, cfg.Listen.Pages, cfg.Logs.Level = "127.0.0.1:0", "", "error"
	cfg.Listen.TLS = config.TLS{}
	node, err := app.New(ctx, cfg, app.Options{Version: buildVersion(), Log: newLog(c.err, cfg.Logs)})
	if err != nil {
		return firstAccount{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return node.Run(within) })
	var first firstAccount
	group.Go(func() (err error) {
		defer stop()
		api := client.New(cfg.Listen.Private)
		api.Operator = c.process.Operator
		api.Wait = client.Wait{Limit: c.timeout, Notice: c.printWaitNotice, After: noticeAfter}
		first, err = createAccount(within, api, f, password)
		return err
	})
	if err := group.Wait(); err != nil {
		return firstAccount{}, err
	}
	first.SignIn = cfg.PagesURL + "/signin"
	return first, nil
}

// createAccount creates an account with a member and a key. An empty password
// stands for a generated one.
func createAccount(ctx context.Context, api *client.Client, f accountFlags, password string) (firstAccount, error) {
	out := firstAccount{Email: f.email}
	if password == "" {
		password = rand.Text()
		out.Password = password
	}
	account, err := api.CreateAccount(ctx, client.CreateAccountRequest{Name: f.name})
	if err != nil {
		return out, err
	}
	out.Account = account.Account.ID
	member := client.AddMemberRequest{AccountRef: client.AccountRef{Account: out.Account}, Email: f.email, Name: "First member", Password: password}
	if _, err := api.AddMember(ctx, member); err != nil {
		return out, err
	}
	key, err := api.CreateKey(ctx, client.CreateKeyRequest{Account: out.Account, Name: "First key"})
	if err != nil {
		return out, err
	}
	out.Key, out.Secret = key.Key.ID, key.Secret
	return out, nil
}

// showFirst prints the account, how to sign in, and the next three commands.
func (c *cli) showFirst(cfg config.Config, first firstAccount, routes []setup.Route) error {
	if c.output != formatTable {
		return c.show(first, table{
			header: []string{"config", "account", "sign in", "email", "password", "key", "secret"},
			rows:   [][]string{{first.Config, string(first.Account), first.SignIn, first.Email, first.Password, string(first.Key), first.Secret}},
		})
	}
	password := first.Password + "   (generated; shown only once)"
	if first.Password == "" {
		password = "as given"
	}
	method, path := setup.FirstCall(routes)
	flags := ""
	if method != "GET" {
		flags = "-X " + method + " "
	}
	option := ""
	if first.Config != defaultConfig {
		option = " --config " + first.Config
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Account    %s\nSign in    %s\nE-mail     %s\nPassword   %s\n", first.Account, first.SignIn, first.Email, password)
	fmt.Fprintf(&b, "Key        %s   (shown only once)\n\nNext:\n", first.Secret)
	fmt.Fprintf(&b, "  toksta config check%s\n  toksta serve%s\n", option, option)
	fmt.Fprintf(&b, "  curl %s-H \"Authorization: Bearer %s\" %s%s\n", flags, first.Secret, cfg.PublicURL, path)
	_, err := fmt.Fprint(c.out, b.String())
	return err
}

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/profile"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// login returns the command that checks an operator key and stores it as a profile, which
// becomes the current one.
func (c *cli) login() *cobra.Command {
	var p profile.Profile
	keyFile, caFile := "", ""
	cmd := &cobra.Command{
		Use: "login URL", Short: "Store an operator key, to manage a server from this machine", Args: exactArgs("URL"),
		Long: "Check an operator key, and store it with the address of the server as a profile. The key\n" +
			"comes from a prompt, standard input or a file, never from an argument. The profile is in\n" +
			"a file that only you can read, and is in use until toksta profiles use names another one.",
		Example: `  toksta login https://keys.example.com:8443
  toksta login https://keys.example.com:8443 --profile production --key-file /run/secrets/operator-key`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if p.URL, err = profile.CheckURL(args[0], p.InsecureHTTP); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if p.Name = c.profileName(); p.Name == "" {
				p.Name = profile.NameOf(p.URL)
			}
			if err := profile.CheckName(p.Name); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if c.process.ConfigHome == "" {
				return errors.New("there is no place for profiles: set HOME or XDG_CONFIG_HOME")
			}
			if p.CA, err = c.readCA(caFile); err != nil {
				return err
			}
			if p.Key, err = c.readKey(keyFile); err != nil {
				return err
			}
			return c.saveProfile(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key-file", "", "`file` with the operator key; - for standard input")
	cmd.Flags().StringVar(&caFile, "ca", "", "PEM `file` with the certificates that sign the server's (default: those of the system)")
	cmd.Flags().BoolVar(&p.InsecureHTTP, "insecure-http", false, "allow plain HTTP to another machine, where everyone on the path can read the key")
	return cmd
}

// profileName returns the name of the flag --profile or, without it, of TOKSTA_PROFILE.
func (c *cli) profileName() string {
	if c.profile != "" {
		return c.profile
	}
	return c.process.Profile
}

// readKey reads an operator key. Its error does not repeat the text, which could be another
// secret.
func (c *cli) readKey(file string) (toksta.Hidden, error) {
	content, err := c.readSecret("Operator key", file)
	if err != nil {
		return toksta.Hidden{}, fmt.Errorf("read the operator key: %w", err)
	}
	key := strings.TrimSpace(content)
	if !strings.HasPrefix(key, toksta.OperatorSecretPrefix) || strings.ContainsAny(key, " \t\r\n") {
		return toksta.Hidden{}, fmt.Errorf("this is not an operator key, which starts with %s: create one on the server with toksta operator-keys create", toksta.OperatorSecretPrefix)
	}
	return toksta.Hide(key), nil
}

// readCA reads and checks the PEM certificates in a file. Without a file it returns "".
func (c *cli) readCA(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	content, err := c.textFile(file)
	if err != nil {
		return "", fmt.Errorf("read the certificates: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(content)) {
		return "", fmt.Errorf("%s has no PEM certificate", file)
	}
	return content, nil
}

// saveProfile calls the server of a profile, and stores the profile if the server accepts
// its key.
func (c *cli) saveProfile(ctx context.Context, p profile.Profile) error {
	api, err := c.clientOf(target{profile: p})
	if err != nil {
		return err
	}
	caller, err := api.WhoAmI(ctx)
	if err != nil {
		return err
	}
	p.KeyID, p.KeyName = caller.OperatorKeyID, caller.Name
	if err := profile.Update(profile.Path(c.process.ConfigHome), func(s *profile.Set) error { return s.Put(p) }); err != nil {
		return err
	}
	c.sayInUse(p.Name)
	c.say("Its operator key is %s (%s).", caller.OperatorKeyID, printable(caller.Name))
	return c.show(caller, callerTable(caller))
}

// callerTable shows the rights of an operator key.
func callerTable(caller client.Caller) table {
	t := table{header: []string{"id", "name", "roles", "networks", "expires", "server version"}}
	t.add(string(caller.OperatorKeyID), caller.Name, joinOr(caller.Roles, ""), joinOr(networkNames(caller.Networks), "any"), formatTime(caller.ExpiresAt), caller.Version)
	return t
}

// logout returns the command that removes a profile with its key from this machine.
func (c *cli) logout() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Remove a profile and its operator key from this machine", Args: exactArgs(),
		Long: "Remove the profile of --profile, or the current one. The operator key stays valid until\n" +
			"toksta operator-keys revoke revokes it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.process.ConfigHome == "" {
				return profile.ErrNone
			}
			var removed profile.Profile
			err := profile.Update(profile.Path(c.process.ConfigHome), func(s *profile.Set) (err error) {
				name := c.profileName()
				if name == "" {
					name = s.Current
				}
				if name == "" {
					return profile.ErrNone
				}
				removed, err = s.Remove(name)
				return err
			})
			if err != nil {
				return err
			}
			c.say("The profile %s is removed. Its operator key %s stays valid: to end it, run toksta operator-keys revoke %s with another key or on the server.", removed.Name, removed.KeyID, removed.KeyID)
			return nil
		},
	}
}

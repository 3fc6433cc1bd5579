package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toksta/toksta/sdk/client"
)

// setExternalID returns the command that sets or removes the external id of the noun, an
// account or a key. set sends the request.
func setExternalID(noun string, set func(cmd *cobra.Command, of, external string) error) *cobra.Command {
	remove := false
	name := strings.ToUpper(noun)
	cmd := &cobra.Command{
		Use: "set-external-id " + name + " (ID | --remove)", Short: "Set the id that your own systems use",
		Long: "Set the id that your own systems use for the " + noun + ". Commands and the operator API\n" +
			"accept it wherever they accept the " + noun + "'s id. It is unique: 1 to 128 letters,\n" +
			"digits and the symbols -._~:@/+=|, the first a letter or a digit.",
		Args: func(cmd *cobra.Command, args []string) error {
			if remove {
				return exactArgs(name)(cmd, args)
			}
			return exactArgs(name, "ID")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return set(cmd, args[0], strings.Join(args[1:], ""))
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the external id")
	return cmd
}

// accountsSetExternalID returns the command that sets an account's external id.
func (c *cli) accountsSetExternalID() *cobra.Command {
	cmd := setExternalID("account", func(cmd *cobra.Command, of, external string) error {
		return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
			return c.printAccount(api.SetAccountExternalID(ctx, client.SetAccountExternalIDRequest{AccountRef: accountRef(of), ExternalID: external}))
		})
	})
	cmd.ValidArgsFunction = c.completeAccounts
	return cmd
}

// keysSetExternalID returns the command that sets a key's external id.
func (c *cli) keysSetExternalID() *cobra.Command {
	cmd := setExternalID("key", func(cmd *cobra.Command, of, external string) error {
		return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
			return c.printKey(api.SetKeyExternalID(ctx, client.SetKeyExternalIDRequest{KeyRef: keyRef(of), ExternalID: external}))
		})
	})
	cmd.ValidArgsFunction = c.completeKeys
	return cmd
}

// setMetadata returns the command that changes the metadata of the noun, an account or a
// key. set sends the request.
func setMetadata(noun string, set func(cmd *cobra.Command, of string, change client.MetadataChange) error) *cobra.Command {
	var change client.MetadataChange
	name := strings.ToUpper(noun)
	cmd := &cobra.Command{
		Use: "set-metadata " + name + " [NAME=VALUE...] [--unset NAME,...] [--replace]", Short: "Set and unset pairs of your own data", Args: minArgs(name),
		Long: "Set and unset pairs of your own data, which customers do not see. Other pairs stay\n" +
			"unless --replace is set. There are at most 50 pairs, with names of up to 40 letters,\n" +
			"digits and the symbols -_.:/, and values of up to 500 characters.",
		Example: "  toksta " + noun + "s set-metadata crm-42 region=eu contract=2026-7 --unset trial",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if change.Set, err = parsePairs(args[1:]); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if len(change.Set) == 0 && len(change.Unset) == 0 && !change.Replace {
				return usageError{errors.New("expected NAME=VALUE, --unset or --replace"), cmd.CommandPath()}
			}
			return set(cmd, args[0], change)
		},
	}
	cmd.Flags().StringSliceVar(&change.Unset, "unset", nil, "remove the pairs with these `names`")
	cmd.Flags().BoolVar(&change.Replace, "replace", false, "remove all other pairs")
	return cmd
}

// accountsSetMetadata returns the command that changes an account's metadata.
func (c *cli) accountsSetMetadata() *cobra.Command {
	cmd := setMetadata("account", func(cmd *cobra.Command, of string, change client.MetadataChange) error {
		return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
			response, err := api.SetAccountMetadata(ctx, client.SetAccountMetadataRequest{AccountRef: accountRef(of), MetadataChange: change})
			if err != nil {
				return err
			}
			c.printReceipt(response.Receipt)
			return c.show(response, metadataTable(response.Account.Metadata))
		})
	})
	cmd.ValidArgsFunction = c.completeAccounts
	return cmd
}

// keysSetMetadata returns the command that changes a key's metadata.
func (c *cli) keysSetMetadata() *cobra.Command {
	cmd := setMetadata("key", func(cmd *cobra.Command, of string, change client.MetadataChange) error {
		return withClient(c, cmd, func(ctx context.Context, api *client.Client) error {
			response, err := api.SetKeyMetadata(ctx, client.SetKeyMetadataRequest{KeyRef: keyRef(of), MetadataChange: change})
			if err != nil {
				return err
			}
			c.printReceipt(response.Receipt)
			return c.show(response, metadataTable(response.Key.Metadata))
		})
	})
	cmd.ValidArgsFunction = c.completeKeys
	return cmd
}

// metadataTable lists pairs by their names.
func metadataTable(pairs map[string]string) table {
	t := table{header: []string{"name", "value"}}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		t.add(name, pairs[name])
	}
	return t
}

// addMetadata adds the pairs to a table of fields.
func (t *table) addMetadata(pairs map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		t.add("metadata "+name, pairs[name])
	}
}

// addExternalFlags adds the flags for the external id and the metadata of a new account or
// key, and returns the flag's pairs, which parsePairs parses.
func addExternalFlags(cmd *cobra.Command, external *string) (pairs *[]string) {
	cmd.Flags().StringVar(external, "external-id", "", "unique `id` in your own systems, usable wherever an id is")
	return cmd.Flags().StringArray("metadata", nil, "`NAME=VALUE` of your own, which customers do not see; can be repeated")
}

// parsePairs parses NAME=VALUE arguments. It returns nil for none.
func parsePairs(args []string) (map[string]string, error) {
	var pairs map[string]string
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not NAME=VALUE", arg)
		}
		if _, twice := pairs[name]; twice {
			return nil, fmt.Errorf("the name %q is given twice", name)
		}
		if pairs == nil {
			pairs = map[string]string{}
		}
		pairs[name] = value
	}
	return pairs, nil
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/toksta/toksta/internal/profile"
	"github.com/toksta/toksta/sdk/toksta"
)

// profileCommands returns the commands for the profiles of this person.
func (c *cli) profileCommands() *cobra.Command {
	return commandGroup("profiles", "Show and choose the servers that this machine manages", c.profilesList(), c.profilesUse())
}

// shownProfile is a profile without its key.
type shownProfile struct {
	Name    string               `json:"name"`
	Current bool                 `json:"current"`
	URL     string               `json:"url"`
	KeyID   toksta.OperatorKeyID `json:"key_id"`
	KeyName string               `json:"key_name"`
}

// profilesList returns the command that prints the profiles. It calls no server.
func (c *cli) profilesList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the profiles; * marks the current one", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			set, err := c.profiles()
			if err != nil {
				return err
			}
			out := []shownProfile{}
			t := table{header: []string{"name", "current", "url", "key id", "key name"}}
			for _, name := range set.Names() {
				p, err := set.Get(name)
				if err != nil {
					return err
				}
				mark := ""
				if name == set.Current {
					mark = "*"
				}
				out = append(out, shownProfile{Name: name, Current: name == set.Current, URL: p.URL, KeyID: p.KeyID, KeyName: p.KeyName})
				t.add(name, mark, p.URL, string(p.KeyID), p.KeyName)
			}
			return c.show(out, t)
		},
	}
}

// profilesUse returns the command that makes a profile the current one.
func (c *cli) profilesUse() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Make a profile the current one", Args: exactArgs("NAME"), ValidArgsFunction: c.completeProfiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if c.process.ConfigHome == "" {
				return profile.ErrNone
			}
			if err := profile.Update(profile.Path(c.process.ConfigHome), func(s *profile.Set) error { return s.Use(args[0]) }); err != nil {
				return err
			}
			c.sayInUse(args[0])
			return nil
		},
	}
}

// sayInUse reports that a profile is the current one, and whether commands in this directory
// and environment use it.
func (c *cli) sayInUse(name string) {
	plain := *c
	plain.profile, plain.socket = "", ""
	if t, err := plain.target(); err == nil && t.profile.Name == name {
		c.say("The profile %s is in use for commands from now on.", name)
		return
	}
	c.say("The profile %s is the current one. Here, commands use it with --profile %s only: TOKSTA_PROFILE, TOKSTA_SOCKET or a configuration names another server.", name, name)
}

// completeProfiles completes the name of a profile.
func (c *cli) completeProfiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	set, err := c.profiles()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return set.Names(), cobra.ShellCompDirectiveNoFileComp
}

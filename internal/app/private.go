package app

import (
	"path/filepath"
	"time"

	"github.com/toksta/toksta/internal/operator"
)

// operatorConfig returns the configuration of the operator API, for both of its listeners.
func (a *App) operatorConfig() operator.Config {
	c := operator.Config{
		Keys: a.Keys, Accounts: a.Accounts, Members: a.SignIn, Credits: a.Credits, Usage: a.Usage, Events: a.events, Cluster: a.store, Catalog: a.catalog,
		PagesURL: a.config.PagesURL, Invitation: a.config.Signup.InvitationLifetime,
		Version: a.version, Data: a.dataDirectory(), Now: time.Now, Probes: a.probes(),
		Product: a.config.Branding.Product,
	}
	if a.mail != nil {
		c.Mail = a.mail
	}
	if a.export != nil {
		c.Export = a.export
	}
	return c
}

// dataDirectory returns the absolute path of the data directory, for commands that
// run in another one.
func (a *App) dataDirectory() string {
	if path, err := filepath.Abs(a.config.Data); err == nil {
		return path
	}
	return a.config.Data
}

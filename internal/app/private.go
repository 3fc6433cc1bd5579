package app

import (
	"net/http"
	"path/filepath"
	"time"

	"github.com/toksta/toksta/internal/operator"
)

// operator builds what answers on the private listener.
func (a *App) operator() http.Handler {
	c := operator.Config{
		Keys: a.Keys, Accounts: a.Accounts, Members: a.SignIn, Credits: a.Credits, Usage: a.Usage, Events: a.events, Cluster: a.store, Catalog: a.catalog,
		PagesURL: a.config.PagesURL, Invitation: a.config.Signup.InvitationLifetime,
		Version: a.version, Data: a.data(), Now: time.Now, Probes: a.probes(),
		Product: a.config.Branding.Product,
	}
	if a.mail != nil {
		c.Mail = a.mail
	}
	if a.export != nil {
		c.Export = a.export
	}
	return operator.New(c)
}

// data is where the state is, for whoever works in another directory.
func (a *App) data() string {
	if path, err := filepath.Abs(a.config.Data); err == nil {
		return path
	}
	return a.config.Data
}

package app

import (
	"path/filepath"
	"time"

	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/verifyapi"
)

// operatorConfig returns the configuration of the operator API, for both of its listeners. record
// writes the records of calls on which programs ask.
func (a *App) operatorConfig(record *telemetry.Config) operator.Config {
	c := operator.Config{
		Keys: a.Keys, OperatorKeys: a.OperatorKeys, Accounts: a.Accounts, Members: a.Members, SignIn: a.SignIn, Credits: a.Credits, Usage: a.Usage, Events: a.events, Cluster: a.store, Catalog: a.catalog,
		PagesURL: a.config.PagesURL, Embeds: len(a.config.Embed.Origins) > 0,
		Version: a.version, Data: a.dataDirectory(), Now: time.Now, Probes: a.probes(),
		Letters: a.letters, Verifier: a.verifier(record), Record: record.Record,
	}
	if a.sender != nil {
		c.Mail = a.sender
	}
	if a.export != nil {
		c.Export = a.export
	}
	return c
}

// verifier returns the verifier of calls that other programs received. It decides by the chain of
// the gateway.
func (a *App) verifier(record *telemetry.Config) *verifyapi.Verifier {
	return verifyapi.New(verifyapi.Config{
		Chain: a.gate.Chain(), Engine: a.engine, Credits: a.Credits, Names: record.Names, Realm: record.Realm,
		Sampling: record.Sampling, RateFields: a.config.RateLimit.StructuredFields,
	})
}

// dataDirectory returns the absolute path of the data directory, for commands that
// run in another one.
func (a *App) dataDirectory() string {
	if path, err := filepath.Abs(a.config.Data); err == nil {
		return path
	}
	return a.config.Data
}

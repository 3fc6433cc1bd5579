package app

import "github.com/toksta/toksta/internal/signin/passkey"

// passkeys returns the relying party of passkeys for the account pages, nil if people cannot use
// passkeys: they are switched off, or browsers make none for the address of the pages.
func (a *App) passkeys() (*passkey.Party, error) {
	domain := a.config.PasskeyDomain()
	if domain == "" {
		return nil, nil
	}
	return passkey.New(passkey.Config{Domain: domain, Origin: a.config.PagesOrigin(), Name: a.config.Branding.Product})
}

package view

import "time"

// Factors is the part of the page at /account/security about passkeys and the second factor.
type Factors struct {
	// Offered is set if people can use passkeys.
	Offered  bool
	Passkeys []Passkey
	// App is set if the person has an authenticator app.
	App bool
	// Codes is the number of unused recovery codes of OfCodes.
	Codes, OfCodes int
	// Required is set if the vendor requires a second factor.
	Required bool
}

// HasFactor reports whether the person has a passkey or an authenticator app.
func (f Factors) HasFactor() bool { return f.App || len(f.Passkeys) > 0 }

// Passkey is one passkey of the person.
type Passkey struct {
	ID, Name      string
	Created, Used time.Time
	// Synced is set if the authenticator copies the passkey to other devices.
	Synced bool
	// Suspected is when a copy of the passkey may have been used; zero: never.
	Suspected time.Time
}

// AppSetUp is the page at /account/security/authenticator.
type AppSetUp struct {
	Frame
	// URI is the text of the QR code. Secret is for typing, in groups of four characters. Both
	// hold the secret of the app.
	URI    string
	Secret []string
	Errors Errors
}

// RecoveryCodes shows new recovery codes, once.
type RecoveryCodes struct {
	Frame
	// Codes are the new codes. Without codes, the page asks before it makes some.
	Codes []string
	// Added describes the factor that was added with them, "" for none.
	Added string
}

// RemoveFactor asks before the authenticator app is removed.
type RemoveFactor struct {
	Frame
	// Last is set if the person has no other factor.
	Last, Required bool
}

// PasskeyNew is the page at /account/security/passkeys/new.
type PasskeyNew struct {
	Frame
	Name   string
	Errors Errors
}

// PasskeyEdit is the page at /account/security/passkeys/{id}, on which a person renames or removes
// a passkey.
type PasskeyEdit struct {
	Frame
	Passkey Passkey
	// Name is the value of the field.
	Name string
	// Last is set if the person has no other factor.
	Last, Required bool
	Errors         Errors
}

// FactorsMissing is the page that a person without a second factor sees if the vendor requires one.
type FactorsMissing struct {
	Frame
	Offered bool
}

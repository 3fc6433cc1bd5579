package oidc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/oauth2"
)

// Reason is the cause of a failed sign-in, for the log.
type Reason string

// The reasons for a failed sign-in.
const (
	ReasonUnavailable      Reason = "provider_unavailable"      // no usable response in time
	ReasonMetadata         Reason = "provider_metadata"         // the discovery document is wrong
	ReasonDenied           Reason = "provider_denied"           // the provider or the person stopped the sign-in
	ReasonIssuerParameter  Reason = "wrong_issuer_parameter"    // RFC 9207: the response is another provider's
	ReasonCode             Reason = "code_rejected"             // by the token endpoint
	ReasonNoIDToken        Reason = "no_id_token"               //
	ReasonSignature        Reason = "invalid_signature"         // also of an algorithm or a key that is not allowed
	ReasonIssuer           Reason = "wrong_issuer"              //
	ReasonAudience         Reason = "wrong_audience"            //
	ReasonAuthorizedParty  Reason = "wrong_authorized_party"    //
	ReasonNonce            Reason = "wrong_nonce"               // the token belongs to another browser or attempt
	ReasonExpired          Reason = "expired_token"             //
	ReasonIssuedAt         Reason = "wrong_time"                // in the future, or a logout token that is too old
	ReasonAccessTokenHash  Reason = "wrong_access_token_hash"   //
	ReasonSubject          Reason = "invalid_subject"           //
	ReasonUserInfoSubject  Reason = "wrong_userinfo_subject"    // the claims are another person's
	ReasonLogoutToken      Reason = "invalid_logout_token"      // not the form of a logout token
	ReasonUnsupportedToken Reason = "logout_of_github"          // GitHub sends none
	reasonVerification     Reason = "verification_disagreement" // the library rejected a token for another reason
)

// Error is a failed sign-in. Its text is for the log; it contains no secret.
type Error struct {
	Reason Reason
	text   string
}

// Error implements error.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.text }

// reject returns an error with a text of at most maxText bytes on one line.
func reject(reason Reason, format string, args ...any) *Error {
	return &Error{reason, brief(fmt.Sprintf(format, args...))}
}

// maxText bounds the texts of a provider in an error.
const maxText = 300

// brief returns a text cut to maxText bytes, without control characters.
func brief(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(text, "")
}

// codePattern matches the error codes of OAuth.
var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode returns a code of OAuth, or a word for a text that is none.
func errorCode(code string) string {
	if !codePattern.MatchString(code) {
		return "an unknown error"
	}
	return code
}

// tokenError returns the error of a failed exchange. The response can repeat the code, so only the
// code of the failure and the status are kept.
func tokenError(err error) *Error {
	if failed, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := 0
		if failed.Response != nil {
			status = failed.Response.StatusCode
		}
		if status >= 500 {
			return reject(ReasonUnavailable, "the token endpoint responds %d", status)
		}
		return reject(ReasonCode, "the token endpoint responds %d with %s", status, errorCode(failed.ErrorCode))
	}
	return reject(ReasonUnavailable, "ask the token endpoint: %v", err)
}

package toksta

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Guarantee: an external id is never mistaken for an id of this server, a flag, a
// formula of a spreadsheet or several words.
func TestValidateExternalID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"42", "cus_N1x", "auth0|5f7c", "ann@acme.example", "arn:aws:iam::1:user/a", "7f9c-41", "keys_1", "account", "a=b+c~d", strings.Repeat("x", 128),
	} {
		if err := ValidateExternalID("external_id", id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for id, says := range map[string]string{
		"":                       "Give an external id",
		"acct_1":                 `cannot start with "acct_"`,
		"KEY_1":                  `cannot start with "KEY_"`,
		"mem_":                   `cannot start with "mem_"`,
		"Evt_9":                  "cannot start with",
		"-rf":                    "starts with a letter",
		"=1+1":                   "starts with a letter",
		"@acme":                  "starts with a letter",
		"a b":                    "' '",
		"a,b":                    "','",
		"ann\n":                  `'\n'`,
		"é":                      "starts with a letter",
		"caf\u00e9":              "'é'",
		"a\xff":                  "'\ufffd'",
		strings.Repeat("x", 129): "129 characters; 128",
	} {
		err := ValidateExternalID("external_id", id)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeValidation || e.Details["field"] != "external_id" || !strings.Contains(e.Message, says) {
			t.Errorf("%q: got %v, want %q", id, err, says)
		}
	}
}

// Guarantee: metadata is bounded, and each of its pairs can be shown and written as
// an argument.
func TestValidateMetadata(t *testing.T) {
	t.Parallel()
	full, large, many := map[string]string{}, map[string]string{}, map[string]string{"more": "x"}
	for i := range 50 {
		full[fmt.Sprintf("%040d", i)] = strings.Repeat("v", 500)
		large[fmt.Sprint(i)] = strings.Repeat("é", 500)
		many[fmt.Sprint(i)] = "x"
	}
	for _, pairs := range []map[string]string{nil, {"crm/region": "Ελλάδα = EU"}, full} {
		if err := ValidateMetadata("metadata", pairs); err != nil {
			t.Errorf("%d pairs: %v", len(pairs), err)
		}
	}
	for says, pairs := range map[string]map[string]string{
		"51 pairs; 50":        many,
		"bytes; 32768":        large,
		"has 0 characters":    {"": "x"},
		"has 41 characters":   {strings.Repeat("n", 41): "x"},
		`The name "a b" has`:  {"a b": "x"},
		`"a=b"`:               {"a=b": "x"},
		"is empty":            {"a": ""},
		"501 characters; 500": {"a": strings.Repeat("é", 501)},
		"has a control":       {"a": "x\ny"},
		"or is not UTF-8":     {"a": "x\xff"},
	} {
		err := ValidateMetadata("metadata", pairs)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeValidation || !strings.Contains(e.Message, says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

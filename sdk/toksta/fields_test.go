package toksta

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// Guarantee: the caller learns of all invalid fields at once, also from an
// error that was decoded from JSON, and they never hide an internal error.
func TestInvalidFields(t *testing.T) {
	t.Parallel()
	if err := InvalidFields(nil, nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	internal := errors.New("boom")
	name, credits := Invalid("name", "Give a name."), Invalid("credits", "Give a number.")
	for _, other := range []error{internal, NotFound("key"), &Error{Code: CodeValidation, Message: "No field."}} {
		if err := InvalidFields(name, other, credits); err != other {
			t.Errorf("with %v: %v", other, err)
		}
	}
	if err := InvalidFields(nil, name); err != error(name) {
		t.Errorf("of one: %v", err)
	}
	err := InvalidFields(name, InvalidFields(credits, Invalid("reason", "Give one.")), Invalid("name", "Again."))
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeValidation || e.Details["field"] != "name" || e.Message != "credits: Give a number. name: Give a name. reason: Give one." {
		t.Fatalf("of three: %+v", err)
	}
	text, fault := json.Marshal(e.Details)
	var read Error
	if fault == nil {
		fault = json.Unmarshal(text, &read.Details)
	}
	if fault != nil {
		t.Fatal(fault)
	}
	want := map[string]string{"name": "Give a name.", "credits": "Give a number.", "reason": "Give one."}
	for _, e := range []*Error{e, &read} {
		if got := e.Fields(); !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/text"
)

// maxBody bounds a request's body, in bytes: a full import batch with long
// names fits.
const maxBody = 8 << 20

// decode reads the one JSON object of r into request. Whatever a lenient
// decoder would have to guess at is refused: another media type, an unknown
// field, a name given twice, data after the object, text that is not UTF-8. So
// is U+0000, which one database takes and the other does not.
func decode(w http.ResponseWriter, r *http.Request, request any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return badRequest("Send the request as JSON with Content-Type: application/json.")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &toksta.Error{Code: toksta.CodePayloadTooLarge, Message: fmt.Sprintf("The request is larger than %d bytes.", maxBody)}
	}
	if err != nil {
		return badRequest("The request's body could not be read.")
	}
	if err := text.CheckJSON(data); err != nil {
		return badRequest("The request holds text that cannot be kept: " + err.Error() + ".")
	}
	if err := noDuplicates(data); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return explain(d.Decode(request))
}

// explain says what a decoder's error means for the caller.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return toksta.Invalid(wrong.Field, fmt.Sprintf("A %s does not fit here.", wrong.Value))
	}
	// The package has no type for an unknown field, so its text is all there is.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return toksta.Invalid(strings.Trim(name, `"`), "There is no such field.")
	}
	return badRequest("The request is not as expected: " + strings.TrimPrefix(err.Error(), "json: ") + ".")
}

// badRequest never repeats what was sent beyond a field's name.
func badRequest(message string) error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}

// scope is an object or array being read; names is nil in an array.
type scope struct {
	names   map[string]bool
	wantKey bool
}

// noDuplicates checks that data is one JSON object, in which no object has the
// same name twice. Names are compared as encoding/json matches them: without
// regard to case.
func noDuplicates(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []*scope
	for first := true; ; first = false {
		token, err := d.Token()
		if err != nil {
			return badRequest("The request's body is not one JSON object.")
		}
		if text, ok := token.(string); ok && strings.Contains(text, "\x00") {
			return badRequest("The request holds the character U+0000, which no database keeps.")
		}
		if first && token != json.Delim('{') {
			return badRequest("The request's body is not a JSON object.")
		}
		if open, err = step(open, token); err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("There is data after the request's JSON object.")
	}
	return nil
}

// step takes one token into the stack of open objects and arrays.
func step(open []*scope, token json.Token) ([]*scope, error) {
	if len(open) > 0 {
		top := open[len(open)-1]
		if name, ok := token.(string); ok && top.wantKey {
			folded := strings.ToLower(name)
			if top.names[folded] {
				return nil, badRequest(fmt.Sprintf("The name %q is given twice.", name))
			}
			top.names[folded] = true
			top.wantKey = false
			return open, nil
		}
		top.wantKey = top.names != nil
	}
	switch token {
	case json.Delim('{'):
		return append(open, &scope{names: map[string]bool{}, wantKey: true}), nil
	case json.Delim('['):
		return append(open, &scope{}), nil
	case json.Delim('}'), json.Delim(']'):
		return open[:len(open)-1], nil
	}
	return open, nil
}

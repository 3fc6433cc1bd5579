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

	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
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
	if err := text.CheckObject(data); err != nil {
		return badRequest("The request is malformed: " + err.Error() + ".")
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

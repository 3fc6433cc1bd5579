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

// maxBody is the limit of a request's body, in bytes. A full import batch with long names
// fits.
const maxBody = 8 << 20

// decode reads the JSON object of r into request. It rejects everything ambiguous:
// another media type, an unknown field, a repeated name, data after the object, and text
// that is not UTF-8. It also rejects U+0000, which only one of the databases accepts.
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

// explain turns an error of the decoder into one for the caller.
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

// badRequest returns an error whose message must not repeat request data other than the
// name of a field.
func badRequest(message string) error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}

package operator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

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
	if own, ok := request.(ownDecoder); ok {
		return own.decode(w, r)
	}
	data, err := readBody(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := text.CheckObject(data); err != nil {
		return badRequest("The request is malformed: " + err.Error() + ".")
	}
	return decodeFields(data, request)
}

// ownDecoder is a request that reads its body itself, as strictly as decode and in one pass.
// It has no fields with ids.
type ownDecoder interface {
	decode(w http.ResponseWriter, r *http.Request) error
}

// readBody returns the body of a request in JSON, which has at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if given := r.Header.Get("Content-Type"); given != "application/json" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
			return nil, badRequest("Send the request as JSON with Content-Type: application/json.")
		}
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	if n := r.ContentLength; n > 0 && n <= 4<<10 {
		data := make([]byte, n)
		if _, err := io.ReadFull(body, data); err != nil {
			return nil, badRequest("The request's body could not be read.")
		}
		return data, nil
	}
	data, err := io.ReadAll(body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &toksta.Error{Code: toksta.CodePayloadTooLarge, Message: fmt.Sprintf("The request is larger than %d bytes.", limit)}
	}
	if err != nil {
		return nil, badRequest("The request's body could not be read.")
	}
	return data, nil
}

// decodeFields reads the fields of a JSON object one by one, so that its error names each
// field that does not fit.
func decodeFields(object []byte, request any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return badRequest("The request is not as expected.")
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		quoted, err := json.Marshal(name)
		if err != nil {
			return badRequest("The request is not as expected.")
		}
		d := json.NewDecoder(bytes.NewReader(slices.Concat([]byte("{"), quoted, []byte(":"), fields[name], []byte("}"))))
		d.DisallowUnknownFields()
		errs = append(errs, explain(name, d.Decode(request)))
	}
	return toksta.InvalidFields(errs...)
}

// explain converts the decoder's error about one field into an error for the caller. name
// is the name of the field.
func explain(name string, err error) error {
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return toksta.Invalid(cmp.Or(wrong.Field, name), fmt.Sprintf("A %s does not fit here.", wrong.Value))
	}
	// encoding/json has no error type for an unknown field, so only the text identifies the
	// error.
	if unknown, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return toksta.Invalid(strings.Trim(unknown, `"`), "There is no such field.")
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return toksta.Invalid(name, "Give a time as in 2027-01-31T23:59:59Z.")
	}
	return toksta.Invalid(name, "The value does not fit here.")
}

// badRequest returns a BAD_REQUEST error. The message must not repeat request data,
// except the name of a field.
func badRequest(message string) error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}

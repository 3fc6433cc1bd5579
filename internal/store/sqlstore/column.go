package sqlstore

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// millis returns the stored form of a time: Unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 { return toksta.UnixMillis(t) }

// number returns the stored form of a flag.
func number(flag bool) int64 {
	if flag {
		return 1
	}
	return 0
}

// fromMillis returns the time in UTC, so that equal times are equal values. A time
// that JSON cannot represent becomes the nearest that it can: a row of an earlier
// version or of another program must not make its whole list unreadable.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	first := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	end := time.Date(toksta.MaxYear+1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	return time.UnixMilli(min(max(ms, first), end-1)).UTC()
}

// timeColumn scans a stored time.
type timeColumn struct{ *time.Time }

// Scan implements [sql.Scanner]. NULL, from an outer join, is the zero time.
func (c timeColumn) Scan(src any) error {
	var ms sql.NullInt64
	if err := ms.Scan(src); err != nil {
		return err
	}
	*c.Time = fromMillis(ms.Int64)
	return nil
}

// digestColumn scans a stored digest without keeping the driver's bytes.
type digestColumn struct{ *toksta.Digest }

// Scan implements [sql.Scanner]. It rejects any other length. NULL, from an outer
// join, changes nothing.
func (c digestColumn) Scan(src any) error {
	if src == nil {
		return nil
	}
	b, ok := src.([]byte)
	if !ok || len(b) != len(c.Digest) {
		return fmt.Errorf("not a digest: %T", src)
	}
	copy(c.Digest[:], b)
	return nil
}

// textColumn scans a text; NULL is "".
type textColumn struct{ *string }

// Scan implements [sql.Scanner].
func (c textColumn) Scan(src any) error {
	var text sql.NullString
	err := text.Scan(src)
	*c.string = text.String
	return err
}

// nullText returns NULL for "", which a unique index allows in any number of rows.
func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// metadataText returns the stored form of metadata, "" if there is none.
func metadataText(pairs map[string]string) (string, error) {
	if len(pairs) == 0 {
		return "", nil
	}
	return jsonText(pairs)
}

// jsonColumn scans a value stored as JSON text; "" is the zero value.
type jsonColumn struct{ value any }

// Scan implements [sql.Scanner].
func (c jsonColumn) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("not a text: %T", src)
	}
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), c.value)
}

// limitsJSON is the stored form of toksta.Limits.
type limitsJSON struct {
	Scopes    []toksta.Family `json:"scopes,omitempty"`
	Networks  []netip.Prefix  `json:"networks,omitempty"`
	PerMinute int             `json:"per_minute,omitempty"`
}

// limitsText returns the stored form of limits, "" if they are empty.
func limitsText(l toksta.Limits) (string, error) {
	if len(l.Scopes) == 0 && len(l.Networks) == 0 && l.PerMinute == 0 {
		return "", nil
	}
	return jsonText(limitsJSON(l))
}

// jsonText encodes a value for a column of JSON text.
func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

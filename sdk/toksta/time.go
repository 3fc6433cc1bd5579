package toksta

import "time"

// MaxYear is the last year, in UTC, of a time that can be stored. RFC 3339 has
// four digits for a year, so a later time could not be encoded in a response.
const MaxYear = 9999

// ValidateTime returns a caller's time in the form in which it is stored: in
// UTC, truncated to milliseconds. It returns the zero time if t is nil. The
// error is an *Error about field. It rejects a time outside the years 0 to
// MaxYear in UTC, and the zero time 0001-01-01T00:00:00Z, which programs write
// if they have no time.
func ValidateTime(field string, t *time.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	utc := t.UTC().Truncate(time.Millisecond)
	switch {
	case utc.Year() < 0 || utc.Year() > MaxYear:
		return time.Time{}, Invalid(field, "The time is outside the years 0000 to 9999 in UTC.")
	case utc.IsZero():
		return time.Time{}, Invalid(field, "0001-01-01T00:00:00Z is not a valid time. Leave the field out if there is none.")
	}
	return utc, nil
}

// EndOfDay returns the last second, in UTC, of the day that begins at t. A key
// that expires then works on that day, and pages show that day as its expiry.
func EndOfDay(t time.Time) time.Time { return t.UTC().AddDate(0, 0, 1).Add(-time.Second) }

// UnixMillis returns t in milliseconds since 1970, as rows and grants store it.
// 0 is reserved for the zero time: the first millisecond of 1970 is stored as
// 1.
func UnixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return 1
}

package toksta

import "time"

// MaxYear is the last year, in UTC, of a time that can be stored. RFC 3339 has four digits for a year, and a list that holds
// a later time cannot be encoded.
const MaxYear = 9999

// ValidateTime returns a time that a caller stated as it is stored: in UTC, truncated to milliseconds. Nil means that no
// time was stated and returns the zero time. The error is an *Error about field, for a time outside the years 0 to MaxYear
// in UTC and for the zero time itself, 0001-01-01T00:00:00Z: programs write it where they have no time.
func ValidateTime(field string, t *time.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	utc := t.UTC().Truncate(time.Millisecond)
	switch {
	case utc.Year() < 0 || utc.Year() > MaxYear:
		return time.Time{}, Invalid(field, "The time is outside the years 0000 to 9999 in UTC.")
	case utc.IsZero():
		return time.Time{}, Invalid(field, "0001-01-01T00:00:00Z is no time. Leave it out to state none.")
	}
	return utc, nil
}

// EndOfDay returns the last second, in UTC, of the day that t begins: a key that expires then works through that day, and
// a page that shows the expiry shows that day.
func EndOfDay(t time.Time) time.Time { return t.UTC().AddDate(0, 0, 1).Add(-time.Second) }

// UnixMillis returns t in milliseconds since 1970 as rows and grants hold it: 0 is the zero time alone. A time that was
// stated is never 0, so the first millisecond of 1970 is held as the second.
func UnixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return 1
}

package mail

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// joiner is the zero-width non-joiner. Between two Latin letters it is invisible, and mail
// programs do not recognize a web or mail address that contains it.
const joiner = '\u200c'

// maxShown bounds a name in a mail, in characters. A longer name is a message of its own.
const maxShown = 120

// shown returns text that people typed, such as the name of an account, in a form that is only a
// name in a mail: without line breaks and control characters, at most maxShown long, and with a
// joiner wherever a mail program would otherwise turn a part of it into a link.
func shown(s string) string {
	runes := []rune(strings.Join(strings.Fields(strings.Map(printable, s)), " "))
	if len(runes) > maxShown {
		runes = append(runes[:maxShown-1], '…')
	}
	var out strings.Builder
	for i, r := range runes {
		out.WriteRune(r)
		if i+1 < len(runes) && startsLink(r, runes[i+1]) {
			out.WriteRune(joiner)
		}
	}
	return out.String()
}

// printable replaces a line break or control character by a space, and removes invisible
// characters, which could change the direction of the text or hide a part of it.
func printable(r rune) rune {
	switch {
	case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.Is(unicode.Cf, r):
		return -1
	default:
		return r
	}
}

// startsLink reports whether r, followed by next, can be a part of a host name, a mail address
// or a scheme. A dot or colon between digits stays: it is in a number or a time.
func startsLink(r, next rune) bool {
	switch r {
	case '@':
		return next != ' '
	case '.', ':', '\u3002', '\uff0e', '\uff61', '\u2024':
		return next != ' ' && !unicode.IsDigit(next)
	default:
		return false
	}
}

// number formats n with thousands separators: 1,234,567.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// stamp formats a time in UTC, to the minute.
func stamp(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// duration formats a duration of minutes, hours or days in its largest whole unit.
func duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d > day && d%day == 0:
		return count(int64(d/day), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return count(int64(d/time.Hour), "hour")
	default:
		return count(int64(d.Round(time.Minute)/time.Minute), "minute")
	}
}

// count formats a number of things: "1 minute", "15 minutes".
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", number(n), thing)
}

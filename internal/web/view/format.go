package view

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/toksta/toksta/sdk/toksta"
)

// Num formats n with a comma between thousands.
func Num(n int64) string {
	sign, digits := splitSign(strconv.FormatInt(n, 10))
	return sign + group(digits)
}

// Money formats an amount in millionths of a currency's unit, such as $1,234.50.
type Money func(micros int64) string

// MoneyIn returns the format of the currency c: with the decimals of the currency,
// or with as many as the exact amount needs. A currency without an own symbol has
// its code in front.
func MoneyIn(c toksta.Currency) Money {
	mark := c.Code() + "\u00a0"
	switch c.Code() {
	case "USD":
		mark = "$"
	case "EUR":
		mark = "€"
	case "GBP":
		mark = "£"
	case "JPY":
		mark = "¥"
	}
	return func(micros int64) string {
		sign, amount := splitSign(toksta.Amount(micros).Decimal(c.Digits()))
		whole, fraction, point := strings.Cut(amount, ".")
		if point {
			fraction = "." + fraction
		}
		return sign + mark + group(whole) + fraction
	}
}

// Short formats an amount without a fraction of zeros: $29, but $29.50.
func (m Money) Short(micros int64) string {
	text := m(micros)
	if whole, fraction, _ := strings.Cut(text, "."); strings.Trim(fraction, "0") == "" {
		return whole
	}
	return text
}

// splitSign separates the sign of a decimal number, as a typographic minus.
func splitSign(number string) (sign, digits string) {
	if digits, negative := strings.CutPrefix(number, "-"); negative {
		return "−", digits
	}
	return "", number
}

// group separates the thousands of a whole number by commas.
func group(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Date formats a day for running text: 28 June 2026.
func Date(t time.Time) string { return t.UTC().Format("2 January 2006") }

// ShortDate formats a day for a table: 28 Jun 2026.
func ShortDate(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// DateTime formats a day and minute: 28 June 2026, 14:02.
func DateTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04") }

// Moment formats a day and minute with its zone: 30 November 2026, 00:00 UTC.
func Moment(t time.Time) string { return DateTime(t) + " UTC" }

// Hour formats the hour that begins at t: 28 Jun 2026, 14:00–15:00.
func Hour(t time.Time) string {
	t = t.UTC()
	return t.Format("2 Jan 2006, 15:04") + "–" + t.Add(time.Hour).Format("15:04")
}

// Ago formats t relative to now within a day, and as a date otherwise. The zero
// time is "Never".
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "Never"
	}
	switch d := now.Sub(t); {
	case d < time.Minute:
		return "Just now"
	case d < time.Hour:
		return Count(int64(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return Count(int64(d/time.Hour), "hour") + " ago"
	}
	return ShortDate(t)
}

// Count formats n with a noun, and adds an s to the noun unless n is 1.
func Count(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Num(n) + " " + noun
}

// Millis formats a duration in whole milliseconds, at least 1.
func Millis(d time.Duration) string {
	return Num(max(1, d.Milliseconds())) + " ms"
}

// Ordinal formats 1 to 9 as a word and other numbers with a suffix.
func Ordinal(n int) string {
	words := [...]string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"}
	if n >= 1 && n <= len(words) {
		return words[n-1]
	}
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// Initials returns the first letter of the first and of the last word of a
// name.
func Initials(name string) string {
	words := strings.Fields(name)
	switch len(words) {
	case 0:
		return "·"
	case 1:
		return initial(words[0])
	}
	return initial(words[0]) + initial(words[len(words)-1])
}

func initial(word string) string {
	r, _ := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(r))
}

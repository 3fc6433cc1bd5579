package view

import (
	"net/url"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	now := time.Date(2026, 6, 28, 14, 2, 31, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{Num(0), "0"},
		{Num(999), "999"},
		{Num(44639), "44,639"},
		{Num(-1234567), "−1,234,567"},
		{MoneyIn("")(0), "$0.00"},
		{MoneyIn("USD")(18_000), "$0.018"},
		{MoneyIn("EUR")(99_000_000), "€99.00"},
		{MoneyIn("USD").Short(99_000_000), "$99"},
		{MoneyIn("USD").Short(99_500_000), "$99.50"},
		{MoneyIn("JPY").Short(1_500_000_000), "¥1,500"},
		{MoneyIn("JPY")(1_500_000_000), "¥1,500"},
		{MoneyIn("JPY")(500_000), "¥0.5"},
		{MoneyIn("KWD")(29_500_000), "KWD\u00a029.500"},
		{MoneyIn("CHF")(-29_500_000), "−CHF\u00a029.50"},
		{MoneyIn("USD")(-1_234_500_000), "−$1,234.50"},
		{Ago(time.Time{}, now), "Never"},
		{Ago(now.Add(time.Minute), now), "Just now"},
		{Ago(now.Add(-time.Minute), now), "1 minute ago"},
		{Ago(now.Add(-3*time.Hour), now), "3 hours ago"},
		{Ago(now.AddDate(0, -3, -7), now), "21 Mar 2026"},
		{Count(1, "call"), "1 call"},
		{Count(0, "call"), "0 calls"},
		{Millis(300 * time.Microsecond), "1 ms"},
		{Ordinal(3), "third"},
		{Ordinal(11), "11th"},
		{Ordinal(22), "22nd"},
		{Initials("Mara Lindqvist"), "ML"},
		{Initials("ørsted"), "Ø"},
		{Initials(" "), "·"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestStateKeepsTheRest(t *testing.T) {
	s := State{Month: "2026-05", Ended: EndedAll, Query: "CRM & co", AllKeys: true}
	u, err := url.Parse(s.With("table", "usage"))
	if err != nil {
		t.Fatal(err)
	}
	want := s
	want.Table = true
	if got := ReadState(u.Query()); got != want || u.Fragment != "usage" {
		t.Errorf("got %+v at %q, want %+v", got, u.Fragment, want)
	}
}

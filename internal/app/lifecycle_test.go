package app

import "testing"

// Guarantee: the log names the store without its credentials.
func TestStoreName(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://toksta:hush@db.example.com:5432/toksta?sslpassword=hush": "postgres://db.example.com:5432/toksta",
		"sqlite:/var/lib/toksta/toksta.db":                                   "sqlite:/var/lib/toksta/toksta.db",
		"postgres://a:%zz@b/c":                                               "",
	} {
		if got := storeName(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

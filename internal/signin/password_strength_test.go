package signin

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// Common passwords, keyboard sequences and parts of the address are rejected,
// regardless of their length. A sentence is accepted.
func TestGuessablePasswords(t *testing.T) {
	t.Parallel()
	m := toksta.Member{Email: "ingeborg@fjordlight.example", Name: "Ingeborg Bachmann"}
	for _, password := range []string{
		"football1234", "Football12345", "P@ssw0rd1234", "sunshine1234", "manchester12", "qazwsxedcrfv", "hunter2hunter2",
		"123456789012", "1234567890123", "12345678901234", "123456789012345", "1234567890123456",
		"1q2w3e4r5t6y", "qwertyuiop123", "qwertyuiop[]", "qwertyuiopasdf", "qwerty123456",
		"password1234", "password12345", "password123456", "PasswordPassword", "administrator",
		"abcdefghijkl", "abc123456789", "iloveyou1234", "letmeinletmein", "correcthorsebatterystaple",
		"abababababab", "abbabaabbaab", "ingeborg1234", "Bachmann2026", "fjordlight12", "toksta123456",
		strings.Repeat("abcd", 50),
	} {
		if err := validPassword(toksta.Hide(password), m); toksta.ErrorCode(err) != toksta.CodeValidation || !strings.Contains(err.Error(), "guess") {
			t.Errorf("%.40q is accepted: %v", password, err)
		}
	}
	for _, password := range []string{
		testPassword, "a long sentence that nobody guesses", "Xk3#mQ9!tR2w", "ein Satz, den keiner errät", "пароль из трёх слов",
		strings.Repeat("a", 64) + "tR2w Xk3#mQ9! Zz", strings.Repeat("4@5$1!", 33),
	} {
		if err := validPassword(toksta.Hide(password), m); err != nil {
			t.Errorf("%.40q is rejected: %v", password, err)
		}
	}
}

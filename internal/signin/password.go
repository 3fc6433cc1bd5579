package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"golang.org/x/crypto/argon2"

	"github.com/toksta/toksta/sdk/toksta"
)

// Lengths of a password in characters. Twelve of anything beat eight with
// rules about digits; the upper bound keeps hashing cheap.
const (
	MinPassword = 12
	MaxPassword = 200
)

// minGuesses is how many guesses a new password must withstand. An address
// takes one guess a minute, half a million a year.
const minGuesses = 1e6

// validPassword checks a new password of a member.
func validPassword(password toksta.Hidden, m toksta.Member) error {
	text := password.Reveal()
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return toksta.Invalid("password", "The password is not valid text.")
	case n < MinPassword:
		return toksta.Invalid("password", fmt.Sprintf("Use a password of at least %d characters.", MinPassword))
	case n > MaxPassword:
		return toksta.Invalid("password", fmt.Sprintf("Use a password of at most %d characters.", MaxPassword))
	case strings.EqualFold(text, m.Email):
		return toksta.Invalid("password", "Use a password that is not your e-mail address.")
	case guessable(text, m):
		return toksta.Invalid("password", "This password is among the first that anybody would guess. Choose another.")
	}
	return nil
}

// estimated is how many characters are estimated at once: the time that it takes
// grows with the square of their number.
const estimated = 64

// guessable reports whether a password is common, a walk over the keyboard, made
// of fewer than four different characters, or made from what is known of the
// member. A long password is at least as good as any part of it.
func guessable(text string, m toksta.Member) bool {
	known := append(strings.FieldsFunc(m.Email, notLetter), "toksta", "correcthorsebatterystaple")
	known = append(known, strings.Fields(m.Name)...)
	for part := range slices.Chunk([]rune(text), estimated) {
		different := setOf(part)
		if len(different) >= 4 && zxcvbn.PasswordStrength(string(part), known).Guesses >= minGuesses {
			return false
		}
	}
	return true
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

func setOf(runes []rune) map[rune]bool {
	set := map[rune]bool{}
	for _, r := range runes {
		set[unicode.ToLower(r)] = true
	}
	return set
}

// cost of a hash: RFC 9106's and OWASP's smallest choice, about 30 ms.
const (
	costMemory  = 19 << 10 // KiB
	costTime    = 2
	costThreads = 1
	saltLen     = 16
	tagLen      = 32
)

// nobody is a hash of the cost of every other that no password has: what an
// unknown address is checked against.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// hasher bounds how many hashes are computed at once, and with them memory.
// Waiting is in no order and ends with the caller's context.
type hasher struct {
	slots chan struct{}
	key   func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte
}

func newHasher(parallel int) *hasher {
	return &hasher{slots: make(chan struct{}, parallel), key: argon2.IDKey}
}

// hash returns the PHC string of a password under a fresh salt.
func (h *hasher) hash(ctx context.Context, password toksta.Hidden) (string, error) {
	var salt [saltLen]byte
	rand.Read(salt[:])
	// The parameters go into the string: raising the cost later leaves older
	// hashes readable.
	p := phc{time: costTime, memory: costMemory, threads: costThreads, salt: salt[:]}
	tag, err := h.tag(ctx, p, password)
	if err != nil {
		return "", err
	}
	p.tag = tag
	return p.String(), nil
}

// matches reports whether encoded is a hash of password. An error means that
// ctx ended in the queue or that encoded is no such hash.
func (h *hasher) matches(ctx context.Context, encoded string, password toksta.Hidden) (bool, error) {
	p, err := parsePHC(encoded)
	if err != nil {
		return false, err
	}
	tag, err := h.tag(ctx, p, password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(tag, p.tag) == 1, nil
}

func (h *hasher) tag(ctx context.Context, p phc, password toksta.Hidden) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Longer ones are nobody's password; hashing them whole would be a gift.
	text := password.Reveal()
	text = text[:min(len(text), MaxPassword*utf8.UTFMax)]
	return h.key([]byte(text), p.salt, p.time, p.memory, p.threads, tagLen), nil
}

// phc is an argon2id hash with its parameters.
type phc struct {
	time, memory uint32
	threads      uint8
	salt, tag    []byte
}

// String returns $argon2id$v=19$m=…,t=…,p=…$salt$tag.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.memory, p.time, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.tag))
}

// parsePHC reads what String wrote. Its errors say nothing of the text.
func parsePHC(s string) (phc, error) {
	var p phc
	bad := errors.New("the stored password hash is not argon2id as this version writes it")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, bad
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	p.tag, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.tag) != tagLen || p.time == 0 || p.threads == 0 {
		return p, bad
	}
	return p, nil
}

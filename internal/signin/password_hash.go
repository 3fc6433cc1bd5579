package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/sdk/toksta"
)

// Parameters of a hash: a recommendation of OWASP, about 30 ms.
const (
	costMemory  = 19 << 10 // KiB
	costTime    = 2
	costThreads = 1
	saltLen     = 16
	tagLen      = 32
)

// dummyHash is a hash that no password matches. If the address is unknown, the
// password is compared with dummyHash, which takes the same time as any other
// hash.
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// strangerWait is the longest time for which the password of a stranger waits for its hash.
const strangerWait = 5 * time.Second

// hasher computes password hashes. It limits the number of simultaneous hashes, and so the memory
// and the processor time that they take from calls.
type hasher struct {
	slots chan struct{}
	wait  time.Duration // the longest time for which a hash waits for a slot; 0: as long as the caller's context
	key   func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte

	mu      sync.Mutex
	pending map[string]int // hashes that wait or are computed, by source
}

func newHasher(parallel int, wait time.Duration) *hasher {
	return &hasher{slots: make(chan struct{}, parallel), wait: wait, key: argon2.IDKey, pending: map[string]int{}}
}

// maxPending bounds the hashes of one source that wait or are computed. Correct passwords are not
// throttled, so one client could otherwise keep all others waiting.
const maxPending = 16

// source computes hashes for one network or one person; "": without a limit.
type source struct {
	*hasher
	name string
}

// of returns the source with a name.
func (h *hasher) of(name string) source { return source{h, name} }

// enter counts a hash of the source, and reports whether it may wait. If so, the caller must call leave.
func (h source) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.name != "" && h.pending[h.name] >= maxPending {
		return false
	}
	h.pending[h.name]++
	return true
}

// leave ends a hash of the source.
func (h source) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending[h.name]--; h.pending[h.name] == 0 {
		delete(h.pending, h.name)
	}
}

// parallelHashes is the default of Config.Parallel: half of the processors, so that sign-ins do not
// delay calls, and at most four.
func parallelHashes() int { return min(max(runtime.GOMAXPROCS(0)/2, 1), 4) }

// hash returns the PHC string of a password with a new salt.
func (h source) hash(ctx context.Context, password toksta.Hidden) (string, error) {
	var salt [saltLen]byte
	rand.Read(salt[:])
	// The string contains the parameters, so that hashes remain valid when the
	// parameters change.
	p := phc{time: costTime, memory: costMemory, threads: costThreads, salt: salt[:]}
	tag, err := h.tag(ctx, p, password)
	if err != nil {
		return "", err
	}
	p.tag = tag
	return p.String(), nil
}

// matches reports whether encoded is the hash of password. It returns an error if
// ctx ends while it waits, or if encoded is not a valid hash.
func (h source) matches(ctx context.Context, encoded string, password toksta.Hidden) (bool, error) {
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

// tag computes an argon2id hash when a slot is free. If no slot becomes free in time, or too many
// hashes of the source are pending, the error is a *busyError.
func (h source) tag(ctx context.Context, p phc, password toksta.Hidden) ([]byte, error) {
	if !h.enter() {
		return nil, &busyError{tooBusy(time.Second)}
	}
	defer h.leave()
	var late <-chan time.Time
	if h.wait > 0 {
		late = time.After(h.wait)
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-late:
		return nil, &busyError{tooBusy(h.wait)}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// No valid password is longer, and hashing a long text would cost an attacker
	// nothing and the server much.
	text := password.Reveal()
	text = text[:min(len(text), MaxPassword*utf8.UTFMax)]
	// Keyboards write the same character in different ways, such as é as one code point or as two.
	return h.key(norm.NFC.Bytes([]byte(text)), p.salt, p.time, p.memory, p.threads, tagLen), nil
}

// busyError states that a password was not compared, because too many others were waiting. It is no
// failed attempt. Its text is that of the wrapped error.
type busyError struct{ error }

// Unwrap returns the wrapped error, which is for the caller.
func (e *busyError) Unwrap() error { return e.error }

// tooBusy returns the error of a password that could not be hashed in time.
func tooBusy(wait time.Duration) error {
	return &toksta.Error{
		Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited,
		Message: "Too many people are signing in at the moment. Try again in a few seconds.",
		Details: map[string]any{"retry_after": max(int(wait.Seconds()), 1)},
	}
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

// parsePHC parses the result of String. Its error does not contain the text.
func parsePHC(s string) (phc, error) {
	var p phc
	invalid := errors.New("the stored password hash is not in the format of this version")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, invalid
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, invalid
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	p.tag, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.tag) != tagLen || p.time == 0 || p.threads == 0 {
		return p, invalid
	}
	return p, nil
}

package toksta_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// vector is the test vector that all libraries of Standard Webhooks share.
var vector = struct {
	secret, id, body, signature string
	at                          time.Time
}{
	secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: `{"test": 2432232314}`,
	signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", at: time.Unix(1614265330, 0),
}

// Guarantee: a receiver can verify our webhooks with a library of Standard
// Webhooks.
func TestSigningVector(t *testing.T) {
	t.Parallel()
	s, err := toksta.ParseSigningSecret(vector.secret)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Sign(vector.id, vector.at, []byte(vector.body)); got != vector.signature {
		t.Errorf("signed %s, want %s", got, vector.signature)
	}
}

// Guarantee: a signing secret that is too short, or that a receiver would
// decode differently, is rejected, and no message repeats it.
func TestSigningSecretShape(t *testing.T) {
	t.Parallel()
	secret := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), n))
	}
	for text, ok := range map[string]bool{
		secret(24): true, secret(32): true, secret(64): true, secret(25): true,
		secret(23): false, secret(65): false, "": false, "whsec_": false, "whsec_hushhush!": false,
		secret(24)[6:]: false, secret(24) + "\n": true, // base64 passes over line ends, as the file has one
		strings.TrimRight(secret(25), "="): false,
	} {
		_, err := toksta.ParseSigningSecret(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && len(text) > 8 && strings.Contains(err.Error(), text[6:]) {
			t.Errorf("the message holds the secret: %v", err)
		}
	}
}

// Guarantee: the key of webhooks reaches no log, message or encoder. With it,
// anyone can forge events.
func TestSigningSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	s, err := toksta.ParseSigningSecret(vector.secret)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{s, &s, []toksta.SigningSecret{s}, struct{ s toksta.SigningSecret }{s}, struct{ S any }{s}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		_ = json.NewEncoder(&out).Encode(v) // most fail, which writes nothing
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(vector.secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{vector.secret[6:], string(key), fmt.Sprintf("%x", key), fmt.Sprint(key)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret was printed: %s", out.String())
		}
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("a signing secret was encoded")
	}
}

// Guarantee: a program without a secret does not sign with an empty one.
func TestZeroSigningSecretPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("the zero value signed a webhook")
		}
	}()
	toksta.SigningSecret{}.Sign(vector.id, vector.at, nil)
}

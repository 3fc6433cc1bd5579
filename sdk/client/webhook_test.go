package client

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The test vector that all libraries of Standard Webhooks share.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorBody   = `{"test": 2432232314}`
	otherSecret  = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
)

var vectorTime = time.Unix(1614265330, 0)

func vectorHeader(change map[string]string) http.Header {
	h := map[string]string{
		"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
		"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	}
	maps.Copy(h, change)
	out := http.Header{}
	for name, value := range h {
		if value != "" {
			out.Set(name, value)
		}
	}
	return out
}

// Guarantee: the function accepts every webhook that the sender signed, with
// either of two secrets, within five minutes.
func TestVerifyWebhook(t *testing.T) {
	t.Parallel()
	good := vectorHeader(nil).Get("Webhook-Signature")
	for name, c := range map[string]struct {
		change  map[string]string
		now     time.Time
		secrets []string
	}{
		"the vector":          {nil, vectorTime, []string{vectorSecret}},
		"one secret of two":   {nil, vectorTime, []string{otherSecret, vectorSecret}},
		"one signature of 3":  {map[string]string{"Webhook-Signature": "v1,AAAA v1a,AAAA " + good}, vectorTime, []string{vectorSecret}},
		"five minutes old":    {nil, vectorTime.Add(WebhookTolerance), []string{vectorSecret}},
		"five minutes ahead":  {nil, vectorTime.Add(-WebhookTolerance), []string{vectorSecret}},
		"good, then nonsense": {map[string]string{"Webhook-Signature": good + " v1,AAAA"}, vectorTime, []string{vectorSecret}},
	} {
		if w, err := VerifyWebhook(vectorHeader(c.change), []byte(vectorBody), c.now, c.secrets...); err != nil || w.ID != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
}

// Guarantee: a request without the secret, or a replayed webhook, is rejected,
// and the error holds no part of the secret.
func TestVerifyWebhookRejects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string
		body   string
		late   time.Duration
	}{
		"another body":      {nil, vectorBody + " ", 0},
		"another id":        {map[string]string{"Webhook-Id": "msg_other"}, vectorBody, 0},
		"no id":             {map[string]string{"Webhook-Id": ""}, vectorBody, 0},
		"another time":      {map[string]string{"Webhook-Timestamp": "1614265331"}, vectorBody, 0},
		"a time with signs": {map[string]string{"Webhook-Timestamp": "+1614265330"}, vectorBody, 0},
		"no time":           {map[string]string{"Webhook-Timestamp": ""}, vectorBody, 0},
		"a moved dot":       {map[string]string{"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330", "Webhook-Timestamp": "1614265330"}, vectorBody, 0},
		"no signature":      {map[string]string{"Webhook-Signature": ""}, vectorBody, 0},
		"the other scheme":  {map[string]string{"Webhook-Signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, vectorBody, 0},
		"a prefix":          {map[string]string{"Webhook-Signature": "v1,g0hM9SsE"}, vectorBody, 0},
		"too old":           {nil, vectorBody, WebhookTolerance + time.Second},
		"too new":           {nil, vectorBody, -WebhookTolerance - time.Second},
	} {
		_, err := VerifyWebhook(vectorHeader(c.change), []byte(c.body), vectorTime.Add(c.late), vectorSecret)
		if !errors.Is(err, ErrWebhook) || strings.Contains(err.Error(), vectorSecret[6:]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := VerifyWebhook(vectorHeader(nil), []byte(vectorBody), vectorTime, otherSecret); !errors.Is(err, ErrWebhook) {
		t.Errorf("another secret: %v", err)
	}
	if _, err := VerifyWebhook(vectorHeader(nil), []byte(vectorBody), vectorTime); !errors.Is(err, ErrWebhook) {
		t.Errorf("without any secret: %v", err)
	}
	if _, err := VerifyWebhook(vectorHeader(nil), []byte(vectorBody), vectorTime, "hush"); err == nil || errors.Is(err, ErrWebhook) || strings.Contains(err.Error(), "hush") {
		t.Errorf("a secret that is none: %v", err)
	}
	if w, err := VerifyWebhook(http.Header{}, nil, vectorTime, vectorSecret); err == nil || !reflect.DeepEqual(w, Webhook{}) {
		t.Errorf("%v of a failed verification: %v", w, err)
	}
}

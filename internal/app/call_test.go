package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// answer is what a caller gets.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	request *http.Request
}

// send makes the call "METHOD target" with a secret, "" for none.
func send(t *testing.T, url, call, secret string) answer {
	t.Helper()
	method, target, _ := strings.Cut(call, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return do(t, r)
}

func do(t *testing.T, r *http.Request) answer {
	t.Helper()
	got, err := exchange(http.DefaultClient, r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func exchange(c *http.Client, r *http.Request) (answer, error) {
	res, err := c.Do(r)
	if err != nil {
		return answer{request: r}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, body, r}, err
}

// data decodes the data of a successful answer.
func (a answer) data(t *testing.T, into any) {
	t.Helper()
	envelope := struct{ Data any }{into}
	if err := json.Unmarshal(a.body, &envelope); err != nil || a.status != http.StatusOK {
		t.Fatalf("%s: %d %s: %v", a.request.URL, a.status, a.body, err)
	}
}

func newKey(t *testing.T, api *client.Client, owner toksta.AccountID, name string) client.SecretAnswer {
	t.Helper()
	made, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: owner, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// usageOf decodes an account's month as the operator reads it.
func usageOf(t *testing.T, api *client.Client, owner toksta.AccountID, into any) {
	t.Helper()
	document, err := api.Usage(t.Context(), client.UsageRequest{AccountRef: client.AccountRef{Account: owner}})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document, into); err != nil {
		t.Fatal(err)
	}
}

// gapless wants every number of the audit trail, from the newest to the first.
func gapless(t *testing.T, api *client.Client) {
	t.Helper()
	page := client.AuditPage{Next: 1 << 62}
	for want := int64(-1); page.Next > 0; {
		var err error
		if page, err = api.Audit(t.Context(), client.AuditRequest{Before: page.Next, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Changes {
			if want >= 0 && c.Sequence != want {
				t.Fatalf("change %d follows on %d", c.Sequence, want+1)
			}
			want = c.Sequence - 1
		}
		if page.Next == 0 && want != 0 {
			t.Errorf("the first change is number %d", want+1)
		}
	}
}

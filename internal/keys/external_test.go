package keys_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// rejects fails the test unless err has the code and the text.
func rejects(t *testing.T, err error, code toksta.Code, says string) {
	t.Helper()
	if e, ok := errors.AsType[*toksta.Error](err); !ok || e.Code != code || !strings.Contains(e.Message, says) {
		t.Errorf("got %v, want %s with %q", err, code, says)
	}
}

// Guarantee: no two keys of any account have one external id, and the error names the key
// that has it. A revoked key keeps its id and its metadata.
func TestExternalID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, toksta.Account{ID: "acct_2", Plan: "BUILD", Status: toksta.StatusActive})
	create := func(account toksta.AccountID, external string) (keys.Created, error) {
		return w.Create(t.Context(), operator, keys.CreateRequest{Account: account, Name: "k", ExternalID: external, Metadata: map[string]string{"env": "prod"}})
	}
	first, err := create("acct_1", "crm-1")
	if err != nil {
		t.Fatal(err)
	}
	if k, err := w.Get(t.Context(), "", first.Key.ID); err != nil || k.ExternalID != "crm-1" || k.Metadata["env"] != "prod" {
		t.Fatalf("got %+v, %v", k, err)
	}
	_, err = create("acct_2", "crm-1")
	rejects(t, err, toksta.CodeConflict, `"crm-1" belongs to the key `+string(first.Key.ID))
	_, err = create("acct_2", "key_1")
	rejects(t, err, toksta.CodeValidation, "cannot start with")
	second, err := create("acct_2", "")
	if err != nil {
		t.Fatal(err)
	}
	set := func(k keys.Created, external string) error {
		_, err := w.SetExternalID(t.Context(), operator, keys.ExternalIDRequest{Ref: keys.Ref{Key: k.Key.ID}, ExternalID: external})
		return err
	}
	rejects(t, set(second, "crm-1"), toksta.CodeConflict, string(first.Key.ID))
	rejects(t, set(second, "a b"), toksta.CodeValidation, "cannot have")
	before := len(w.changes(t))
	if err := errors.Join(set(first, "crm-1"), set(first, ""), set(second, "crm-1")); err != nil {
		t.Fatal(err)
	}
	changes := w.changes(t)
	if len(changes) != before+2 || changes[0].Kind != toksta.ChangeKeyExternalID || changes[0].Detail["external_id"] != "→ crm-1" || changes[1].Detail["external_id"] != "crm-1 →" {
		t.Errorf("got changes %+v", changes[:2])
	}
	if _, err := w.Revoke(t.Context(), operator, keys.Ref{Key: second.Key.ID}); err != nil {
		t.Fatal(err)
	}
	rejects(t, set(second, ""), toksta.CodeConflict, "revoked")
	rejects(t, set(first, "crm-1"), toksta.CodeConflict, string(second.Key.ID))
	_, err = w.SetMetadata(t.Context(), operator, keys.MetadataRequest{
		Ref: keys.Ref{Key: second.Key.ID}, MetadataChange: store.MetadataChange{Unset: []string{"env"}},
	})
	rejects(t, err, toksta.CodeConflict, "revoked")
}

// Guarantee: pairs are set, unset and replaced as asked, and the change log has each
// difference.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "k")
	many := map[string]string{}
	for i := range 50 {
		many[strings.Repeat("n", i+1)[:min(i+1, 40)]+string(rune('A'+i%26))+string(rune('a'+i/26))] = "v"
	}
	for _, step := range []struct {
		change store.MetadataChange
		want   map[string]string
		detail map[string]string // nil: nothing changes
		says   string            // of the error
	}{
		{
			change: store.MetadataChange{Set: map[string]string{"env": "prod", "team": "a"}}, want: map[string]string{"env": "prod", "team": "a"},
			detail: map[string]string{"env": "→ prod", "team": "→ a"},
		},
		{
			change: store.MetadataChange{Set: map[string]string{"env": "test"}, Unset: []string{"team", "none"}}, want: map[string]string{"env": "test"},
			detail: map[string]string{"env": "prod → test", "team": "a →"},
		},
		{change: store.MetadataChange{Set: map[string]string{"env": "test"}}, want: map[string]string{"env": "test"}},
		{change: store.MetadataChange{Set: map[string]string{"env": ""}}, want: map[string]string{"env": "test"}, says: "is empty"},
		{change: store.MetadataChange{Set: map[string]string{"a": "b"}, Unset: []string{"a"}}, want: map[string]string{"env": "test"}, says: "set and unset"},
		{change: store.MetadataChange{Set: many}, want: map[string]string{"env": "test"}, says: "51 pairs"},
		{
			change: store.MetadataChange{Set: map[string]string{"b": "1"}, Replace: true}, want: map[string]string{"b": "1"},
			detail: map[string]string{"b": "→ 1", "env": "test →"},
		},
		{change: store.MetadataChange{Replace: true}, detail: map[string]string{"b": "1 →"}},
	} {
		before := w.changes(t)
		_, err := w.SetMetadata(t.Context(), operator, keys.MetadataRequest{Ref: keys.Ref{Key: k.Key.ID}, MetadataChange: step.change})
		if step.says != "" {
			rejects(t, err, toksta.CodeValidation, step.says)
		} else if err != nil {
			t.Fatal(err)
		}
		got, err := w.Get(t.Context(), "", k.Key.ID)
		if diff := cmp.Diff(step.want, got.Metadata); diff != "" || err != nil {
			t.Errorf("%+v: %v -want +got\n%s", step.change, err, diff)
		}
		after := w.changes(t)
		if added := len(after) - len(before); (added == 1) != (step.detail != nil) {
			t.Errorf("%+v: %d changes", step.change, added)
		} else if added == 1 && !cmp.Equal(after[0].Detail, step.detail) {
			t.Errorf("%+v: detail %v", step.change, after[0].Detail)
		}
	}
}

// Guarantee: an import takes external ids of keys and of accounts, and rejects a row whose
// id is in use, without changing the other rows.
func TestImportExternal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, toksta.Account{ID: "acct_2", Plan: "BUILD", Status: toksta.StatusActive, ExternalID: "crm-2"})
	old, err := w.Create(t.Context(), operator, keys.CreateRequest{Account: "acct_1", Name: "old", ExternalID: "used"})
	if err != nil {
		t.Fatal(err)
	}
	row := func(digest string, account toksta.AccountID, external string) keys.ImportRow {
		return keys.ImportRow{Digest: sha256.Sum256([]byte(digest)), Account: account, ExternalID: external}
	}
	request := keys.ImportRequest{Rows: []keys.ImportRow{
		row("1", "crm-2", "k1"), row("2", "crm-2", "k1"), row("3", "acct_1", "used"), row("4", "crm-3", ""), row("5", "acct_1", "key_5"), row("6", "acct_1", ""), row("7", "acct_1", ""),
	}}
	request.Rows[0].Metadata = map[string]string{"env": "prod"}
	request.Rows[6].Metadata = map[string]string{"a b": "x"}
	imported, err := w.Import(t.Context(), operator, request)
	if err != nil {
		t.Fatal(err)
	}
	for i, says := range []string{"", "Row 1 of this batch has the same external id", "belongs to the key " + string(old.Key.ID), `no account "crm-3"`, "external_id: ", "", "metadata: "} {
		if got := imported.Results[i]; (got.State == keys.RowImported) != (says == "") || !strings.Contains(got.Reason, says) {
			t.Errorf("row %d: %+v, want %q", i, got, says)
		}
	}
	k, err := w.Get(t.Context(), "acct_2", imported.Results[0].Key)
	if err != nil || k.ExternalID != "k1" || k.Metadata["env"] != "prod" {
		t.Errorf("got %+v, %v", k, err)
	}
	if again, err := w.Import(t.Context(), operator, request); err != nil || again.Results[0].State != keys.RowExists {
		t.Errorf("a repeat: %+v, %v", again.Results[0], err)
	}
}

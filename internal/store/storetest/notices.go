package storetest

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

var noticeBox = store.NoticeBox{Member: "mem_a", Account: "acct_a"}

// notice returns a notice of noticeBox whose mail is due at now.
func notice(id string) store.Notice {
	return store.Notice{
		ID: "ntc_" + id, MemberID: noticeBox.Member, AccountID: noticeBox.Account, Kind: "key_created", Seq: 7, At: now,
		Data: json.RawMessage(`{"name":"→ <b>"}`), Token: "token of " + id, Mail: store.MailPending, NextAt: now,
	}
}

// write writes notices without moving the position.
func (t *suite) write(notices ...store.Notice) {
	t.Helper()
	written, err := t.s.WriteNotices(t.Context(), store.NoticeBatch{Notices: notices})
	t.ok(err)
	is(t, written, true)
}

func (t *suite) notices(box store.NoticeBox) []store.Notice {
	t.Helper()
	all, err := t.s.ListNotices(t.Context(), box, 100)
	t.ok(err)
	return all
}

func noticeIDs(notices []store.Notice) string {
	return ids(notices, func(n store.Notice) string { return n.ID })
}

// writeNotices: nodes that follow the log at once must write each notice once, and none must be
// skipped by a position that moves without its notices.
func writeNotices(t *suite) {
	p, err := t.s.NoticePosition(t.Context())
	t.ok(err)
	is(t, p, store.NoticePosition{})
	var first, second toksta.Change
	first = t.commit(store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: "acct_a", Accounts: []toksta.Account{account("acct_a")}, Detail: map[string]string{"a": "b"}})
	second = t.commit(store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: "acct_a", Keys: []toksta.Key{key("acct_a", "key_1"), key("acct_a", "key_2")}})
	all, err := t.s.ChangesAfter(t.Context(), 0, 10)
	t.ok(err)
	is(t, all, []toksta.Change{first, second})
	all, err = t.s.ChangesAfter(t.Context(), first.Seq, 1)
	t.ok(err)
	is(t, all, []toksta.Change{second})
	count, err := t.s.KeysOfChange(t.Context(), second.Seq)
	t.ok(err)
	is(t, count, map[toksta.AccountID]int{"acct_a": 2})

	t.people("mem_a")
	var moved atomic.Int32
	to := store.NoticePosition{Seq: second.Seq, ScannedAt: now}
	concurrently(6, func(i int) {
		n := notice(numbered("", i))
		n.Token = "one change, one member"
		written, err := t.s.WriteNotices(t.Context(), store.NoticeBatch{From: store.NoticePosition{}, To: to, Notices: []store.Notice{n}})
		if err != nil {
			t.Error(err)
		}
		if written {
			moved.Add(1)
		}
	})
	is(t, moved.Load(), 1)
	p, err = t.s.NoticePosition(t.Context())
	t.ok(err)
	is(t, p, to)
	is(t, len(t.notices(noticeBox)), 1)
	again := notice("again")
	again.Token = "one change, one member"
	t.write(again)
	is(t, len(t.notices(noticeBox)), 1)

	secret, err := t.s.NoticeSecret(t.Context(), "first")
	t.ok(err)
	other, err := t.s.NoticeSecret(t.Context(), "second")
	t.ok(err)
	is(t, []string{secret, other}, []string{"first", "first"})
}

// noticePages: a page must show the notices of its member and account, and no others.
func noticePages(t *suite) {
	t.people("mem_a", "mem_b")
	own := notice("2")
	other, elsewhere, personal, mail := notice("3"), notice("4"), notice("5"), notice("6")
	other.MemberID, elsewhere.AccountID, personal.AccountID, mail.Address = "mem_b", "acct_b", "", "old@example.com"
	personal.Kind = "new_browser"
	t.write(own, other, elsewhere, personal, mail)
	own.Token, personal.Token = "", ""
	is(t, t.notices(noticeBox), []store.Notice{personal, own})
	latest, err := t.s.ListNotices(t.Context(), noticeBox, 1)
	t.ok(err)
	is(t, noticeIDs(latest), "ntc_5 ")
	unread := func(box store.NoticeBox) int {
		t.Helper()
		n, err := t.s.CountUnread(t.Context(), box)
		t.ok(err)
		return n
	}
	is(t, unread(noticeBox), 2)
	without := noticeBox
	without.Without = []string{own.Kind, "none"}
	is(t, unread(without), 1)
	is(t, noticeIDs(t.notices(without)), "ntc_5 ")
	t.ok(t.s.ReadNotices(t.Context(), noticeBox, own.ID, now))
	is(t, unread(noticeBox), 1)
	is(t, unread(store.NoticeBox{Member: "mem_a", Account: "acct_b"}), 2)
	is(t, unread(store.NoticeBox{Member: "mem_b", Account: "acct_a"}), 1)
	is(t, t.notices(noticeBox)[1].ReadAt, now)

	off := func(box store.NoticeBox) []string {
		t.Helper()
		topics, err := t.s.UnmailedTopics(t.Context(), box)
		t.ok(err)
		return topics
	}
	t.ok(t.s.SetTopics(t.Context(), noticeBox, map[string]bool{"keys": false, "billing": false, "members": true}))
	t.ok(t.s.SetTopics(t.Context(), noticeBox, map[string]bool{"billing": true}))
	is(t, off(noticeBox), []string{"keys"})
	is(t, off(store.NoticeBox{Member: "mem_a", Account: "acct_b"}), nil)
	is(t, off(store.NoticeBox{Member: "mem_b", Account: "acct_a"}), nil)

	t.ok(t.s.PruneNotices(t.Context(), now))
	is(t, len(t.notices(noticeBox)), 2)
	t.ok(t.s.PruneNotices(t.Context(), now.Add(time.Minute)))
	is(t, len(t.notices(noticeBox)), 0)
	is(t, off(noticeBox), []string{"keys"})
}

// claimNotices: two nodes must not send one mail at once, and the claim of a killed node must end.
func claimNotices(t *suite) {
	t.people("mem_a", "mem_b")
	for i := range 30 {
		t.write(notice(numbered("", i)))
	}
	silent, later := notice("silent"), notice("later")
	silent.Mail, later.NextAt = store.MailNone, now.Add(5*time.Minute)
	t.write(silent, later)
	var taken [10][]store.Notice
	claim := func(minutes, limit int) []store.Notice {
		at := now.Add(time.Duration(minutes) * time.Minute)
		claimed, err := t.s.ClaimNotices(t.Context(), store.NoticeClaim{Now: at, Until: at.Add(time.Minute), Limit: limit})
		if err != nil {
			t.Error(err)
		}
		return claimed
	}
	concurrently(10, func(i int) { taken[i] = claim(0, 7) })
	seen := map[string]int{}
	for _, claimed := range taken {
		for _, n := range claimed {
			seen[n.ID]++
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	is(t, len(seen) > 0, true)
	is(t, len(seen)+len(claim(0, 100)), 30)
	is(t, len(claim(0, 100)), 0)

	again := claim(2, 100)
	is(t, len(again), 30)
	is(t, again[0].Attempts, 2)
	result := again[0]
	result.Mail, result.Outcome = store.MailSent, "accepted"
	late := again[0]
	late.Attempts = 1
	t.ok(t.s.FinishNotice(t.Context(), late, result))
	is(t, len(claim(4, 100)), 30)
	again = claim(6, 100)
	is(t, len(again), 31)
	t.ok(t.s.FinishNotice(t.Context(), again[0], result))
	is(t, len(claim(8, 100)), 30)
	count := func(box store.NoticeBox, since time.Time) int {
		t.Helper()
		n, err := t.s.CountNoticeMails(t.Context(), box, since)
		t.ok(err)
		return n
	}
	is(t, []int{count(noticeBox, now), count(noticeBox, now.Add(6*time.Minute)), count(store.NoticeBox{Member: "mem_a"}, now)}, []int{1, 0, 0})
}

// noticeBacklog: operators must see mails that wait or failed, and how late the longest due one is.
func noticeBacklog(t *suite) {
	t.people("mem_a", "mem_b")
	backlog := func(want store.NoticeBacklog) {
		t.Helper()
		b, err := t.s.NoticeBacklog(t.Context())
		t.ok(err)
		is(t, b, want)
	}
	backlog(store.NoticeBacklog{})
	silent, later := notice("silent"), notice("later")
	silent.Mail, later.NextAt = store.MailNone, now.Add(5*time.Minute)
	t.write(silent, later, notice("1"), notice("2"))
	backlog(store.NoticeBacklog{Waiting: 3, DueAt: now})
	claimed, err := t.s.ClaimNotices(t.Context(), store.NoticeClaim{Now: now, Until: now.Add(time.Minute), Limit: 2})
	t.ok(err)
	is(t, len(claimed), 2)
	backlog(store.NoticeBacklog{Waiting: 3, DueAt: now.Add(time.Minute)})
	sent, failed := claimed[0], claimed[1]
	sent.Mail, sent.Outcome = store.MailSent, "sent"
	failed.Outcome, failed.NextAt = "busy", now.Add(2*time.Minute)
	t.ok(t.s.FinishNotice(t.Context(), claimed[0], sent))
	t.ok(t.s.FinishNotice(t.Context(), claimed[1], failed))
	backlog(store.NoticeBacklog{Waiting: 2, Retrying: 1, DueAt: now.Add(2 * time.Minute)})
}

// datedKeys: each key must be in the window of its date once, and a revoked or expired key in none.
func datedKeys(t *suite) {
	t.account("acct_a")
	day := 24 * time.Hour
	for id, k := range map[string]struct{ created, expires, revoked, used time.Duration }{
		"fresh": {}, "expires": {expires: 5 * day}, "edge": {expires: 7 * day}, "later": {expires: 8 * day},
		"revoked": {created: -90 * day, expires: 5 * day, revoked: -day}, "expired": {created: -90 * day, expires: -day},
		"unused": {created: -90 * day}, "used": {created: -200 * day, used: -90 * day}, "lately": {created: -90 * day, used: -day}, "longer": {created: -200 * day},
	} {
		v := key("acct_a", id)
		v.CreatedAt = now.Add(k.created)
		if k.expires != 0 {
			v.ExpiresAt = now.Add(k.expires)
		}
		if k.revoked != 0 {
			v.RevokedAt = now.Add(k.revoked)
		}
		t.put(v)
		if k.used != 0 {
			t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: "e", LastUses: []store.LastUse{{KeyID: v.ID, AccountID: "acct_a", At: now.Add(k.used)}}}))
		}
	}
	find := func(w store.KeyWindow) []store.DatedKey {
		t.Helper()
		w.Now = now
		found, err := t.s.DatedKeys(t.Context(), w)
		t.ok(err)
		return found
	}
	is(t, find(store.KeyWindow{After: now, Until: now.Add(7 * day)}), []store.DatedKey{
		{ID: "edge", AccountID: "acct_a", Date: now.Add(7 * day)}, {ID: "expires", AccountID: "acct_a", Date: now.Add(5 * day)},
	})
	is(t, find(store.KeyWindow{After: now.Add(7 * day), Until: now.Add(7*day + time.Hour)}), nil)
	is(t, find(store.KeyWindow{Unused: true, After: now.Add(-91 * day), Until: now.Add(-90 * day)}), []store.DatedKey{
		{ID: "unused", AccountID: "acct_a", Date: now.Add(-90 * day)}, {ID: "used", AccountID: "acct_a", Date: now.Add(-90 * day)},
	})
	is(t, find(store.KeyWindow{Unused: true, After: now.Add(-90 * day), Until: now.Add(-89 * day)}), nil)
}

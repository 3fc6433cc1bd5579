package notices

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// batch is the number of changes that one transaction turns into notices.
const batch = 100

// followAll writes the notices of all new changes, of the dates that came nearer and of refused
// calls, unless another node does it. Two nodes can do it at once, after a claim has ended: only
// one of them moves the position.
func (s *Service) followAll(ctx context.Context) error {
	if err := s.noteRefused(ctx); err != nil {
		return err
	}
	for {
		more, err := s.follow(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// follow writes the notices of the next changes of the log and, once an hour, of the dates of keys.
// It reports whether the log can have further changes.
func (s *Service) follow(ctx context.Context) (more bool, err error) {
	from, err := s.config.Store.NoticePosition(ctx)
	if err != nil {
		return false, err
	}
	changes, err := s.config.Store.ChangesAfter(ctx, from.Seq, batch)
	now := s.config.Now()
	scan := now.Sub(from.ScannedAt) >= scanEvery
	if err != nil || len(changes) == 0 && !scan {
		return false, err
	}
	claimed, err := s.config.Store.Claim(ctx, store.Claim{Name: "notices", Holder: s.holder, For: claimFor})
	if err != nil || claimed.IsZero() {
		return false, err
	}
	step := store.NoticeBatch{From: from, To: from}
	for _, c := range changes {
		drafts, err := s.ofChange(ctx, c)
		if err != nil {
			return false, fmt.Errorf("write the notices of change %d: %w", c.Seq, err)
		}
		step.Notices, step.To.Seq = append(step.Notices, drafts...), c.Seq
	}
	if scan {
		step.To.ScannedAt = now.Truncate(time.Millisecond)
		dated, err := s.ofDates(ctx, from.ScannedAt, step.To.ScannedAt)
		if err != nil {
			return false, fmt.Errorf("read the dates of keys: %w", err)
		}
		step.Notices = append(step.Notices, dated...)
		if err := s.config.Store.PruneNotices(ctx, now.Add(-retention)); err != nil {
			return false, err
		}
	}
	written, err := s.config.Store.WriteNotices(ctx, step)
	if err != nil || !written {
		return false, err
	}
	if len(step.Notices) > 0 {
		s.notify()
	}
	return len(changes) == batch, nil
}

// digestAbove is the number of keys of an account up to which each has a notice of its own. More keys
// with the same date have one notice: a mail for each would use up the account's mails of the day.
const digestAbove = 3

// dates describes keys whose date came near between two scans.
type dates struct {
	one, many Kind // of the notice about one key, and about more than digestAbove
	days      int  // between the date and the scan
	window    store.KeyWindow
}

// ofDates returns the notices of keys whose date came near after one scan and until the next. The
// first scan looks a day back.
func (s *Service) ofDates(ctx context.Context, from, to time.Time) (out []store.Notice, err error) {
	const day = 24 * time.Hour
	if from.IsZero() {
		from = to.Add(-day)
	}
	var all []dates
	for _, days := range s.config.Dates.Expiring {
		before := time.Duration(days) * day
		all = append(all, dates{KeyExpiring, KeysExpiring, days, store.KeyWindow{After: from.Add(before), Until: to.Add(before), Now: to}})
	}
	if unused := time.Duration(s.config.Dates.Unused) * day; unused > 0 {
		all = append(all, dates{KeyUnused, KeysUnused, s.config.Dates.Unused, store.KeyWindow{Unused: true, After: from.Add(-unused), Until: to.Add(-unused), Now: to}})
	}
	for _, d := range all {
		keys, err := s.config.Store.DatedKeys(ctx, d.window)
		if err != nil {
			return nil, err
		}
		for _, o := range d.occasions(keys) {
			drafts, err := s.toMembers(ctx, o)
			if err != nil {
				return nil, err
			}
			out = append(out, drafts...)
		}
	}
	return out, nil
}

// occasions returns the occasions of the keys: one for each key or, for an account with many, one
// with their number and the first date.
func (d dates) occasions(keys []store.DatedKey) (out []occasion) {
	to := d.window.Now
	for account, of := range byAccount(keys) {
		if len(of) > digestAbove {
			first := slices.MinFunc(of, func(a, b store.DatedKey) int { return a.Date.Compare(b.Date) }).Date
			out = append(out, occasion{
				kind: d.many, account: account, at: to, data: data{Keys: len(of), Date: first, Days: daysBetween(first, to)},
				token: fmt.Sprintf("%s %s %d %d", d.many, account, d.window.After.UnixMilli(), d.days),
			})
			continue
		}
		for _, k := range of {
			out = append(out, occasion{
				kind: d.one, account: account, at: to, data: data{Key: k.ID, Date: k.Date, Days: daysBetween(k.Date, to)},
				token: fmt.Sprintf("%s %s %d %d", d.one, k.ID, k.Date.UnixMilli(), d.days),
			})
		}
	}
	return out
}

// byAccount groups keys by their accounts.
func byAccount(keys []store.DatedKey) map[toksta.AccountID][]store.DatedKey {
	out := map[toksta.AccountID][]store.DatedKey{}
	for _, k := range keys {
		out[k.AccountID] = append(out[k.AccountID], k)
	}
	return out
}

// daysBetween returns the number of days between two times, rounded, so that a scan that is late by
// less than half a day states the configured number.
func daysBetween(a, b time.Time) int {
	const day = 24 * time.Hour
	return int(a.Sub(b).Abs().Round(day) / day)
}

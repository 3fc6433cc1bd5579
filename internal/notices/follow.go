package notices

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
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

// follow makes one step, and reports whether there can be another one.
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

// ofDates returns the notices of keys whose date came near after one scan and until the next. The
// first scan looks a day back.
func (s *Service) ofDates(ctx context.Context, from, to time.Time) (out []store.Notice, err error) {
	const day = 24 * time.Hour
	if from.IsZero() {
		from = to.Add(-day)
	}
	add := func(kind Kind, days int, w store.KeyWindow) error {
		w.Now = to
		keys, err := s.config.Store.DatedKeys(ctx, w)
		if err != nil {
			return err
		}
		for _, k := range keys {
			o := occasion{
				kind: kind, account: k.AccountID, at: to, data: data{Key: k.ID, Date: k.Date, Days: daysBetween(k.Date, to)},
				token: fmt.Sprintf("%s %s %d %d", kind, k.ID, k.Date.UnixMilli(), days),
			}
			drafts, err := s.toMembers(ctx, o)
			if err != nil {
				return err
			}
			out = append(out, drafts...)
		}
		return nil
	}
	for _, days := range s.config.Dates.Expiring {
		before := time.Duration(days) * day
		if err := add(KeyExpiring, days, store.KeyWindow{After: from.Add(before), Until: to.Add(before)}); err != nil {
			return nil, err
		}
	}
	if unused := time.Duration(s.config.Dates.Unused) * day; unused > 0 {
		err = add(KeyUnused, s.config.Dates.Unused, store.KeyWindow{Unused: true, After: from.Add(-unused), Until: to.Add(-unused)})
	}
	return out, err
}

// daysBetween returns the number of days between two times, rounded, so that a scan that is late by
// less than half a day states the configured number.
func daysBetween(a, b time.Time) int {
	const day = 24 * time.Hour
	return int(a.Sub(b).Abs().Round(day) / day)
}

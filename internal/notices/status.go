package notices

import (
	"context"
	"time"
)

// Status states how late notices and their mails are, over all nodes.
type Status struct {
	Behind   time.Duration // age of the oldest change whose notices are not written; 0: none
	Waiting  int           // mails that are to be sent
	Retrying int           // of Waiting, those with a failed attempt
	Overdue  time.Duration // of the longest due mail; 0: none is due
}

// Status reads the state of notices from the database.
func (s *Service) Status(ctx context.Context) (out Status, err error) {
	position, err := s.config.Store.NoticePosition(ctx)
	if err != nil {
		return out, err
	}
	changes, err := s.config.Store.ChangesAfter(ctx, position.Seq, 1)
	if err != nil {
		return out, err
	}
	now := s.config.Now()
	for _, c := range changes {
		out.Behind = max(now.Sub(c.At), 0)
	}
	if s.config.Sender == nil {
		return out, nil // mails of an earlier configuration wait for a mail server
	}
	backlog, err := s.config.Store.NoticeBacklog(ctx)
	out.Waiting, out.Retrying = backlog.Waiting, backlog.Retrying
	if !backlog.DueAt.IsZero() {
		out.Overdue = max(now.Sub(backlog.DueAt), 0)
	}
	return out, err
}

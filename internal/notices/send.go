package notices

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	maxConcurrent  = 4                // sessions with the mail server, by one node
	attemptTimeout = 45 * time.Second // of one mail
	sendClaim      = time.Minute      // longer than attemptTimeout: only the claim of a node that died expires
	storeTimeout   = 5 * time.Second  // to store an outcome, even while stopping
	// maxDaily bounds the mails to a member about one account, or about the member alone, within
	// a day. A program that makes hundreds of keys must not fill a mailbox.
	maxDaily = 25
)

// retryPauses returns the pauses between attempts: nine attempts within about two days.
func retryPauses() []time.Duration {
	return []time.Duration{
		time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour,
	}
}

// sendAll sends all due mails.
func (s *Service) sendAll(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.sendDue(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// sendDue claims due mails, makes one attempt of each, and returns their number.
func (s *Service) sendDue(ctx context.Context) (int, error) {
	now := s.config.Now()
	claimed, err := s.config.Store.ClaimNotices(ctx, store.NoticeClaim{Now: now, Until: now.Add(sendClaim), Limit: maxConcurrent})
	if err != nil {
		return 0, err
	}
	errs := make([]error, len(claimed))
	var all sync.WaitGroup
	for i, n := range claimed {
		all.Go(func() { errs[i] = s.attempt(ctx, n) })
	}
	all.Wait()
	return len(claimed), errors.Join(errs...)
}

// attempt sends the mail of a claimed notice and stores the outcome, even if ctx ends during the
// attempt, because the mail could have arrived.
func (s *Service) attempt(ctx context.Context, claimed store.Notice) error {
	sending, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	after := claimed
	m, err := s.compose(sending, claimed)
	if err == nil {
		err = s.config.Sender.Send(sending, m)
	}
	if err != nil && ctx.Err() != nil {
		after.NextAt, after.Outcome = s.config.Now(), "interrupted: the node stopped"
	} else {
		after = s.next(after, err)
	}
	storing, stop := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer stop()
	if after.Mail == store.MailDropped && !errors.Is(err, errUnwanted) {
		s.config.Log.Warn("the mail of a notice was not sent and is given up", "notice", claimed.ID, "kind", claimed.Kind,
			"member_id", claimed.MemberID, "account_id", claimed.AccountID, "attempts", claimed.Attempts, "outcome", after.Outcome)
	}
	return s.config.Store.FinishNotice(storing, claimed, after)
}

// next returns the notice after an attempt: sent, dropped, or due again after a pause.
func (s *Service) next(n store.Notice, err error) store.Notice {
	pauses := retryPauses()
	switch {
	case err == nil:
		n.Mail, n.Outcome = store.MailSent, "sent"
		return n
	case errors.Is(err, errUnwanted), errors.Is(err, mail.ErrRejected), n.Attempts > len(pauses):
		n.Mail = store.MailDropped
	default:
		pause := pauses[n.Attempts-1]
		// Jitter of up to a fifth separates mails that failed at the same time.
		n.NextAt = s.config.Now().Add(pause + rand.N(pause/5))
	}
	n.Outcome = text.Keepable(mail.WithoutContent(err))
	return n
}

// errUnwanted means that the mail must not be sent: the recipient has lost the right to it, or
// does not want it.
var errUnwanted = errors.New("the mail is not sent")

// compose writes the mail of a notice. It checks now whether the recipient still may and wants to
// receive it. The error wraps errUnwanted if not.
func (s *Service) compose(ctx context.Context, n store.Notice) (mail.Message, error) {
	m, err := s.recipient(ctx, n)
	if err != nil {
		return mail.Message{}, err
	}
	item, err := s.item(ctx, n)
	if err != nil {
		return mail.Message{}, err
	}
	letter := item.letter()
	letter.To = m.Email
	if n.Address != "" {
		letter.To = n.Address
	}
	letter.Link = s.config.PagesURL + item.Path()
	if topic := rules[item.Kind].topic; topic != NoTopic {
		token, err := s.Token(ctx, Subscription{Member: n.MemberID, Account: n.AccountID, Topic: topic})
		if err != nil {
			return mail.Message{}, err
		}
		letter.Unsubscribe = s.config.PagesURL + UnsubscribePath + "?token=" + token
	}
	out := s.config.Letters.Notice(n.Kind, letter)
	if !strings.HasPrefix(out.Unsubscribe, "https:") {
		out.Unsubscribe = "" // the field of the header must be https; the link in the text stays
	}
	return out, nil
}

// recipient returns the member who gets the notice.
func (s *Service) recipient(ctx context.Context, n store.Notice) (toksta.Member, error) {
	m, err := s.config.Store.Member(ctx, n.MemberID)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && m.Email == "":
		return m, fmt.Errorf("%w: the member has no address", errUnwanted)
	case err != nil:
		return m, err
	case !m.ExpiresAt.IsZero():
		return m, fmt.Errorf("%w: the address is not verified", errUnwanted)
	}
	box := store.NoticeBox{Member: n.MemberID, Account: n.AccountID}
	if r := rules[Kind(n.Kind)]; r.account {
		if err := s.checkWanted(ctx, box, r); err != nil {
			return m, err
		}
	}
	sent, err := s.config.Store.CountNoticeMails(ctx, box, s.config.Now().Add(-24*time.Hour))
	if err == nil && sent >= maxDaily {
		err = fmt.Errorf("%w: %d mails to the member within a day; the page shows the notice", errUnwanted, sent)
	}
	return m, err
}

// checkWanted returns an error that wraps errUnwanted if the role of the member in the account
// does not allow the notice, or if the member switched its topic off.
func (s *Service) checkWanted(ctx context.Context, box store.NoticeBox, r rule) error {
	role, err := s.config.Store.Role(ctx, box.Account, box.Member)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: the member does not belong to the account any more", errUnwanted)
	case err != nil:
		return err
	case !r.allows(role):
		return fmt.Errorf("%w: the role of the member does not allow the notice", errUnwanted)
	}
	off, err := s.config.Store.UnmailedTopics(ctx, box)
	if err != nil {
		return err
	}
	for _, topic := range off {
		if Topic(topic) == r.topic {
			return fmt.Errorf("%w: the member switched such mails off", errUnwanted)
		}
	}
	return nil
}

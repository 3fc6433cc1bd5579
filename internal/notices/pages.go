package notices

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// shownItems is the number of notices that a page shows.
const shownItems = 50

// List returns the newest notices of a member about an account and about the member alone. A
// notice that the member's role no longer allows is left out.
func (s *Service) List(ctx context.Context, box store.NoticeBox, role toksta.MemberRole) ([]Item, error) {
	box.Without = kindsWithout(role)
	all, err := s.config.Store.ListNotices(ctx, box, shownItems)
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, n := range all {
		item, err := s.item(ctx, n)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

// Unread returns the number of notices of List that the member has not read.
func (s *Service) Unread(ctx context.Context, box store.NoticeBox, role toksta.MemberRole) (int, error) {
	box.Without = kindsWithout(role)
	return s.config.Store.CountUnread(ctx, box)
}

// MarkRead marks the notices up to the one with the id through as read.
func (s *Service) MarkRead(ctx context.Context, box store.NoticeBox, through string) error {
	return s.config.Store.ReadNotices(ctx, box, through, s.config.Now())
}

// Preference states whether a member gets the mails of a topic.
type Preference struct {
	Topic Topic
	Mail  bool
}

// Preferences returns the topics that the role allows, each with its setting.
func (s *Service) Preferences(ctx context.Context, box store.NoticeBox, role toksta.MemberRole) ([]Preference, error) {
	off, err := s.config.Store.UnmailedTopics(ctx, box)
	var out []Preference
	for _, t := range Topics(role) {
		out = append(out, Preference{t, !slices.Contains(off, string(t))})
	}
	return out, err
}

// SetPreferences switches the mails of the topics on or off. Topics that the role does not allow
// are left out.
func (s *Service) SetPreferences(ctx context.Context, box store.NoticeBox, role toksta.MemberRole, mails map[Topic]bool) error {
	set := map[string]bool{}
	for _, t := range Topics(role) {
		if on, ok := mails[t]; ok {
			set[string(t)] = on
		}
	}
	return s.config.Store.SetTopics(ctx, box, set)
}

// Mails reports whether notices are sent by mail.
func (s *Service) Mails() bool { return s.config.Sender != nil }

// UnsubscribePath is the path of the page that stops the mails of a topic.
const UnsubscribePath = "/unsubscribe"

// Subscription names the mails of a topic about an account to a member.
type Subscription struct {
	Member  toksta.MemberID
	Account toksta.AccountID
	Topic   Topic
}

// Token returns the text in a link that allows only to stop the mails of a subscription. It is
// signed, is not stored, and does not expire, because mails are kept for long.
func (s *Service) Token(ctx context.Context, sub Subscription) (string, error) {
	secret, err := s.signingSecret(ctx)
	if err != nil {
		return "", err
	}
	payload := strings.Join([]string{string(sub.Member), string(sub.Account), string(sub.Topic)}, ".")
	return base64.RawURLEncoding.EncodeToString(append(sign(secret, payload), payload...)), nil
}

// signingSecret returns the secret of the installation. It reads the database once.
func (s *Service) signingSecret(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret != "" {
		return s.secret, nil
	}
	secret, err := s.config.Store.NoticeSecret(ctx, rand.Text())
	s.secret = secret
	return secret, err
}

// signatureLen is the length of the signature of a token, in bytes.
const signatureLen = 16

// sign returns the signatureLen of the payload of a token: the beginning of an HMAC-SHA-256.
func sign(secret, payload string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("unsubscribe " + payload))
	return mac.Sum(nil)[:signatureLen]
}

// Subscription returns the subscription of the link with the token. The error is NOT_FOUND if the
// token was not made by this installation.
func (s *Service) Subscription(ctx context.Context, token string) (Subscription, error) {
	invalid := &toksta.Error{Code: toksta.CodeNotFound, Message: "This link is not complete. Open it from the mail again, or switch mails off on the page of notices."}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(text) < signatureLen {
		return Subscription{}, invalid
	}
	secret, err := s.signingSecret(ctx)
	if err != nil {
		return Subscription{}, err
	}
	payload := string(text[signatureLen:])
	parts := strings.Split(payload, ".")
	if !hmac.Equal(text[:signatureLen], sign(secret, payload)) || len(parts) != 3 {
		return Subscription{}, invalid
	}
	return Subscription{toksta.MemberID(parts[0]), toksta.AccountID(parts[1]), Topic(parts[2])}, nil
}

// Unsubscribe stops the mails of the subscription of the link with the token. The page still shows
// the notices.
func (s *Service) Unsubscribe(ctx context.Context, token string) (Subscription, error) {
	sub, err := s.Subscription(ctx, token)
	if err != nil {
		return sub, err
	}
	return sub, s.config.Store.SetTopics(ctx, store.NoticeBox{Member: sub.Member, Account: sub.Account}, map[string]bool{string(sub.Topic): false})
}

package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// clockSlack is the largest step back of the database's clock with which changes are found by
// time. Numbers have the order of commits, times almost.
const clockSlack = time.Hour

// operatorKeyChanges are the kinds of changes of operator keys.
var operatorKeyChanges = []toksta.ChangeKind{toksta.ChangeOperatorKeyCreated, toksta.ChangeOperatorKeyRotated, toksta.ChangeOperatorKeyRevoked}

// FindChanges implements [store.Search]. It reads one index, newest first, and checks the other
// conditions of up to searchScan changes.
func (r reader) FindChanges(ctx context.Context, q store.ChangeSearch) (out store.FoundChanges, err error) {
	from, before, err := r.changeRange(ctx, q)
	if err != nil {
		return out, err
	}
	var c conditions
	c.selectChanges(q, before)
	c.and("seq >=", from)
	c.and("seq <", before)
	c.text.WriteString(" ORDER BY seq DESC LIMIT " + strconv.Itoa(searchScan))
	changes, err := listChanges(ctx, r.q, c.text.String(), c.args...)
	if err != nil {
		return out, err
	}
	if len(changes) == searchScan {
		out.Next = changes[searchScan-1].Seq
	}
	for i, change := range changes {
		if !meetsChangeSearch(change, q) {
			continue
		}
		out.Rows = append(out.Rows, change)
		if len(out.Rows) == limit(q.Limit) {
			if i+1 < len(changes) {
				out.Next = change.Seq
			}
			return out, nil
		}
	}
	return out, nil
}

// selectChanges adds the condition of q that the most selective index serves.
func (c *conditions) selectChanges(q store.ChangeSearch, before int64) {
	switch {
	case q.Key != "":
		c.text.WriteString(changesOfKey)
		c.args = append(c.args, q.Key, q.Account)
	case q.Account != "":
		c.text.WriteString(changesOfAccount)
		c.args = append(c.args, q.Account, before, searchScan)
	case q.OperatorKey != "":
		// There are few of these changes, so they need no index of their own.
		c.text.WriteString(" WHERE kind IN " + tuples(1, len(operatorKeyChanges)))
		for _, kind := range operatorKeyChanges {
			c.args = append(c.args, kind)
		}
	case q.Member != "":
		c.text.WriteString(changesOfMember)
		c.args = append(c.args, q.Member, before, searchScan)
	case q.Actor != "" && !isActorKind(q.Actor):
		c.and("actor_id =", q.Actor)
	case q.Kind != "":
		c.and("kind =", q.Kind)
	}
}

func isActorKind(actor string) bool {
	return slices.Contains([]toksta.ActorKind{toksta.ActorMember, toksta.ActorOperator, toksta.ActorSystem}, toksta.ActorKind(actor))
}

func meetsChangeSearch(c toksta.Change, q store.ChangeSearch) bool {
	byMember := c.Actor.Kind == toksta.ActorMember && c.Actor.ID == string(q.Member)
	return (q.Member == "" || byMember || c.MemberID == q.Member) && (q.Actor == "" || c.Actor.ID == q.Actor || string(c.Actor.Kind) == q.Actor) &&
		(q.Kind == "" || c.Kind == q.Kind) && (q.OperatorKey == "" || c.OperatorKeyID == q.OperatorKey) && !c.At.Before(q.Since) && (q.Until.IsZero() || c.At.Before(q.Until))
}

// changeRange returns the numbers between which the changes of q are.
func (r reader) changeRange(ctx context.Context, q store.ChangeSearch) (from, before int64, err error) {
	if before = q.Before; before <= 0 {
		before = math.MaxInt64
	}
	if !q.Since.IsZero() {
		var older int64
		older, err = r.changeNumber(ctx, `at < $1 ORDER BY at DESC, seq DESC`, q.Since.Add(-clockSlack))
		from = older + 1
	}
	if err == nil && !q.Until.IsZero() {
		var newer int64
		if newer, err = r.changeNumber(ctx, `at > $1 ORDER BY at, seq`, q.Until.Add(clockSlack)); newer > 0 {
			before = min(before, newer)
		}
	}
	return from, before, err
}

// changeNumber returns the number of the first change in an order, or 0 if there is none.
func (r reader) changeNumber(ctx context.Context, order string, at time.Time) (seq int64, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT seq FROM changes WHERE `+order+` LIMIT 1`, millis(at)).Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("find the changes of a time: %w", err)
	}
	return seq, nil
}

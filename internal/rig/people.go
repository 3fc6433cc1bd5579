package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	// peopleOwners is the number of concurrent callers that change members.
	peopleOwners = 2
	// actorsPerNode is the number of concurrent browsers of members at each node.
	actorsPerNode = 2
	// actionPause is the average pause of a browser between two actions. Each action is a
	// change, for which the node waits until every node has applied it.
	actionPause = 100 * time.Millisecond
	// actionTimeout limits one action. A node that waits for another one responds within a
	// lease.
	actionTimeout = 4 * time.Second
	// memberPassword is the password of all members of the rig.
	memberPassword = "the rig signs in with this sentence"
)

// peopleOwner changes the role of one member of its own account, disables and removes the
// member, through any node, one call after another. An action of the member renames a key of
// the account on the account pages. The secret of such a use is the cookie of a session.
type peopleOwner struct {
	*owner
	name  string // of its members' addresses
	count int    // of members so far

	key     toksta.KeyID
	member  toksta.MemberID // "": none
	role    *gate           // the member's role allows changes of keys
	session *secret         // nil: the member is not signed in
}

// run changes members until ctx ends. It returns an error if the product rejects a valid call.
func (o *peopleOwner) run(ctx context.Context) error {
	return o.repeat(ctx, o.step)
}

// step makes one change. If the outcome of a call remains unknown, the owner goes on with
// another member of another account, because it knows neither role nor session.
func (o *peopleOwner) step(ctx context.Context) error {
	err := o.next(ctx)
	if errors.Is(err, errUnknownOutcome) {
		o.account, o.member, o.session = "", "", nil
	}
	return err
}

func (o *peopleOwner) next(ctx context.Context) error {
	switch {
	case o.account == "":
		return o.setUpAccount(ctx)
	case o.member == "":
		return o.addMember(ctx)
	case o.session == nil:
		return o.signIn(ctx)
	case !o.role.isOpen():
		return o.setRole(ctx, toksta.MemberDeveloper)
	}
	switch o.random.IntN(4) {
	case 0:
		return o.remove(ctx)
	case 1:
		return o.disable(ctx)
	default:
		return o.setRole(ctx, toksta.MemberViewer)
	}
}

// setUpAccount creates an account with one key.
func (o *peopleOwner) setUpAccount(ctx context.Context) error {
	var made client.AccountResponse
	_, err := o.attempt(ctx, "create account", func(ctx context.Context, c *client.Client) (err error) {
		made, err = c.CreateAccount(ctx, client.CreateAccountRequest{Name: "Rig people", Plan: "PAYG"})
		return err
	})
	if err != nil {
		return err
	}
	_, err = o.attempt(ctx, "allow keys of members", func(ctx context.Context, c *client.Client) error {
		_, err := c.SetEntitlement(ctx, client.SetEntitlementRequest{
			AccountRef: client.AccountRef{Account: made.Account.ID}, Name: "api_access_enabled", Value: "true",
		})
		return err
	})
	if err != nil {
		return err
	}
	var k client.SecretResponse
	_, err = o.attempt(ctx, "create key of members", func(ctx context.Context, c *client.Client) (err error) {
		k, err = c.CreateKey(ctx, client.CreateKeyRequest{Account: made.Account.ID, Name: "rig"})
		return err
	})
	o.account, o.key = made.Account.ID, k.Key.ID
	return err
}

// addMember creates a developer with an own sign-in.
func (o *peopleOwner) addMember(ctx context.Context) error {
	o.count++
	o.role = &gate{name: "role"}
	var made client.MemberResponse
	err := o.change(ctx, "add member", []*gate{o.role}, func(ctx context.Context, c *client.Client) (err error) {
		made, err = c.AddMember(ctx, client.AddMemberRequest{
			AccountRef: client.AccountRef{Account: o.account}, Name: "Rig", Email: o.address(), Password: memberPassword, Role: toksta.MemberDeveloper,
		})
		return err
	})
	o.member = made.Member.ID
	return err
}

// address returns the address of the newest member.
func (o *peopleOwner) address() string {
	return fmt.Sprintf("%s-%d@rig.example", o.name, o.count)
}

// signIn starts a session of the member on a node. A sign-in without a response is repeated:
// the session that it may have started is used by no browser.
func (o *peopleOwner) signIn(ctx context.Context) error {
	s := &secret{kind: memberSession, key: &key{id: o.key}, gates: []*gate{{name: "session"}, o.role}}
	began := o.history.now()
	cookie := o.postSignIn(ctx, o.nodes[o.random.IntN(len(o.nodes))].access.url)
	if cookie == "" {
		return nil
	}
	s.text = cookie
	s.gates[0].writes = []write{{span{began, o.history.now()}, true}}
	o.session = s
	o.targets.add(s)
	o.targets.markHot(s)
	return nil
}

// postSignIn returns the cookie of a new session, "" if there is none.
func (o *peopleOwner) postSignIn(ctx context.Context, base string) string {
	r, err := newForm(ctx, base+"/signin", url.Values{"email": {o.address()}, "password": {memberPassword}})
	if err != nil {
		return ""
	}
	browser := newBrowser()
	defer browser.CloseIdleConnections()
	response, err := browser.Do(r)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		if strings.HasSuffix(c.Name, sessionCookie) && c.Value != "" {
			return c.Value
		}
	}
	return ""
}

// setRole gives the member another role: one that allows changes of keys, or takes that away.
func (o *peopleOwner) setRole(ctx context.Context, role toksta.MemberRole) error {
	kind := "demote member"
	if role.Allows(toksta.PermitKeys) {
		kind = "promote member"
	}
	err := o.change(ctx, kind, []*gate{o.role}, func(ctx context.Context, c *client.Client) error {
		_, err := c.SetRole(ctx, client.SetRoleRequest{MemberRef: o.ref(), Role: role})
		return err
	})
	o.targets.markHot(o.session)
	return err
}

// ref names the member in the account.
func (o *peopleOwner) ref() client.MemberRef {
	return client.MemberRef{AccountRef: client.AccountRef{Account: o.account}, Member: o.member}
}

// disable disables the member, which ends the session, and enables the member again. The
// member then signs in again.
func (o *peopleOwner) disable(ctx context.Context) error {
	if err := o.end(ctx, "disable member", func(ctx context.Context, c *client.Client) error {
		_, err := c.DisableMember(ctx, client.DisableMemberRequest{Account: o.account, Member: o.member})
		return err
	}); err != nil {
		return err
	}
	return o.change(ctx, "enable member", nil, func(ctx context.Context, c *client.Client) error {
		_, err := c.EnableMember(ctx, client.EnableMemberRequest{Account: o.account, Member: o.member})
		return err
	})
}

// remove removes the member from the account. The next member has another address.
func (o *peopleOwner) remove(ctx context.Context) error {
	err := o.end(ctx, "remove member", func(ctx context.Context, c *client.Client) error {
		_, err := c.RemoveMember(ctx, client.RemoveMemberRequest{MemberRef: o.ref(), Keys: "keep"})
		return err
	})
	o.member = ""
	return err
}

// end makes a call that ends the session of the member.
func (o *peopleOwner) end(ctx context.Context, kind string, do func(context.Context, *client.Client) error) error {
	s := o.session
	o.session = nil
	err := o.change(ctx, kind, []*gate{s.gates[0]}, do)
	o.targets.markHot(s, s, s)
	o.targets.setRevoked(s, o.random)
	return err
}

// actor is a browser of members: it acts at one node, with the sessions of all members, until
// ctx ends.
type actor struct {
	history *history
	targets *targets
	node    int
	base    string // address of the node's pages
	random  *rand.Rand
	http    *http.Client
	names   int
}

// run sends actions and collects their records until it ends.
func (a *actor) run(ctx context.Context) {
	var sent []use
	defer func() {
		a.http.CloseIdleConnections()
		a.history.addUses(sent)
	}()
	for ctx.Err() == nil {
		if s := a.targets.pick(a.random); s != nil {
			one := use{secret: s, node: a.node, way: byPages, tries: 1}
			one.call = a.history.now()
			one.status = a.act(s)
			one.done = a.history.now()
			sent = append(sent, one)
		}
		sleep(ctx, time.Duration(a.random.Int64N(int64(2*actionPause))))
	}
}

// act renames the key, each time to another name, because an equal name is no change. It
// returns 200 if the page says that the key was renamed, 401 if it asks for a sign-in, and
// otherwise the status; 0 without a response. It does not follow the context of the run, so
// that each action has an outcome.
func (a *actor) act(s *secret) int {
	a.names++
	to := a.base + "/account/keys/" + string(s.key.id) + "/edit"
	r, err := newForm(context.Background(), to, url.Values{"name": {fmt.Sprintf("rig %d %x %d", a.node, a.random.Uint32(), a.names)}})
	if err != nil {
		return 0
	}
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: s.text})
	response, err := a.http.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	switch to := response.Header.Get("Location"); {
	case response.StatusCode == http.StatusUnprocessableEntity: // the role was lost after the page had checked it
		return http.StatusForbidden
	case response.StatusCode != http.StatusSeeOther:
		return response.StatusCode
	case strings.HasPrefix(to, "/signin"):
		return http.StatusUnauthorized
	case strings.HasPrefix(to, "/account/keys/"):
		return http.StatusOK
	default: // a page for a person without an account
		return http.StatusForbidden
	}
}

// sessionCookie is the cookie of a session without TLS.
const sessionCookie = "account_session"

// newForm returns the request of a form.
func newForm(ctx context.Context, to string, form url.Values) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, err
}

// newBrowser returns a client that keeps one connection and follows no redirect.
func newBrowser() *http.Client {
	return &http.Client{
		Timeout: actionTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// loadPeople lets members act at one node until ctx ends.
func (k *cluster) loadPeople(ctx context.Context, h *history, people *targets, at int) {
	var browsers sync.WaitGroup
	for i := range actorsPerNode {
		seed := uint64(5<<32 | at<<8 | i)
		a := &actor{
			history: h, targets: people, node: at, base: k.nodes[at].access.url,
			random: rand.New(rand.NewPCG(k.config.Seed, seed)), http: newBrowser(),
		}
		browsers.Go(func() { a.run(ctx) })
	}
	browsers.Wait()
}

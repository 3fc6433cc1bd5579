package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/changefeed"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/events"
	"github.com/toksta/toksta/internal/export"
	"github.com/toksta/toksta/internal/gateway"
	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/operatorkeys"
	"github.com/toksta/toksta/internal/ratelimit"
	"github.com/toksta/toksta/internal/sharedrate"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/verify"
	"github.com/toksta/toksta/internal/verifyapi"
	"github.com/toksta/toksta/sdk/toksta"
)

// App is a node with all its parts. Run starts it.
type App struct {
	Accounts     *accounts.Service
	Keys         *keys.Service
	OperatorKeys *operatorkeys.Service
	Members      *members.Service
	SignIn       *signin.Service
	Credits      *credits.Service
	Usage        *usage.Reader

	config     config.Config
	configPath string // "" without a file
	version    string
	begun      time.Time // when New was called
	records    *telemetry.Log
	log        *slog.Logger // writes to records
	catalog    *toksta.Catalog

	store        store.Store
	integrity    func(context.Context) error // of the database
	index        *index.Index
	feed         *changefeed.Feed
	operatorUses *operatorkeys.Uses
	meter        *meter.Meter
	engine       *verify.Engine
	shared       *sharedrate.Limiter // nil if each node counts rate limits for itself
	letters      *mail.Letters
	mail         *mail.Sender     // nil without a mail server
	sender       mailer           // mail, or outbox in the demo; nil without both
	mails        *mail.Queue      // sends by sender; nil without one
	outbox       *mail.Outbox     // nil outside of the demo
	export       *export.Exporter // nil without a receiver
	events       *events.Service
	watch        *events.Watch
	notices      *notices.Service

	gate      *gateway.Gateway
	served    handlers
	record    *telemetry.Config // of requests and verified calls
	calls     *verifyapi.Verifier
	embedded  bool
	started   chan struct{} // closed when the node can decide
	slots     slots
	listeners []*listener
	close     func() error // releases everything, once
}

// Options holds the arguments of New beside the configuration.
type Options struct {
	Version    string
	ConfigPath string // of the file that the configuration was read from, for the log; "": none
	Log        *telemetry.Log
	// Embedded means that the node is a part of another program, which serves the public
	// API itself: the node does not bind listen.public, and it does not change settings of
	// the process.
	Embedded bool
	// Demo means that mails are not sent: the last ones are shown at /demo/mail.
	Demo bool
}

// New opens the store and the journal, builds every package's part and binds the
// listeners, so that a wrong configuration fails before the first request. The
// caller must call Run or Close.
func New(ctx context.Context, c config.Config, o Options) (*App, error) {
	a := &App{
		config: c, configPath: o.ConfigPath, version: o.Version, begun: time.Now(),
		records: o.Log, log: o.Log.Logger, catalog: c.Catalog(), embedded: o.Embedded, started: make(chan struct{}),
	}
	if o.Demo {
		a.outbox = new(mail.Outbox)
	}
	a.close = sync.OnceValue(a.release)
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// build makes the parts in the order of the request path and the change path.
func (a *App) build(ctx context.Context) (err error) {
	c := a.config
	db, err := sqlstore.Open(ctx, sqlstore.Config{URL: c.Store.URL, Lease: c.Node.Lease})
	if err != nil {
		return err
	}
	a.store, a.integrity = db, db.Integrity
	a.index = index.New(a.catalog)
	a.feed = changefeed.New(changefeed.Config{
		Store: a.store, Index: a.index, Node: c.Node.Name, Version: a.version, Lease: c.Node.Lease,
		Tombstones: a.path("tombstones"), Log: a.log,
	})
	if err := a.buildOutgoing(ctx); err != nil {
		return err
	}
	balances := credits.NewBalances()
	a.buildNotices()
	a.buildEvents(balances)
	a.meter, err = meter.Open(meter.Config{
		Dir: c.Meter.Dir, Sink: watchedSink{a.store, a.watch, a.notices}, FlushEvery: c.Meter.FlushInterval, Strict: c.Meter.Strict,
		Keep: c.Meter.Keep, Epochs: a.store, Log: a.log,
		Alone: func() bool { return a.Credits.Only() },
	})
	if err != nil {
		return err
	}
	a.Credits = credits.New(credits.Config{
		Log: a.feed, Store: a.store, Catalog: a.catalog, Balances: balances, Meter: a.meter, Index: a.index, Watch: a.watch,
		Interval: c.Meter.FlushInterval, Logger: a.log,
	})
	a.engine = verify.New(verify.Deps{
		Lease: a.feed, Index: a.index, Limiter: a.limiter(), Credits: balances, Meter: a.meter,
	})

	// Only this log checks the roles of members, so every service of the change path uses it.
	verifies := c.Verification() != config.VerifyOff
	log := members.Log{Log: a.feed, RequireVerified: verifies, RequireFactor: c.SignIn.SecondFactor == config.FactorRequired}
	a.Accounts = &accounts.Service{Log: log, Store: a.store, Erasing: a.store, Catalog: a.catalog, Now: time.Now, Unspent: a.Credits.Unspent}
	a.Keys = &keys.Service{Log: log, Store: a.store, Catalog: a.catalog, Now: time.Now}
	a.OperatorKeys = &operatorkeys.Service{Log: log, Store: a.store, Now: time.Now}
	a.Members = &members.Service{
		Log: log, Store: a.store, Sessions: a.store, Now: time.Now, Lifetime: c.Signup.InvitationLifetime, VerifiesAddresses: verifies, Mail: a.invitationMail(),
	}
	a.operatorUses = operatorkeys.NewUses(a.store, a.log)
	passkeys, err := a.passkeys()
	if err != nil {
		return err
	}
	a.SignIn = signin.New(signin.Config{
		Log: log, Trail: a.store, Store: a.store, Sessions: a.store, Tickets: a.store, Factors: a.store, Attempts: a.store, Browsers: a.store, Clock: a.store,
		Product: c.Branding.Product, Catalog: a.catalog, Now: time.Now, Passkeys: passkeys, RequireFactor: log.RequireFactor,
		Policy: signin.Policy(c.Signup.Policy), Plan: c.Signup.Plan, Terms: c.Signup.Consent.Terms(),
		Verification: signin.Verification(c.Verification()), UnverifiedLifetime: c.Signup.UnverifiedLifetime,
		Links: c.SignIn.Links, Recent: c.Sessions.Recent, Lifetime: c.Sessions.Lifetime, Idle: c.Sessions.Idle, Mail: a.signInMail(), Letters: a.letters, PagesURL: a.config.PagesURL,
		Providers: providers(c), PasswordOff: !c.SignIn.Password,
	})
	a.Usage = &usage.Reader{Store: a.store, Catalog: a.catalog, Refresh: a.Credits.Refresh, Balance: balances.Balance, Kept: usage.Retention(c.Usage), Exhausted: a.exhausted}
	return a.listen()
}

// limiter returns a limiter that shares its counts through Redis if one is configured.
func (a *App) limiter() verify.Limiter {
	r := a.config.RateLimit
	if r.Redis == "" {
		return ratelimit.New()
	}
	a.shared = sharedrate.New(sharedrate.Config{URL: r.Redis, Timeout: r.RedisTimeout, Log: a.log})
	return a.shared
}

// pruner returns the task that rolls up and deletes old usage. One node at a time runs it.
func (a *App) pruner() *usage.Pruner {
	return &usage.Pruner{Store: a.store, Retention: a.Usage.Kept, Holder: rand.Text(), Log: a.log}
}

// listen binds every listener that the configuration names.
func (a *App) listen() error {
	a.slots = a.countSlots()
	h, err := a.handlers()
	if err != nil {
		return err
	}
	var secure *tls.Config
	if t := a.config.Listen.TLS; t.Cert != "" {
		cert, err := loadCertificate(t, a.log)
		if err != nil {
			return err
		}
		secure = cert.config()
	}
	bind := func(name string, h http.Handler, open func(address string) (net.Listener, error), address string) error {
		l, err := open(address)
		if err == nil {
			a.listeners = append(a.listeners, a.listener(name, l, h))
		}
		return err
	}
	a.served = h
	if !a.embedded {
		if err := bind("public", h.public, listenTCP, a.config.Listen.Public); err != nil {
			return err
		}
	}
	if a.config.Listen.Pages != "" {
		if err := bind("pages", h.pages, listenTCP, a.config.Listen.Pages); err != nil {
			return err
		}
	}
	for _, l := range a.listeners {
		l.net = readPROXY(l.clients, a.config.Listen.ProxyProtocol, a.config.Gateway.ReadHeaderTimeout)
		if secure != nil {
			l.net = tls.NewListener(l.net, secure)
		}
	}
	if a.config.Listen.ForwardAuth != "" {
		if err := a.listenProxies(h.proxies, secure); err != nil {
			return err
		}
	}
	if address := a.config.Debug.Listen; address != "" {
		if err := bind(debugging, profiles(), listenDebug, address); err != nil {
			return err
		}
	}
	if a.config.Listen.Operator.Address != "" {
		l, err := a.listenOperators(h.operators)
		if err != nil {
			return err
		}
		a.listeners = append(a.listeners, l)
	}
	return bind(private, h.private, listenSocket, a.config.Listen.Private)
}

// AddUsage writes totals of usage to the store, like the meter of another node. The demo
// uses it for the usage before its first start.
func (a *App) AddUsage(ctx context.Context, b store.UsageBatch) error { return a.store.Flush(ctx, b) }

// Addr returns the address that a listener is bound to, "" for an unknown
// name: "public", "pages", "forward_auth", "operator" or "private".
func (a *App) Addr(name string) string {
	for _, l := range a.listeners {
		if l.name == name {
			return l.net.Addr().String()
		}
	}
	return ""
}

// Run follows the change log, flushes usage and serves requests until ctx ends. Then
// it stops in an order that loses nothing: it finishes the requests in flight, leaves
// the cluster, flushes the last totals and closes the store. The log is written until
// the end.
func (a *App) Run(ctx context.Context) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	logged := make(chan error, 1)
	go func() { logged <- a.records.Run(writing) }()
	err := a.run(ctx)
	a.logEnd(err)
	stop()
	return errors.Join(err, <-logged)
}

// run starts the background tasks and serves requests until ctx ends or a task fails.
// Then it stops the tasks and closes the node.
func (a *App) run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	tasks, failed := errgroup.WithContext(background)
	tasks.Go(func() error { return a.feed.Run(failed) })
	tasks.Go(func() error { return a.meter.Run(failed) })
	tasks.Go(func() error { return a.SignIn.Run(failed) })
	if a.mails != nil {
		tasks.Go(func() error { return a.mails.Run(failed) })
	}
	tasks.Go(func() error { return a.operatorUses.Run(failed) })
	if a.export != nil {
		tasks.Go(func() error { return a.export.Run(failed) })
	}
	tasks.Go(func() error { return a.Credits.Run(failed) })
	tasks.Go(func() error { return a.pruner().Run(failed) })
	tasks.Go(func() error { return a.watch.Run(failed) })
	tasks.Go(func() error { return a.events.Run(failed) })
	tasks.Go(func() error { return a.notices.Run(failed) })

	served := a.serve(ctx, failed)
	stop()
	return errors.Join(served, tasks.Wait(), a.Close())
}

// serve serves requests until ctx ends or a background task fails, which cancels the
// context failed. It starts once the index and the balances are loaded.
func (a *App) serve(ctx, failed context.Context) error {
	select {
	case <-a.feed.Ready():
	case <-ctx.Done():
		return nil
	case <-failed.Done():
		return nil
	}
	switch err := a.Credits.Load(ctx); {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	if !a.embedded {
		freeMemory()
	}
	a.logStart()
	defer context.AfterFunc(ctx, a.logStop)()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(failed, cancel)
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range a.listeners {
		group.Go(func() error { return l.serve(ctx, a.config.Gateway.ShutdownGrace) })
		a.log.Info("listening", "listener", l.name, "address", l.net.Addr().String())
	}
	close(a.started)
	return group.Wait()
}

// Close releases the resources that New opened. Run calls it at its end. Further calls
// only return the result of the first one.
func (a *App) Close() error { return a.close() }

func (a *App) release() error {
	var errs []error
	for _, l := range a.listeners {
		if err := l.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.meter != nil {
		errs = append(errs, a.meter.Close())
	}
	if a.shared != nil {
		errs = append(errs, a.shared.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

package rig_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/rig"
)

// control is the product with one rule of its protocol switched off, by a text
// replacement at build time.
type control struct {
	rule   string
	edits  []edit
	faults []string
	breaks string // the kind of violation that must be found
}

type edit struct{ file, old, new string }

var controls = []control{
	{
		rule: "the lease starts with the response",
		edits: []edit{{
			"internal/changefeed/follow.go", "f.lease.Store(newLease(from, f.leaseLen))",
			"_ = from\n\tf.lease.Store(newLease(f.clock.At(time.Now()), f.leaseLen))",
		}},
		faults: []string{"late answer"}, breaks: rig.LateAdmission,
	},
	{
		rule:   "the lease never ends",
		edits:  []edit{{"internal/changefeed/lease.go", "return age < l.lasts && ", "return "}},
		faults: []string{"cut both ways"}, breaks: rig.AdmittedWithoutLease,
	},
	{
		rule: "the clock stops with the process",
		edits: []edit{
			{
				"internal/changefeed/lease.go", "return Moment{Steady: now.Sub(c.base), Wall: now.UnixNano()}",
				"_ = now\n\tticking.Do(func() {\n\t\tgo func() {\n\t\t\tfor range time.Tick(5 * time.Millisecond) {\n\t\t\t\tticked.Add(int64(5 * time.Millisecond))\n\t\t\t}\n\t\t}()\n\t})\n" +
					"\treturn Moment{Steady: time.Duration(ticked.Load()), Wall: ticked.Load()}",
			},
			{
				"internal/changefeed/lease.go", "import \"time\"",
				"import (\n\t\"sync\"\n\t\"sync/atomic\"\n\t\"time\"\n)\n\nvar (\n\tticking sync.Once\n\tticked  atomic.Int64\n)",
			},
		},
		faults: []string{"pause 3L"}, breaks: rig.LateAdmission,
	},
	{
		rule: "the nodes are listed before the commit",
		edits: []edit{
			{
				"internal/changefeed/commit.go", "change, err := f.commit(ctx, by, func(",
				"early, _ := f.store.ListNodes(ctx)\n\tfor range 10 {\n\t\t_ = pause(ctx, 100)\n\t}\n\tchange, err := f.commit(ctx, by, func(",
			},
			{"internal/changefeed/commit.go", "w := newWait(f, change)", "w := newWait(f, change)\n\tw.early = early"},
			{"internal/changefeed/wait.go", "\treceipt toksta.Receipt\n", "\treceipt toksta.Receipt\n\tearly []store.Node\n"},
			{"internal/changefeed/wait.go", "nodes, err := w.feed.store.ListNodes(ctx)\n\tif err != nil {\n\t\treturn fmt", "nodes, err := w.early, error(nil)\n\tif err != nil {\n\t\treturn fmt"},
		},
		faults: []string{"rejoin"}, breaks: rig.LateAdmission,
	},
	{
		rule: "numbers do not follow the order of commits",
		edits: []edit{
			{
				"internal/store/sqlstore/commit.go", "tx.QueueRow(ctx, []any{&change.Seq, timeColumn{&change.At}, &notified},",
				"s.writer.QueryRowContext(ctx,",
			},
			{"internal/store/sqlstore/commit.go", "`+s.notify)\n", "`+s.notify).Scan(&change.Seq, timeColumn{&change.At}, &notified)\n"},
		},
		faults: []string{"slow link"}, breaks: rig.LateAdmission,
	},
	{
		rule:   "an acknowledgement counts for every process of its name",
		edits:  []edit{{"internal/changefeed/wait.go", "seen.ID == n.ID && seen.Epoch == n.Epoch &&", "seen.ID == n.ID &&"}},
		faults: []string{"twin"}, breaks: rig.LateAdmission,
	},
	{
		rule:   "nodes are notified and not waited for",
		edits:  []edit{{"internal/changefeed/wait.go", "w.pending = slices.DeleteFunc(slices.Clone(nodes), w.isSelf)", "w.pending = slices.DeleteFunc(slices.Clone(nodes), func(store.Node) bool { return true })"}},
		faults: []string{"slow link", "cut both ways"}, breaks: rig.LateAdmission,
	},
	{
		rule:   "a silent node is fenced at once",
		edits:  []edit{{"internal/changefeed/wait.go", "case listed >= fenceAfter(n.Lease):", "case listed >= 0:"}},
		faults: []string{"cut both ways"}, breaks: rig.LateAdmission,
	},
	{
		rule: "the role of a member is cached for a second",
		edits: []edit{
			{
				"internal/store/sqlstore/memberships.go", "\terr = r.q.QueryRowContext(ctx, read, account, member).Scan(&role)\n",
				"\ttype kept struct{ role toksta.MemberRole; at time.Time }\n\tif k, ok := roles.Load(member); ok && time.Since(k.(kept).at) < time.Second {\n\t\treturn k.(kept).role, nil\n\t}\n" +
					"\terr = r.q.QueryRowContext(ctx, read, account, member).Scan(&role)\n\tif err == nil {\n\t\troles.Store(member, kept{role, time.Now()})\n\t}\n",
			},
			{"internal/store/sqlstore/memberships.go", "\t\"fmt\"\n", "\t\"fmt\"\n\t\"sync\"\n\t\"time\"\n"},
			{"internal/store/sqlstore/memberships.go", "// membershipColumns lists", "var roles sync.Map\n\n// membershipColumns lists"},
		},
		faults: []string{"slow link"}, breaks: rig.LateAdmission,
	},
	{
		rule: "grants are cached for a second",
		edits: []edit{
			{"internal/index/index.go", "\taccounts accounts\n", "\taccounts accounts\n\tcache sync.Map\n"},
			{
				"internal/index/index.go", "\t_, e := x.find(&d, x.hash(&d), x.digests.Load())\n\tif e == nil {\n\t\treturn toksta.Grant{}, nil, false\n\t}\n\tt := e.term.Load()\n",
				"\t_, e := x.find(&d, x.hash(&d), x.digests.Load())\n\tif e == nil {\n\t\treturn toksta.Grant{}, nil, false\n\t}\n\tt := e.term.Load()\n" +
					"\ttype kept struct{ t *term; at time.Time }\n\tif k, ok := x.cache.Load(d); ok && time.Since(k.(kept).at) < time.Second {\n\t\tt = k.(kept).t\n\t} else {\n\t\tx.cache.Store(d, kept{t, time.Now()})\n\t}\n",
			},
			{"internal/index/index.go", "\t\"sync/atomic\"\n", "\t\"sync/atomic\"\n\t\"time\"\n"},
		},
		faults: []string{"pause L/2"}, breaks: rig.LateAdmission,
	},
}

// edited returns the edited files by path. The replaced text must exist, because a
// control of a changed rule would prove nothing.
func edited(t *testing.T, root string, edits []edit) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, e := range edits {
		path := filepath.Join(root, e.file)
		if texts[path] == "" {
			own, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(own)
		}
		if strings.Count(texts[path], e.old) != 1 {
			t.Fatalf("%s does not contain %q exactly once: update the control", e.file, e.old)
		}
		texts[path] = strings.Replace(texts[path], e.old, e.new, 1)
	}
	return texts
}

// module returns the root directory of the module.
func module(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// build builds the program with edits applied.
func build(t *testing.T, edits ...edit) string {
	t.Helper()
	root, dir := module(t), t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range edited(t, root, edits) {
		overlay.Replace[path] = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(overlay.Replace[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "toksta")
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./cmd/toksta")
	cmd.Dir, cmd.Env = root, append(cmd.Environ(), "CGO_ENABLED=0") // as the released program; the race detector needs cgo
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return program
}

// attempts limits the runs of a control. A violation shows only if a fault and a
// call coincide.
const attempts = 10

// Guarantee: the rig detects a violation when any rule of the protocol is switched
// off.
//
// Unless TOKSTA_SOAK is five minutes or more, the test only checks that the replaced
// text of each rule exists.
func TestSoakControls(t *testing.T) {
	if soak(t) < 5*time.Minute {
		for _, c := range controls {
			edited(t, module(t), c.edits)
		}
		return
	}
	postgres(t)
	table := []string{fmt.Sprintf("%-48s %6s %8s %6s %6s", "switched off", "run s", "uses", "late", "lease")}
	defer func() { t.Log("\n" + strings.Join(table, "\n")) }()
	for _, c := range controls {
		t.Run(strings.ReplaceAll(c.rule, " ", "-"), func(t *testing.T) {
			program := build(t, c.edits...)
			for range attempts {
				conf := short(program)
				conf.Span, conf.Faults, conf.Uses = 8*time.Second, c.faults, 1200
				r, err := rig.Run(t.Context(), conf)
				if err != nil {
					t.Fatal(err)
				}
				if r.Broken(c.breaks) == 0 {
					t.Logf("seed %d: no violation", r.Seed)
					continue
				}
				table = append(table, fmt.Sprintf("%-48s %6.1f %8d %6d %6d", c.rule, r.Span.Seconds(), r.Uses,
					r.Broken(rig.LateAdmission), r.Broken(rig.AdmittedWithoutLease)))
				return
			}
			t.Errorf("no violation of %q in %d runs", c.breaks, attempts)
		})
	}
}

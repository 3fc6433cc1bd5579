package telemetry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Values of the records in the tests. The time has nanoseconds.
const (
	testStart    = 1_700_000_000_123_456_789
	testDuration = 1234567 * time.Nanosecond
)

// fullExchange returns an exchange with every field of the record.
func fullExchange() *exchange.Exchange {
	return &exchange.Exchange{
		Meta:  httpauth.Meta{RequestID: "req_01", TraceID: "4bf92f3577b34da6", Cost: 3},
		Start: time.Unix(0, testStart), Method: "GET", Path: "/v1/creators/7", Address: netip.MustParseAddr("192.0.2.7"),
		Operation: "getCreator", Family: "creators", Principal: toksta.Principal{AccountID: "acc_01", KeyID: "key_01"},
		Status: 200, Bytes: 1234, Duration: testDuration,
	}
}

// rejectedExchange returns the exchange of a call that this system rejected.
func rejectedExchange() *exchange.Exchange {
	x := fullExchange()
	x.Cost, x.Status, x.Fingerprint = 0, 403, [8]byte{1, 2, 255}
	x.Fail(&toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree})
	return x
}

// slogAttrs returns the fields of a record as releases before zerolog passed them
// to slog. It is the reference for names, order and values.
func slogAttrs(x *exchange.Exchange) (attrs []slog.Attr) {
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text("request_id", x.RequestID)
	text("trace_id", x.TraceID)
	text("method", x.Method)
	text("path", x.Path)
	text("route", x.Operation)
	text("family", string(x.Family))
	text("account", string(x.Principal.AccountID))
	text("key_id", string(x.Principal.KeyID))
	text("member", string(x.Member))
	text("operator_key", string(x.Operator))
	if x.Fingerprint != [8]byte{} {
		text("key_fingerprint", hex.EncodeToString(x.Fingerprint[:]))
	}
	if x.Address.IsValid() {
		text("address", x.Address.String())
	}
	text("outcome", string(x.Result()))
	text("code", string(x.Code))
	text("reason", string(x.Reason))
	if x.Err != nil {
		text("error", x.Err.Error())
	}
	attrs = append(attrs, slog.Int("status", x.Status), slog.Float64("duration_ms", float64(x.Duration.Microseconds())/1000), slog.Int64("bytes", x.Bytes))
	if x.Cost > 0 {
		attrs = append(attrs, slog.Int64("credits", x.Cost))
	}
	return attrs
}

// slogRecord writes the record of x as releases before zerolog did.
func slogRecord(h slog.Handler, x *exchange.Exchange) {
	level := slog.LevelInfo
	if isFailure(x) {
		level = slog.LevelError
	}
	r := slog.NewRecord(x.Start.Add(x.Duration), level, "request", 0)
	r.AddAttrs(slogAttrs(x)...)
	_ = h.Handle(context.Background(), r)
}

// jsonFields returns the names and values of one JSON object in their order.
func jsonFields(t *testing.T, line []byte) (fields []any) {
	t.Helper()
	if bytes.Count(line, []byte("\n")) != 1 || !json.Valid(line) {
		t.Fatalf("%q is not one line of JSON", line)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err == io.EOF {
			return fields
		}
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		fields = append(fields, token)
	}
}

// exchanges returns exchanges with each optional field missing, with values of each
// kind, and with odd strings in each text field.
func exchanges() map[string]*exchange.Exchange {
	out := map[string]*exchange.Exchange{"all": fullExchange(), "none": {Start: time.Unix(1, 0), Status: 404}, "rejected": rejectedExchange()}
	for name, odd := range map[string]string{
		"quotes": `a "b" \ c`, "controls": "a\x00b\x1f\x7f\b\f\n\r\t", "lines": "a\u2028b\u2029", "html": "<a href='x'>&amp;</a>",
		"invalid UTF-8": "a\xff\xc0\xafb\xed\xa0\x80", "unicode": "é 漢 \U0001F511 \ufffd \ufeff", "forged": "x\"}\n{\"msg\":\"request\"", "long": strings.Repeat("ab\n", 1<<10),
	} {
		x := fullExchange()
		x.RequestID, x.TraceID, x.Method, x.Path, x.Operation, x.Family = odd, odd, odd, odd, odd, toksta.Family(odd)
		x.Principal, x.Member = toksta.Principal{AccountID: toksta.AccountID(odd), KeyID: toksta.KeyID(odd)}, toksta.MemberID(odd)
		x.Operator = toksta.OperatorKeyID(odd)
		x.Outcome, x.Code, x.Reason, x.Err = exchange.Outcome(odd), toksta.Code(odd), toksta.Reason(odd), errors.New(odd)
		out[name] = x
	}
	for name, d := range map[string]time.Duration{"no time": 0, "1 µs": time.Microsecond, "a day": 24*time.Hour + time.Nanosecond, "stepped clock": -1500 * time.Microsecond} {
		x := fullExchange()
		x.Duration, x.Bytes, x.Cost = d, 1<<62, -1
		out[name] = x
	}
	for _, address := range []string{"::1", "::ffff:192.0.2.7", "fe80::1%eth0", "2001:db8::" + "abcd:ef01:2345:6789", `fe80::1%` + strings.Repeat(`"`, 80)} {
		x := fullExchange()
		x.Address = netip.MustParseAddr(address)
		out[address] = x
	}
	return out
}

// Guarantee: an operator's searches and dashboards find the same fields in the same
// order, whatever the request contained, and no value forges a field or a line.
func TestRecordFieldsStay(t *testing.T) {
	t.Parallel()
	for name, x := range exchanges() {
		var before, after bytes.Buffer
		slogRecord(LogConfig{}.handler(&before), x)
		NewLog(LogConfig{Out: &after}).request(x)
		if diff := cmp.Diff(jsonFields(t, before.Bytes()), jsonFields(t, after.Bytes())); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
		before.Reset()
		after.Reset()
		slogRecord(LogConfig{Text: true}.handler(&before), x)
		NewLog(LogConfig{Out: &after, Text: true}).request(x)
		if diff := cmp.Diff(before.String(), after.String()); diff != "" {
			t.Errorf("%s as text (-before +after):\n%s", name, diff)
		}
	}
}

// Guarantee: a record costs no memory to collect, and a record below the level costs
// nothing.
func TestRecordAllocatesNothing(t *testing.T) {
	for name, x := range map[string]*exchange.Exchange{"call": fullExchange(), "rejection": rejectedExchange()} {
		for level, lines := range map[slog.Level]bool{slog.LevelInfo: true, slog.LevelWarn: false} {
			out := &countingWriter{}
			log := NewLog(LogConfig{Out: out, Level: level, RejectedPerSecond: 1 << 30})
			if n := testing.AllocsPerRun(1000, func() { log.request(x) }); n != 0 {
				t.Errorf("%s: %v allocations for a record at level %v", name, n, level)
			}
			if wrote := out.lines > 0; wrote != lines {
				t.Errorf("%s: %d records at level %v", name, out.lines, level)
			}
		}
	}
}

// countingWriter counts the lines written to it.
type countingWriter struct{ lines int }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// Guarantee: under a flood, the configured number of records of rejected requests is
// written in each second and the others are counted. All other records are written.
func TestSampleRejected(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLog(LogConfig{Out: &out, Buffer: 1 << 20, RejectedPerSecond: 2})
	for second := range 3 {
		for range 10 {
			x := rejectedExchange()
			x.Start = time.Unix(int64(second), 0)
			log.request(x)
			log.request(fullExchange())
		}
	}
	upstream := fullExchange()
	upstream.Status = 404 // the upstream's own
	log.request(upstream)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := log.Run(ctx); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for line := range bytes.Lines(out.Bytes()) {
		var l struct {
			Outcome string
			Skipped int
			Total   int `json:"skipped_in_total"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		got[l.Outcome]++
		got["skipped"] += l.Skipped
		got["total"] = max(got["total"], l.Total)
	}
	if diff := cmp.Diff(map[string]int{"refused": 2*3 + 1, "answered": 30, "": 3, "skipped": 24, "total": 24}, got); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkRecord compares a record with the same record through slog, in the same
// run. Both write to a pipe that a goroutine reads.
func BenchmarkRecord(b *testing.B) {
	for name, x := range map[string]*exchange.Exchange{"call": fullExchange(), "rejection": rejectedExchange()} {
		b.Run(name+"/slog", func(b *testing.B) {
			b.ReportAllocs()
			h := LogConfig{}.handler(drainedPipe(b))
			for b.Loop() {
				slogRecord(h, x)
			}
		})
		b.Run(name+"/zerolog", func(b *testing.B) {
			b.ReportAllocs()
			log := NewLog(LogConfig{Out: drainedPipe(b), Buffer: 1 << 30}) // drops nothing
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- log.Run(ctx) }()
			for b.Loop() {
				log.request(x)
			}
			stop()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}

// drainedPipe returns a pipe whose other end is read until the benchmark ends.
func drainedPipe(b *testing.B) io.Writer {
	b.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { write.Close() })
	go func() {
		_, _ = io.Copy(io.Discard, read)
		read.Close()
	}()
	return write
}

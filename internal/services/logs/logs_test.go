package logs

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func setup(t *testing.T) (context.Context, *Logs, *clock.Fake) {
	t.Helper()
	c := clock.NewFake(start)
	s := mem.New()
	seed := [32]byte{1}
	svc, l := New(service.Deps{Store: s, Clock: c, Random: rand.NewChaCha8(seed), Log: slog.New(slog.DiscardHandler)}, Options{})
	if err := svc.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"}), l, c
}

func makeStream(t *testing.T, ctx context.Context, l *Logs, group, stream string) {
	t.Helper()
	if _, err := l.createLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: group}); err != nil && service.Code(err) != "ResourceAlreadyExistsException" {
		t.Fatal(err)
	}
	if _, err := l.createLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, ctx context.Context, l *Logs, stream string, messages ...string) {
	t.Helper()
	var batch []api.InputLogEvent
	for i, m := range messages {
		batch = append(batch, api.InputLogEvent{Timestamp: start.UnixMilli() + int64(i), Message: m})
	}
	out, err := l.putLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: "g", LogStreamName: stream, LogEvents: batch})
	if err != nil || out.RejectedLogEventsInfo != nil {
		t.Fatalf("PutLogEvents: %v, rejected %+v", err, out)
	}
}

func TestFollowingByFilterMissesAndDoublesNothing(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "a")
	makeStream(t, ctx, l, "g", "b")
	put(t, ctx, l, "a", "1", "2", "3", "4", "5")
	put(t, ctx, l, "b", "1", "2", "3", "4", "5")
	var got []string
	var next *string
	ids := map[string]bool{} // events of two streams at the same time are two
	for {
		out, err := l.filterLogEvents(ctx, &api.FilterLogEventsInput{LogGroupName: ptr("g"), Limit: ptr(int32(3)), NextToken: next})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			if ids[*e.EventId] {
				t.Errorf("%s of %s has the id of another event, %s", *e.Message, *e.LogStreamName, *e.EventId)
			}
			ids[*e.EventId] = true
			got = append(got, *e.LogStreamName+*e.Message)
		}
		if next = out.NextToken; next == nil {
			break
		}
	}
	if want := "a1 b1 a2 b2 a3 b3 a4 b4 a5 b5"; strings.Join(got, " ") != want {
		t.Errorf("pages hold %v, want %s", got, want)
	}
}

func TestTokensOfAStreamWalkBothWays(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	put(t, ctx, l, "s", "1", "2", "3", "4", "5")
	read := func(token *string, head bool) (string, *api.GetLogEventsOutput) {
		out, err := l.getLogEvents(ctx, &api.GetLogEventsInput{LogGroupName: ptr("g"), LogStreamName: "s", Limit: ptr(int32(2)), NextToken: token, StartFromHead: &head})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, e := range out.Events {
			b.WriteString(*e.Message)
		}
		return b.String(), out
	}
	last, out := read(nil, false)
	before, _ := read(out.NextBackwardToken, false)
	after, end := read(out.NextForwardToken, false)
	if last != "45" || before != "23" || after != "" || *end.NextForwardToken != *out.NextForwardToken {
		t.Errorf("last %q, before %q, after %q", last, before, after)
	}
	first, out := read(nil, true)
	second, out := read(out.NextForwardToken, true)
	third, _ := read(out.NextForwardToken, true)
	if first+" "+second+" "+third != "12 34 5" {
		t.Errorf("forward pages %q %q %q, want 12 34 5", first, second, third)
	}
}

func TestRefusedBatches(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	now := start.UnixMilli()
	for name, batch := range map[string][]api.InputLogEvent{
		"order": {{Timestamp: now, Message: "x"}, {Timestamp: now - 1, Message: "y"}},
		"empty": {{Timestamp: now, Message: ""}},
		"span":  {{Timestamp: now - 25*time.Hour.Milliseconds(), Message: "x"}, {Timestamp: now, Message: "y"}},
		"large": {{Timestamp: now, Message: strings.Repeat("x", maxEventBytes)}},
	} {
		if _, err := l.putLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: "g", LogStreamName: "s", LogEvents: batch}); service.Code(err) != "InvalidParameterException" {
			t.Errorf("%s: %v, want InvalidParameterException", name, err)
		}
	}
	out, err := l.putLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: "g", LogStreamName: "s", LogEvents: []api.InputLogEvent{
		{Timestamp: now - 15*24*time.Hour.Milliseconds(), Message: "old"},
	}})
	if err != nil || out.RejectedLogEventsInfo == nil || *out.RejectedLogEventsInfo.TooOldLogEventEndIndex != 1 {
		t.Errorf("too old event: %v %+v", err, out)
	}
	if _, err := l.putLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: "none", LogStreamName: "s", LogEvents: []api.InputLogEvent{{Timestamp: now, Message: "x"}}}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("missing group: %v", err)
	}
}

func TestRetentionRemovesOldEventsWhenTheClockMoves(t *testing.T) {
	ctx, l, c := setup(t)
	makeStream(t, ctx, l, "g", "s")
	put(t, ctx, l, "s", "old")
	if _, err := l.putRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: "g", RetentionInDays: 1}); err != nil {
		t.Fatal(err)
	}
	var payload []byte
	if err := l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, scopeOf(ctx), "g")
		payload = expirePayload(scopeOf(ctx), &g)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c.Advance(25 * time.Hour)
	if err := l.expire(ctx, events.Job{Payload: payload}); err != nil {
		t.Fatal(err)
	}
	out, err := l.filterLogEvents(ctx, &api.FilterLogEventsInput{LogGroupName: ptr("g")})
	if err != nil || len(out.Events) != 0 {
		t.Errorf("events after their retention: %v (%v)", out, err)
	}
	page, err := l.getLogEvents(ctx, &api.GetLogEventsInput{LogGroupName: ptr("g"), LogStreamName: "s"})
	if err != nil || len(page.Events) != 0 {
		t.Errorf("stream after its retention: %v (%v)", page, err)
	}
}

func TestSinkKeepsEveryLineInOrder(t *testing.T) {
	ctx, l, _ := setup(t)
	var want bytes.Buffer
	for i := range 500 {
		line := fmt.Sprintf("line %03d", i)
		want.WriteString(line + "\n")
		if err := l.PutLog(ctx, "000000000000", "us-east-1", "/aws/lambda/f", "s", []port.LogLine{{Time: start, Message: line}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	out, err := l.getLogEvents(ctx, &api.GetLogEventsInput{LogGroupName: ptr("/aws/lambda/f"), LogStreamName: "s", StartFromHead: ptr(true)})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, e := range out.Events {
		got.WriteString(*e.Message + "\n")
	}
	if got.String() != want.String() {
		t.Errorf("stream holds %d lines, want 500 in order", len(out.Events))
	}
}

func TestFilterPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"ERROR", "an ERROR here", true},
		{"ERROR", "an error here", false},
		{"ERROR disk", "disk ERROR", true},
		{"ERROR disk", "ERROR", false},
		{`"full disk"`, "a full disk", true},
		{`"full disk"`, "disk full", false},
		{"?A ?B", "xBx", true},
		{"?A ?B", "xCx", false},
		{"ERROR -retry", "ERROR retry", false},
		{"-retry", "fine", true},
		{`%err(or)?s?%`, "two errs", true},
		{`%^err$%`, "two errs", false},

		{`{ $.level = "ERROR" }`, `{"level": "ERROR"}`, true},
		{`{ $.level = ERR* }`, `{"level": "ERROR"}`, true},
		{`{ $.level != "ERROR" }`, `{"level": "INFO"}`, true},
		{`{ $.level != "ERROR" }`, `{"other": "INFO"}`, false},
		{`{ $.level = "ERROR" }`, `no JSON`, false},
		{`{ $.level = "ERROR" }`, `{"level": "ERROR"} and more`, false},
		{`{ $.size > 100 && $.size <= 1e3 }`, `{"size": 1000}`, true},
		{`{ $.size > 100 && $.size <= 1e3 }`, `{"size": 100}`, false},
		{`{ $.size = 5 }`, `{"size": 5.0}`, true},
		{`{ ($.a = 1 || $.b = 2) && $.c IS TRUE }`, `{"b": 2, "c": true}`, true},
		{`{ ($.a = 1 || $.b = 2) && $.c IS TRUE }`, `{"b": 2, "c": false}`, false},
		{`{ $.a IS NULL }`, `{"a": null}`, true},
		{`{ $.a IS NULL }`, `{}`, false},
		{`{ $.a NOT EXISTS }`, `{}`, true},
		{`{ $.a NOT EXISTS }`, `{"a": null}`, false},
		{`{ $.list[1].name = "x" }`, `{"list": [{}, {"name": "x"}]}`, true},
		{`{ $.list[2].name = "x" }`, `{"list": [{}, {"name": "x"}]}`, false},
		{`{ $["a b"].c = "x" }`, `{"a b": {"c": "x"}}`, true},
		{`{ $.source = %10\.\d+% }`, `{"source": "10.22"}`, true},
		{`{ $.a = "1" }`, `{"a": {"1": 1}}`, false},

		{`[ip, user, when, request = "GET *", status = 4*, size > 1000]`, `127.0.0.1 ann [10/Oct/2026 13:55] "GET /a" 404 1534`, true},
		{`[ip, user, when, request = "GET *", status = 4*, size > 1000]`, `127.0.0.1 ann [10/Oct/2026 13:55] "PUT /a" 404 1534`, false},
		{`[ip, user, when, request, status = 4*, size > 1000]`, `127.0.0.1 ann [10/Oct/2026 13:55] "GET /a" 404 900`, false},
		{`[..., status = 4* || status = 5*, size]`, `a b c 503 1`, true},
		{`[first = a, ..., size = 1]`, `a 1`, true},
		{`[first = a, ..., size = 1]`, `a b c 2`, false},
		{`[a, b]`, `one`, false},
		{`[a, b != x]`, `one y`, true},
	} {
		match, err := compilePattern(&c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range []string{c.message, c.message + "\n"} {
			if got := match(message); got != c.want {
				t.Errorf("pattern %q on %q = %v, want %v", c.pattern, message, got, c.want)
			}
		}
	}
	for _, bad := range []string{
		"{ $.level }", "{ level = 1 }", "{ $.level = 1", "{ $.level > x }", "{ $. = 1 }", "{ $.a[x] = 1 }", "{ ($.a = 1 }", "{ $.a IS 1 }", "{ $.a = %(% }", "{ $.a = %x }",
		"{ " + strings.Repeat("(", 40) + "$.a = 1" + strings.Repeat(")", 40) + " }", "[a, b", "[a ?]", "[..., ...]", `"open`, "?", "%open",
	} {
		if _, err := compilePattern(&bad); service.Code(err) != "InvalidParameterException" {
			t.Errorf("pattern %q: %v, want a refusal", bad, err)
		}
	}
}

func FuzzFilterPattern(f *testing.F) {
	f.Add(`?a -b "c \" d`, "message")
	f.Add(`{ ($.a["b"][1] = "x*" || $.c > 1) && $.d NOT EXISTS }`, `{"a": {"b": [0, "xy"]}}`)
	f.Add(`[a = %x%, ..., b != 1]`, `x "y z" [1]`)
	f.Fuzz(func(t *testing.T, pattern, message string) {
		match, err := compilePattern(&pattern)
		if err == nil {
			match(message)
		} else if service.Code(err) != "InvalidParameterException" {
			t.Errorf("pattern %q: %v", pattern, err)
		}
	})
}

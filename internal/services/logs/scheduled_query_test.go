package logs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	eventsapi "lambent.dev/lambent/internal/awsapi/events"
	api "lambent.dev/lambent/internal/awsapi/logs"
	s3api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/mem"
)

// office is a door behind which are the queries of a service, a bucket and a bus.
type office struct {
	logs *Logs

	mu      sync.Mutex       // guards the fields below
	refused map[string]error // by operation
	objects map[string]string
	as      map[string]string // who called an operation last
	events  chan eventsapi.PutEventsRequestEntry
}

func (d *office) Allow(context.Context, service.Target) error { return nil }

func (d *office) Call(ctx context.Context, _, operation string, in any) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refused[operation]; err != nil {
		return nil, err
	}
	d.as[operation] = service.RequestFrom(ctx).Principal.ARN
	switch in := in.(type) {
	case *api.StartQueryInput:
		return d.logs.startQuery(ctx, in)
	case *s3api.PutObjectInput:
		b, err := io.ReadAll(in.Body)
		d.objects["s3://"+in.Bucket+"/"+in.Key] = string(b)
		return &s3api.PutObjectOutput{}, err
	case *eventsapi.PutEventsInput:
		d.events <- in.Entries[0]
		return &eventsapi.PutEventsOutput{}, nil
	}
	return nil, errors.New("unexpected call of " + operation)
}

// ended waits for the event that a run has ended, and returns its detail.
func (d *office) ended(t *testing.T) completed {
	t.Helper()
	select {
	case e := <-d.events:
		var c completed
		if err := json.Unmarshal([]byte(*e.Detail), &c); err != nil || *e.Source != "aws.logs" || *e.DetailType != "Scheduled Query Completed" {
			t.Fatalf("event %+v: %v", e, err)
		}
		return c
	case <-time.After(30 * time.Second):
		t.Fatal("no run has ended")
		return completed{}
	}
}

// scheduling returns the service with its jobs running, and the clock by which they run.
func scheduling(t *testing.T) (context.Context, *Logs, *office, *clock.Fake) {
	t.Helper()
	door := &office{refused: map[string]error{}, objects: map[string]string{}, as: map[string]string{}, events: make(chan eventsapi.PutEventsRequestEntry, 64)}
	st, c := mem.New(), clock.NewFake(start)
	deps := service.Deps{Store: st, Clock: c, Random: rand.NewChaCha8([32]byte{3}), Log: slog.New(slog.DiscardHandler), Door: door}
	svc, l := New(deps, Options{Roles: passable{}, Sender: deliver.New(deps, passable{})})
	door.logs = l
	jobs := events.New(st, c, deps.Log)
	for _, k := range svc.Jobs {
		if err := jobs.Register(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(svc.Start(t.Context()), jobs.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(svc.Close(context.Background()), jobs.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"}), l, door, c
}

func everyFive() *api.CreateScheduledQueryInput {
	return &api.CreateScheduledQueryInput{
		Name: "errors", QueryLanguage: "CWLI", QueryString: "filter @message like /ERROR/ | stats count(*) as n", LogGroupIdentifiers: []string{"g"},
		ScheduleExpression: "cron(0/5 * * * ? *)", ExecutionRoleArn: roleARN, Tags: map[string]string{"team": "a"},
		DestinationConfiguration: &api.DestinationConfiguration{S3Configuration: &api.S3Configuration{DestinationIdentifier: "s3://results/errors/", RoleArn: roleARN + "-put"}},
	}
}

func historyOf(t *testing.T, ctx context.Context, l *Logs, more ...func(in *api.GetScheduledQueryHistoryInput)) *api.GetScheduledQueryHistoryOutput {
	t.Helper()
	in := &api.GetScheduledQueryHistoryInput{Identifier: "errors", StartTime: start.Unix(), EndTime: start.Add(24 * time.Hour).UnixMilli()}
	for _, f := range more {
		f(in)
	}
	out, err := l.getScheduledQueryHistory(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestScheduledQueriesRunAndHandTheirResultOn(t *testing.T) {
	ctx, l, door, c := scheduling(t)
	makeStream(t, ctx, l, "g", "s")
	putAt(t, ctx, l, "g", -1, "ERROR before")
	putAt(t, ctx, l, "g", 0, "ERROR one")
	putAt(t, ctx, l, "g", 299, "ERROR two")
	putAt(t, ctx, l, "g", 100, "fine")
	created, err := l.createScheduledQuery(ctx, everyFive())
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(5 * time.Minute)
	first := door.ended(t)
	if first.Status != "Complete" || first.Start != start.Unix()+300 || first.Statistics.Scanned != 3 || first.Statistics.Groups != 1 {
		t.Errorf("the event tells %+v", first)
	}
	uri := "s3://results/errors/2026/11/25/" + first.Query + ".json"
	var object struct {
		Results [][]resultField `json:"results"`
	}
	door.mu.Lock()
	text, as := door.objects[uri], door.as
	door.mu.Unlock()
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("object %q: %v", text, err)
	}
	if d := cmp.Diff([][]resultField{{{"n", "2"}}}, object.Results); d != "" {
		t.Error(d)
	}
	if session := roleARN + "/" + (*created.ScheduledQueryArn)[len("arn:aws:logs:us-east-1:000000000000:scheduled-query:"):]; as["StartQuery"] != session {
		t.Errorf("the query was started by %s, want %s", as["StartQuery"], session)
	}
	c.Advance(5 * time.Minute)
	second := door.ended(t)
	h := historyOf(t, ctx, l)
	if len(h.TriggerHistory) != 2 || *h.TriggerHistory[0].QueryId != second.Query || *h.TriggerHistory[1].TriggeredTimestamp != start.Unix()+300 {
		t.Fatalf("history %+v", h.TriggerHistory)
	}
	if d := h.TriggerHistory[1].Destinations[0]; d.Status != "COMPLETE" || *d.ProcessedIdentifier != uri {
		t.Errorf("destination %+v", d)
	}
	page := historyOf(t, ctx, l, func(in *api.GetScheduledQueryHistoryInput) { in.MaxResults = ptr(int32(1)) })
	if page = historyOf(t, ctx, l, func(in *api.GetScheduledQueryHistoryInput) { in.NextToken = page.NextToken }); len(page.TriggerHistory) != 1 || *page.TriggerHistory[0].QueryId != first.Query {
		t.Errorf("second page %+v", page.TriggerHistory)
	}
	got, err := l.getScheduledQuery(ctx, &api.GetScheduledQueryInput{Identifier: *created.ScheduledQueryArn})
	if err != nil || got.LastExecutionStatus != "Complete" || *got.LastTriggeredTime != start.Unix()+600 || *got.Timezone != "UTC" {
		t.Errorf("the query shows %+v, %v", got, err)
	}
}

func TestRunsOfScheduledQueriesThatFailSayWhy(t *testing.T) {
	for name, test := range map[string]struct {
		refused      string
		err          error
		status, dest string
	}{
		"no permission to ask":   {"StartQuery", service.Errorf("AccessDeniedException", "no"), "Failed", ""},
		"the language has moved": {"StartQuery", service.Errorf("MalformedQueryException", "no"), "InvalidQuery", ""},
		"no permission to write": {"PutObject", service.Errorf("AccessDenied", "no").WithStatus(403), "Complete", "CLIENT_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, l, door, c := scheduling(t)
			makeStream(t, ctx, l, "g", "s")
			if _, err := l.createScheduledQuery(ctx, everyFive()); err != nil {
				t.Fatal(err)
			}
			door.mu.Lock()
			door.refused[test.refused] = test.err
			door.mu.Unlock()
			c.Advance(5 * time.Minute)
			if e := door.ended(t); e.Status != test.status {
				t.Errorf("the event tells %s, want %s", e.Status, test.status)
			}
			run := historyOf(t, ctx, l).TriggerHistory[0]
			dest := ""
			for _, d := range run.Destinations {
				dest = d.Status
			}
			if run.ExecutionStatus != test.status || dest != test.dest || (run.ErrorMessage == nil) != (test.dest != "") {
				t.Errorf("the run shows %+v", run)
			}
		})
	}
}

func TestScheduledQueriesKeepToTheirTimes(t *testing.T) {
	at := func(hour, minute int) int64 { return time.Date(2026, 11, 25, hour, minute, 0, 0, time.UTC).Unix() }
	for name, test := range map[string]struct {
		q    scheduledQuery
		want int64
		none bool
	}{
		"the next time":       {scheduledQuery{Expression: "cron(30 * * * ? *)", Zone: "UTC"}, at(12, 30), false},
		"in their time zone":  {scheduledQuery{Expression: "cron(0 18 * * ? *)", Zone: "Europe/Berlin"}, at(17, 0), false},
		"not before they may": {scheduledQuery{Expression: "cron(30 * * * ? *)", Zone: "UTC", Start: at(15, 30)}, at(15, 30), false},
		"not after they may":  {scheduledQuery{Expression: "cron(30 * * * ? *)", Zone: "UTC", End: at(12, 29)}, 0, true},
	} {
		got, ok, err := test.q.next(start)
		if err != nil || ok == test.none || ok && got.Unix() != test.want {
			t.Errorf("%s: %v %v %v", name, got, ok, err)
		}
	}
}

func TestScheduledQueriesAreChangedAndDeleted(t *testing.T) {
	ctx, l, door, c := scheduling(t)
	makeStream(t, ctx, l, "g", "s")
	in := everyFive()
	created, err := l.createScheduledQuery(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.createScheduledQuery(ctx, in); service.Code(err) != "ConflictException" {
		t.Errorf("the same name again: %v", err)
	}
	change := &api.UpdateScheduledQueryInput{
		Identifier: "errors", QueryLanguage: "CWLI", QueryString: "fields @message", LogGroupIdentifiers: []string{"arn:aws:logs:us-east-1:000000000000:log-group:g"},
		ScheduleExpression: "cron(0 13 * * ? *)", ExecutionRoleArn: roleARN, StartTimeOffset: ptr(int64(60)),
	}
	changed, err := l.updateScheduledQuery(ctx, change)
	if err != nil || changed.DestinationConfiguration != nil || *changed.Name != "errors" || *changed.StartTimeOffset != 60 {
		t.Fatalf("%+v %v", changed, err)
	}
	c.Advance(time.Hour)
	if e := door.ended(t); e.Start != start.Unix()+3600 || e.Text != "fields @message" {
		t.Errorf("the first run is %+v, want that of the changed query", e)
	}
	change.State = "DISABLED"
	if _, err := l.updateScheduledQuery(ctx, change); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]int{"": 1, "ENABLED": 0, "DISABLED": 1} {
		if list, err := l.listScheduledQueries(ctx, &api.ListScheduledQueriesInput{State: state}); err != nil || len(list.ScheduledQueries) != want {
			t.Errorf("state %q: %+v %v", state, list, err)
		}
	}
	if _, err := l.tagResource(ctx, &api.TagResourceInput{ResourceArn: *created.ScheduledQueryArn, Tags: map[string]string{"b": "c"}}); err != nil {
		t.Fatal(err)
	}
	if tags, err := l.listTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: *created.ScheduledQueryArn}); err != nil || len(tags.Tags) != 2 {
		t.Errorf("tags %+v %v", tags, err)
	}
	if _, err := l.deleteScheduledQuery(ctx, &api.DeleteScheduledQueryInput{Identifier: *created.ScheduledQueryArn}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.getScheduledQuery(ctx, &api.GetScheduledQueryInput{Identifier: *created.ScheduledQueryArn}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("after its deletion: %v", err)
	}
}

func TestScheduledQueriesThatAreRefused(t *testing.T) {
	ctx, l, _, _ := scheduling(t)
	makeStream(t, ctx, l, "g", "s")
	for name, test := range map[string]struct {
		change func(in *api.CreateScheduledQueryInput)
		code   string
	}{
		"another language": {func(in *api.CreateScheduledQueryInput) { in.QueryLanguage = "SQL" }, "ValidationException"},
		"a rate":           {func(in *api.CreateScheduledQueryInput) { in.ScheduleExpression = "rate(5 minutes)" }, "ValidationException"},
		"no query":         {func(in *api.CreateScheduledQueryInput) { in.QueryString = "fly" }, "ValidationException"},
		"no groups":        {func(in *api.CreateScheduledQueryInput) { in.LogGroupIdentifiers = nil }, "ValidationException"},
		"a missing group":  {func(in *api.CreateScheduledQueryInput) { in.LogGroupIdentifiers = []string{"none"} }, "ResourceNotFoundException"},
		"no time zone":     {func(in *api.CreateScheduledQueryInput) { in.Timezone = ptr("Mars/North") }, "ValidationException"},
		"no bucket": {func(in *api.CreateScheduledQueryInput) {
			in.DestinationConfiguration.S3Configuration.DestinationIdentifier = "results"
		}, "ValidationException"},
		"an end before the start": {func(in *api.CreateScheduledQueryInput) {
			in.ScheduleStartTime, in.ScheduleEndTime = ptr(int64(20)), ptr(int64(10))
		}, "ValidationException"},
	} {
		in := everyFive()
		test.change(in)
		if _, err := l.createScheduledQuery(ctx, in); service.Code(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}

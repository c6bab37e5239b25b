package logs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// queryJob is the job that runs a query.
func queryJob(id string) events.Job {
	return events.Job{Payload: key.New("000000000000", "us-east-1", id)}
}

func start10(group, text string) *api.StartQueryInput {
	return &api.StartQueryInput{LogGroupName: &group, QueryString: text, StartTime: start.Unix(), EndTime: start.Unix() + 10}
}

// asked starts a query, runs it and returns its result.
func asked(t *testing.T, ctx context.Context, l *Logs, in *api.StartQueryInput) (id string, out *api.GetQueryResultsOutput) {
	t.Helper()
	started, err := l.startQuery(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.runQuery(ctx, queryJob(*started.QueryId)); err != nil {
		t.Fatal(err)
	}
	out, err = l.getQueryResults(ctx, &api.GetQueryResultsInput{QueryId: *started.QueryId})
	if err != nil {
		t.Fatal(err)
	}
	return *started.QueryId, out
}

// valuesOf returns the rows of a result, without @ptr.
func valuesOf(out *api.GetQueryResultsOutput) (rows []string) {
	for _, r := range out.Results {
		var values []string
		for _, f := range r {
			if *f.Field != "@ptr" {
				values = append(values, *f.Value)
			}
		}
		rows = append(rows, strings.Join(values, " "))
	}
	return rows
}

func putAt(t *testing.T, ctx context.Context, l *Logs, group string, seconds int64, message string) {
	t.Helper()
	in := &api.PutLogEventsInput{LogGroupName: group, LogStreamName: "s", LogEvents: []api.InputLogEvent{{Timestamp: start.UnixMilli() + seconds*1000, Message: message}}}
	if _, err := l.putLogEvents(ctx, in); err != nil {
		t.Fatal(err)
	}
}

func TestQueriesFindEventsOfTheirTime(t *testing.T) {
	ctx, l, _ := setup(t)
	for _, g := range []string{"g", "h"} {
		makeStream(t, ctx, l, g, "s")
		for s, message := range []string{"zero", "one", "two"} {
			putAt(t, ctx, l, g, int64(s)*5-1, message+" of "+g) // at -1, 4 and 9 s
		}
		putAt(t, ctx, l, g, 11, "late")
	}
	in := start10("", "fields @message, @log | filter @message like /o/ and @message not like 'none'")
	in.LogGroupName, in.LogGroupIdentifiers = nil, []string{"arn:aws:logs:us-east-1:000000000000:log-group:g", "h", "g"}
	id, out := asked(t, ctx, l, in)
	want := []string{"two of g 000000000000:g", "two of h 000000000000:h", "one of g 000000000000:g", "one of h 000000000000:h"}
	if d := cmp.Diff(want, valuesOf(out)); d != "" {
		t.Error(d)
	}
	if s := out.Statistics; out.Status != "Complete" || *s.RecordsMatched != 4 || *s.RecordsScanned != 4 || *s.LogGroupsScanned != 2 || *s.BytesScanned != 4*(8+eventOverhead) {
		t.Errorf("status %s, statistics %+v", out.Status, out.Statistics)
	}
	var paged []string
	page := &api.GetQueryResultsInput{QueryId: id, MaxItems: ptr(int32(3))}
	for {
		out, err := l.getQueryResults(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, valuesOf(out)...)
		if page.NextToken = out.NextToken; page.NextToken == nil {
			break
		}
	}
	if d := cmp.Diff(want, paged); d != "" {
		t.Error(d)
	}
	limited := start10("g", "fields @message")
	limited.Limit = ptr(int32(1))
	if _, out := asked(t, ctx, l, limited); len(out.Results) != 1 {
		t.Errorf("%d rows, want 1", len(out.Results))
	}
}

func TestLargeResultsLieInParts(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	for i := range 5 {
		put(t, ctx, l, "s", strconv.Itoa(i)+strings.Repeat("x", 600<<10))
	}
	id, out := asked(t, ctx, l, start10("g", "fields substr(@message, 0, 1), @message | sort @message"))
	if len(out.Results) != 5 || *out.Results[4][0].Value != "4" {
		t.Fatalf("%d rows", len(out.Results))
	}
	if err := l.forgetQuery(ctx, queryJob(id)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.getQueryResults(ctx, &api.GetQueryResultsInput{QueryId: id}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("after its time: %v", err)
	}
}

func TestQueriesEnd(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	ids := map[string]string{}
	for _, name := range []string{"waiting", "stopped", "exhausted"} {
		out, err := l.startQuery(ctx, start10("g", "fields @message"))
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = *out.QueryId
	}
	if _, err := l.stopQuery(ctx, &api.StopQueryInput{QueryId: ids["stopped"]}); err != nil {
		t.Fatal(err)
	}
	if err := l.runQuery(ctx, queryJob(ids["stopped"])); err != nil {
		t.Fatal(err)
	}
	if _, err := l.stopQuery(ctx, &api.StopQueryInput{QueryId: ids["stopped"]}); service.Code(err) != "InvalidParameterException" {
		t.Errorf("stopped twice: %v", err)
	}
	if err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		return l.queryExhausted(ctx, tx, queryJob(ids["exhausted"]), errors.New("no"))
	}); err != nil {
		t.Fatal(err)
	}
	ids["failed"], _ = asked(t, ctx, l, start10("g", "fields @message"))
	for name, want := range map[string]string{"waiting": "Scheduled", "stopped": "Cancelled", "exhausted": "Timeout", "failed": "Complete"} {
		out, err := l.getQueryResults(ctx, &api.GetQueryResultsInput{QueryId: ids[name]})
		if err != nil || out.Status != want || len(out.Results) != 0 {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
	for want, in := range map[int]*api.DescribeQueriesInput{4: {}, 1: {Status: "Cancelled"}, 0: {LogGroupName: ptr("h")}, 2: {MaxResults: ptr(int32(2))}} {
		out, err := l.describeQueries(ctx, in)
		if err != nil || len(out.Queries) != want {
			t.Errorf("%+v: %+v, %v", in, out, err)
		}
		if in.MaxResults != nil {
			rest, err := l.describeQueries(ctx, &api.DescribeQueriesInput{NextToken: out.NextToken})
			if err != nil || len(rest.Queries) != 2 || *rest.Queries[0].LogGroupName != "g" {
				t.Errorf("the rest: %+v, %v", rest, err)
			}
		}
	}
}

func TestQueriesThatKeepTooMuchFail(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	messages := make([]string, 10_000)
	for i := range messages {
		messages[i] = fmt.Sprintf("%05d", i)
	}
	put(t, ctx, l, "s", messages...)
	put(t, ctx, l, "s", "one more")
	if _, out := asked(t, ctx, l, start10("g", "stats count(*) by @message")); out.Status != "Failed" {
		t.Errorf("status %s", out.Status)
	}
	if _, out := asked(t, ctx, l, start10("g", "stats count(*) as n by strlen(@message) | sort n")); !cmp.Equal(valuesOf(out), []string{"8 1", "5 10000"}) {
		t.Errorf("result %v", valuesOf(out))
	}
}

func TestQueriesAreRefused(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	with := func(change func(in *api.StartQueryInput)) *api.StartQueryInput {
		in := start10("g", "fields @message")
		change(in)
		return in
	}
	for want, in := range map[string]*api.StartQueryInput{
		"InvalidParameterException: A query needs exactly one":     with(func(in *api.StartQueryInput) { in.LogGroupNames = []string{"h"} }),
		"InvalidParameterException: The startTime of a query":      with(func(in *api.StartQueryInput) { in.StartTime = in.EndTime + 1 }),
		"InvalidParameterException: A query has at most 50":        with(func(in *api.StartQueryInput) { in.LogGroupName, in.LogGroupNames = nil, make([]string, 51) }),
		"ResourceNotFoundException":                                with(func(in *api.StartQueryInput) { in.LogGroupName = ptr("none") }),
		"queryLanguage PPL":                                        with(func(in *api.StartQueryInput) { in.QueryLanguage = "PPL" }),
		"a limit of more than 10000":                               with(func(in *api.StartQueryInput) { in.Limit = ptr(int32(10_001)) }),
		"MalformedQueryException: Malformed query: the command pa": with(func(in *api.StartQueryInput) { in.QueryString = "fields @message | pattern @message" }),
	} {
		_, err := l.startQuery(ctx, in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		var e *service.Error
		if errors.As(err, &e) && e.Code == "MalformedQueryException" {
			d, ok := e.Detail.(*api.MalformedQueryException)
			if !ok || *d.QueryCompileError.Location.StartCharOffset != 18 || *d.QueryCompileError.Location.EndCharOffset != 25 {
				t.Errorf("detail %+v", e.Detail)
			}
		}
	}
	for range maxActiveQueries {
		if _, err := l.startQuery(ctx, start10("g", "fields @message")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.startQuery(ctx, start10("g", "fields @message")); service.Code(err) != "LimitExceededException" {
		t.Errorf("one query more: %v", err)
	}
	for _, err := range []error{
		second(l.getQueryResults(ctx, &api.GetQueryResultsInput{QueryId: "none"})), second(l.stopQuery(ctx, &api.StopQueryInput{QueryId: "none"})),
	} {
		if service.Code(err) != "ResourceNotFoundException" {
			t.Error(err)
		}
	}
}

func TestQueriesSeeTransformedFields(t *testing.T) {
	ctx, l, c := setup(t)
	makeStream(t, ctx, l, "g", "s")
	putAt(t, ctx, l, "g", 1, "level=ERROR ms=1")
	c.Advance(2 * time.Second)
	putKeyValues(t, l, "g")
	putAt(t, ctx, l, "g", 3, "level=ERROR ms=5")
	if _, out := asked(t, ctx, l, start10("g", "fields @message, level, ms + 1, from | sort @timestamp")); !cmp.Equal(valuesOf(out), []string{"level=ERROR ms=1", "level=ERROR ms=5 ERROR 6 g"}) {
		t.Errorf("result %q", valuesOf(out))
	}
	// One that was changed makes nothing of what came before.
	c.Advance(2 * time.Second)
	putKeyValues(t, l, "g")
	if _, out := asked(t, ctx, l, start10("g", "filter ispresent(level)")); len(out.Results) != 0 {
		t.Errorf("result %q", valuesOf(out))
	}
}

func TestRecordsShowAllFields(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	const message = `{"a": {"b": [1, true]}, "c": null, "d": "x"}`
	putAt(t, ctx, l, "g", 0, "other")
	putAt(t, ctx, l, "g", 0, message)
	_, out := asked(t, ctx, l, start10("g", "filter d = 'x' | fields d"))
	pointer := *out.Results[0][1].Value
	record, err := l.getLogRecord(ctx, &api.GetLogRecordInput{LogRecordPointer: pointer})
	if err != nil {
		t.Fatal(err)
	}
	at := strconv.FormatInt(start.UnixMilli(), 10)
	want := map[string]string{"@message": message, "@timestamp": at, "@ingestionTime": at, "@logStream": "s", "@log": "000000000000:g", "@ptr": pointer, "a.b.0": "1", "a.b.1": "1", "d": "x"}
	if d := cmp.Diff(want, record.LogRecord); d != "" {
		t.Error(d)
	}
	fields, err := l.getLogGroupFields(ctx, &api.GetLogGroupFieldsInput{LogGroupName: ptr("g"), Time: ptr(start.Unix() + 8*60)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fields.LogGroupFields {
		got = append(got, fmt.Sprint(*f.Name, " ", *f.Percent))
	}
	if d := cmp.Diff([]string{"@ingestionTime 100", "@log 100", "@logStream 100", "@message 100", "@timestamp 100", "a.b.0 50", "a.b.1 50", "d 50"}, got); d != "" {
		t.Error(d)
	}
	if out, err := l.getLogGroupFields(ctx, &api.GetLogGroupFieldsInput{LogGroupIdentifier: ptr("g"), Time: ptr(start.Unix() + 9*60)}); err != nil || len(out.LogGroupFields) != 0 {
		t.Errorf("at another time: %+v, %v", out, err)
	}
	for want, err := range map[string]error{
		"InvalidParameterException: The logRecordPointer":                          second(l.getLogRecord(ctx, &api.GetLogRecordInput{LogRecordPointer: "?"})),
		"InvalidParameterException: Lambent does not support the parameter unmask": second(l.getLogRecord(ctx, &api.GetLogRecordInput{LogRecordPointer: pointer, Unmask: ptr(true)})),
		"InvalidParameterException: Exactly one of logGroupName":                   second(l.getLogGroupFields(ctx, &api.GetLogGroupFieldsInput{})),
		"ResourceNotFoundException: The specified log group does":                  second(l.getLogGroupFields(ctx, &api.GetLogGroupFieldsInput{LogGroupName: ptr("none")})),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestProtectedGroupsAreNotDeleted(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	for _, protected := range []bool{true, false} {
		if _, err := l.putLogGroupDeletionProtection(ctx, &api.PutLogGroupDeletionProtectionInput{LogGroupIdentifier: "g", DeletionProtectionEnabled: protected}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.deleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: "g"}); (service.Code(err) == "ValidationException") != protected {
			t.Errorf("protected %v: %v", protected, err)
		}
	}
}

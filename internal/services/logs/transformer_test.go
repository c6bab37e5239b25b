package logs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
)

// keyValues is a transformer of events such as level=ERROR.
func keyValues() []api.Processor {
	return []api.Processor{
		{ParseKeyValue: &api.ParseKeyValue{FieldDelimiter: ptr(" ")}},
		{CopyValue: &api.CopyValue{Entries: []api.CopyValueEntry{{Source: "@logGroupName", Target: "from"}}}},
		{TypeConverter: &api.TypeConverter{Entries: []api.TypeConverterEntry{{Key: "ms", Type: "integer"}}}},
	}
}

func putKeyValues(t *testing.T, l *Logs, group string) {
	t.Helper()
	ctx := service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"})
	if _, err := l.putTransformer(ctx, &api.PutTransformerInput{LogGroupIdentifier: group, TransformerConfig: keyValues()}); err != nil {
		t.Fatal(err)
	}
}

func TestFiltersLookAtTransformedEvents(t *testing.T) {
	ctx, l, door := subscribed(t)
	y := &tally{}
	l.options.Metrics = y
	makeStream(t, ctx, l, "g", "s")
	putKeyValues(t, l, "g")
	for name, transformed := range map[string]*bool{"made": ptr(true), "plain": nil} {
		in := filterOf("{ $.level = ERROR }", api.MetricTransformation{MetricValue: "$.ms"})
		in.FilterName, in.ApplyOnTransformedLogs = name, transformed
		if _, err := l.putMetricFilter(ctx, in); err != nil {
			t.Fatal(err)
		}
		if _, err := l.putSubscriptionFilter(ctx, &api.PutSubscriptionFilterInput{
			LogGroupName: "g", FilterName: name, FilterPattern: "level", DestinationArn: functionARN, ApplyOnTransformedLogs: transformed,
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(t, ctx, l, "s", "level=ERROR ms=5", "level=INFO ms=7")
	if want := []string{"000000000000 us-east-1 app/m 12:00:00  n=1 sum=5"}; !cmp.Equal(want, y.got) {
		t.Errorf("counted %v, want %v", y.got, want)
	}
	got := map[string]string{}
	for _, e := range door.next(t, 2) {
		got[e.Filters[0]] = e.Events[0].Message
	}
	if want := map[string]string{"made": `{"from":"g","level":"ERROR","ms":5}`, "plain": "level=ERROR ms=5"}; !cmp.Equal(want, got) {
		t.Errorf("delivered %v, want %v", got, want)
	}
	out, err := l.filterLogEvents(ctx, &api.FilterLogEventsInput{LogGroupName: ptr("g")})
	if err != nil || *out.Events[0].Message != "level=ERROR ms=5" {
		t.Errorf("kept %+v, %v, want the event as it came", out, err)
	}
	filters, err := l.describeSubscriptionFilters(ctx, &api.DescribeSubscriptionFiltersInput{LogGroupName: "g"})
	if err != nil || !*filters.SubscriptionFilters[0].ApplyOnTransformedLogs || *filters.SubscriptionFilters[1].ApplyOnTransformedLogs {
		t.Errorf("filters %+v, %v", filters, err)
	}
}

func TestEventsThatATransformerCannotReadStayAsTheyCame(t *testing.T) {
	ctx, l, door := subscribed(t)
	makeStream(t, ctx, l, "g", "s")
	if _, err := l.putTransformer(ctx, &api.PutTransformerInput{LogGroupIdentifier: "g", TransformerConfig: []api.Processor{{ParseJSON: &api.ParseJSON{Destination: ptr("in")}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.putSubscriptionFilter(ctx, &api.PutSubscriptionFilterInput{LogGroupName: "g", FilterName: "f", DestinationArn: functionARN, ApplyOnTransformedLogs: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	put(t, ctx, l, "s", "plain text", `{"a": 1}`)
	e := door.next(t, 1)[0]
	if e.Events[0].Message != "plain text" || e.Events[1].Message != `{"in":{"a":1}}` {
		t.Errorf("delivered %+v", e.Events)
	}
}

func TestTransformersAreKept(t *testing.T) {
	ctx, l, c := setup(t)
	makeStream(t, ctx, l, "g", "s")
	for op, err := range map[string]error{
		"get":    second(l.getTransformer(ctx, &api.GetTransformerInput{LogGroupIdentifier: "g"})),
		"delete": second(l.deleteTransformer(ctx, &api.DeleteTransformerInput{LogGroupIdentifier: "g"})),
		"put":    second(l.putTransformer(ctx, &api.PutTransformerInput{LogGroupIdentifier: "none", TransformerConfig: keyValues()})),
	} {
		if service.Code(err) != "ResourceNotFoundException" {
			t.Errorf("%s without a transformer: %v", op, err)
		}
	}
	putKeyValues(t, l, "g")
	c.Advance(1000000)
	putKeyValues(t, l, groupARN(scope{"000000000000", "us-east-1"}, "g"))
	out, err := l.getTransformer(ctx, &api.GetTransformerInput{LogGroupIdentifier: "g"})
	if err != nil {
		t.Fatal(err)
	}
	want := &api.GetTransformerOutput{
		LogGroupIdentifier: ptr("arn:aws:logs:us-east-1:000000000000:log-group:g"), CreationTime: ptr(start.UnixMilli()), LastModifiedTime: ptr(start.UnixMilli() + 1), TransformerConfig: keyValues(),
	}
	if d := cmp.Diff(want, out); d != "" {
		t.Error(d)
	}
	if _, err := l.deleteTransformer(ctx, &api.DeleteTransformerInput{LogGroupIdentifier: "g"}); err != nil {
		t.Error(err)
	}
	for want, list := range map[string][]api.Processor{
		"InvalidParameterException: Invalid transformer: the first processor must be a parser":                   {{DeleteKeys: &api.DeleteKeys{WithKeys: []string{"a"}}}},
		"InvalidParameterException: Lambent does not support this transformer: the processor parseWAF is not su": {{ParseWAF: &api.ParseWAF{}}},
	} {
		if _, err := l.putTransformer(ctx, &api.PutTransformerInput{LogGroupIdentifier: "g", TransformerConfig: list}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestTransformersAreTriedOut(t *testing.T) {
	ctx, l, _ := setup(t)
	out, err := l.testTransformer(ctx, &api.TestTransformerInput{TransformerConfig: []api.Processor{{ParseJSON: &api.ParseJSON{}}}, LogEventMessages: []string{`{"a": 1}`, "text"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []api.TransformedLogRecord{
		{EventNumber: ptr(int64(1)), EventMessage: ptr(`{"a": 1}`), TransformedEventMessage: ptr(`{"a":1}`)},
		{EventNumber: ptr(int64(2)), EventMessage: ptr("text")},
	}
	if d := cmp.Diff(want, out.TransformedLogs); d != "" {
		t.Error(d)
	}
	if _, err := l.testTransformer(ctx, &api.TestTransformerInput{}); service.Code(err) != "InvalidParameterException" {
		t.Errorf("no processors: %v", err)
	}
}

func transformerPolicy(name, document, criteria string) *api.PutAccountPolicyInput {
	in := subscriptionPolicyOf(name, document, criteria)
	in.PolicyType = "TRANSFORMER_POLICY"
	return in
}

func TestAccountPoliciesTransform(t *testing.T) {
	ctx, l, door := subscribed(t)
	const adds = `[{"parseJSON": {}}, {"addKeys": {"entries": [{"key": "by", "value": "%s"}]}}]`
	for name, criteria := range map[string]string{"a": `LogGroupNamePrefix IN ["/a", "/b"]`, "c": `LogGroupNamePrefix IN ["/c"]`} {
		if _, err := l.putAccountPolicy(ctx, transformerPolicy(name, fmt.Sprintf(adds, name), criteria)); err != nil {
			t.Fatal(err)
		}
	}
	for group, want := range map[string]string{"/app": `{"by":"a"}`, "/b": `{"by":"a"}`, "/cache": `{"by":"own"}`, "/d": `{}`} {
		makeStream(t, ctx, l, group, "s")
		if group == "/cache" {
			own := []api.Processor{{ParseJSON: &api.ParseJSON{}}, {AddKeys: &api.AddKeys{Entries: []api.AddKeyEntry{{Key: "by", Value: "own"}}}}}
			if _, err := l.putTransformer(ctx, &api.PutTransformerInput{LogGroupIdentifier: group, TransformerConfig: own}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.putSubscriptionFilter(ctx, &api.PutSubscriptionFilterInput{LogGroupName: group, FilterName: "f", DestinationArn: functionARN, ApplyOnTransformedLogs: ptr(true)}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.putLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: group, LogStreamName: "s", LogEvents: []api.InputLogEvent{{Timestamp: start.UnixMilli(), Message: "{}"}}}); err != nil {
			t.Fatal(err)
		}
		if got := door.next(t, 1)[0].Events[0].Message; got != want {
			t.Errorf("%s: %s, want %s", group, got, want)
		}
	}
	for want, in := range map[string]*api.PutAccountPolicyInput{
		"for some of the same log groups":     transformerPolicy("more", fmt.Sprintf(adds, "x"), `LogGroupNamePrefix IN ["/apple"]`),
		"The transformer policy a is for":     transformerPolicy("all", fmt.Sprintf(adds, "x"), ""),
		"LogGroupNamePrefix IN":               transformerPolicy("p", fmt.Sprintf(adds, "x"), `LogGroupName NOT IN ["a"]`),
		"selectionCriteria \"LogGroupNamePre": transformerPolicy("p", fmt.Sprintf(adds, "x"), `LogGroupNamePrefix IN [""]`),
		"a JSON list of processors":           transformerPolicy("p", `[{"parseXML": {}}]`, `LogGroupNamePrefix IN ["/x"]`),
		"a transformer has 1 to 20":           transformerPolicy("p", `[]`, `LogGroupNamePrefix IN ["/x"]`),
	} {
		if _, err := l.putAccountPolicy(ctx, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for i := range maxScopedTransformers - 2 {
		if _, err := l.putAccountPolicy(ctx, transformerPolicy(fmt.Sprint("x", i), fmt.Sprintf(adds, "x"), fmt.Sprintf(`LogGroupNamePrefix IN ["/x/%d/"]`, i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.putAccountPolicy(ctx, transformerPolicy("y", fmt.Sprintf(adds, "x"), `LogGroupNamePrefix IN ["/y"]`)); service.Code(err) != "LimitExceededException" {
		t.Errorf("one policy more: %v", err)
	}
	if _, err := l.putAccountPolicy(ctx, transformerPolicy("a", fmt.Sprintf(adds, "a"), `LogGroupNamePrefix IN ["/apple"]`)); err != nil {
		t.Errorf("a policy again: %v", err)
	}
}

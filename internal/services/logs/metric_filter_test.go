package logs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// tally is a sink of metrics that remembers what the last transaction counted, as text.
type tally struct{ got []string }

func (y *tally) PutMetrics(_ store.Txn, account, region string, data []port.MetricDatum) error {
	y.got = nil
	for _, d := range data {
		var text strings.Builder
		fmt.Fprintf(&text, "%s %s %s/%s", account, region, d.Namespace, d.Name)
		for _, x := range d.Dimensions {
			fmt.Fprintf(&text, " %s=%s", x.Name, x.Value)
		}
		fmt.Fprintf(&text, " %s %s n=%g sum=%g", d.At.Format(time.TimeOnly), d.Unit, d.Samples.Count, d.Samples.Sum)
		if d.StandIn {
			text.WriteString(" stands in")
		}
		y.got = append(y.got, text.String())
	}
	slices.Sort(y.got)
	return nil
}

func filterOf(pattern string, t api.MetricTransformation) *api.PutMetricFilterInput {
	t.MetricNamespace, t.MetricName = "app", "m"
	return &api.PutMetricFilterInput{LogGroupName: "g", FilterName: "f", FilterPattern: pattern, MetricTransformations: []api.MetricTransformation{t}}
}

func TestEventsCountIntoMetrics(t *testing.T) {
	const at = "000000000000 us-east-1 app/m"
	for name, c := range map[string]struct {
		pattern  string
		t        api.MetricTransformation
		messages []string
		want     []string
	}{
		"terms": {"ERROR", api.MetricTransformation{MetricValue: "2", Unit: "Count"}, []string{"ERROR a", "fine", "b ERROR\n"}, []string{at + " 12:00:00 Count n=2 sum=4"}},
		"every event": {
			" ",
			api.MetricTransformation{MetricValue: "1", DefaultValue: ptr(0.0)},
			[]string{"a", "b"},
			[]string{at + " 12:00:00  n=2 sum=2"},
		},
		"none":            {"ERROR", api.MetricTransformation{MetricValue: "1"}, []string{"fine"}, nil},
		"none by default": {"ERROR", api.MetricTransformation{MetricValue: "1", DefaultValue: ptr(7.0)}, []string{"fine", "fine"}, []string{at + " 12:00:00  n=1 sum=7 stands in"}},
		"a default beside a match": {
			"ERROR",
			api.MetricTransformation{MetricValue: "1", DefaultValue: ptr(7.0)},
			[]string{"fine", "ERROR", "fine"},
			[]string{at + " 12:00:00  n=1 sum=1"},
		},
		"a field of JSON": {
			"{ $.took = * }",
			api.MetricTransformation{MetricValue: "$.took.ms"},
			[]string{`{"took": {"ms": 5}}`, `{"took": {"ms": "2.5"}}`, `{"took": {"ms": "x"}}`, `{"took": {"ms": 1e999}}`, `{"took": 1}`, `{"took": {"ms": true}}`, "no JSON"},
			nil, // $.took is an object
		},
		"another field of JSON": {
			"{ $.a = 1 }",
			api.MetricTransformation{MetricValue: "$.took.ms", Dimensions: map[string]string{"Path": "$.path", "Ok": "$.ok"}},
			[]string{
				`{"a": 1, "took": {"ms": 5}, "path": "/x", "ok": true}`, `{"a": 1, "took": {"ms": "2.5"}, "path": "/x", "ok": true}`, `{"a": 1, "took": {"ms": 1}, "path": "/y", "ok": false}`,
				`{"a": 1, "took": {"ms": "x"}, "path": "/x", "ok": true}`, `{"a": 1, "took": {"ms": 1e999}, "path": "/x", "ok": true}`, `{"a": 1, "took": {"ms": 9}, "path": "/x"}`, `{"a": 1, "took": {"ms": 9}, "path": " ", "ok": 1}`,
			},
			[]string{at + " Ok=false Path=/y 12:00:00  n=1 sum=1", at + " Ok=true Path=/x 12:00:00  n=2 sum=7.5"},
		},
		"columns": {
			"[ip, ..., status = 4*, size]",
			api.MetricTransformation{MetricValue: "$size", Unit: "Bytes", Dimensions: map[string]string{"Status": "$status"}},
			[]string{`127.0.0.1 - "GET /" 404 10`, `127.0.0.1 - 404 5`, `127.0.0.1 - 200 5`, `127.0.0.1 404 -`},
			[]string{at + " Status=404 12:00:00 Bytes n=2 sum=15"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, l, _ := setup(t)
			y := &tally{}
			l.options.Metrics = y
			makeStream(t, ctx, l, "g", "s")
			if _, err := l.putMetricFilter(ctx, filterOf(c.pattern, c.t)); err != nil {
				t.Fatal(err)
			}
			put(t, ctx, l, "s", c.messages...)
			if d := cmp.Diff(c.want, y.got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMetricFiltersCountWithinBounds(t *testing.T) {
	ctx, l, _ := setup(t)
	y := &tally{}
	l.options.Metrics = y
	makeStream(t, ctx, l, "g", "s")
	if _, err := l.putMetricFilter(ctx, filterOf("{ $.a = * }", api.MetricTransformation{MetricValue: "1", Dimensions: map[string]string{"A": "$.a"}})); err != nil {
		t.Fatal(err)
	}
	messages := make([]string, 10_000)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"a": %d}`, i)
	}
	put(t, ctx, l, "s", messages...)
	if n := len(y.got); n < 4000 || n > 6000 {
		t.Errorf("%d points of one commit, want about what 1 MiB holds", n)
	}
}

func TestMetricFiltersAreRefused(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	one := api.MetricTransformation{MetricValue: "1"}
	with := func(change func(in *api.PutMetricFilterInput)) *api.PutMetricFilterInput {
		in := filterOf("{ $.a = 1 }", one)
		change(in)
		return in
	}
	for want, in := range map[string]*api.PutMetricFilterInput{
		"dimensions and default value are mutually exclusive properties": filterOf("{ $.a = 1 }", api.MetricTransformation{MetricValue: "1", DefaultValue: ptr(0.0), Dimensions: map[string]string{"A": "$.a"}}),
		"The specified filter pattern does not support dimensions":       filterOf("ERROR", api.MetricTransformation{MetricValue: "1", Dimensions: map[string]string{"A": "$.a"}}),
		"at most 3 dimensions":                    filterOf("{ $.a = 1 }", api.MetricTransformation{MetricValue: "1", Dimensions: map[string]string{"A": "$.a", "B": "$.a", "C": "$.a", "D": "$.a"}}),
		"fixed is no field of the filter pattern": filterOf("{ $.a = 1 }", api.MetricTransformation{MetricValue: "1", Dimensions: map[string]string{"A": "fixed"}}),
		"$c is no field of the filter pattern":    filterOf("[a, b]", api.MetricTransformation{MetricValue: "$c"}),
		"$.a is no field of the filter pattern":   filterOf("ERROR", api.MetricTransformation{MetricValue: "$.a"}),
		`metricValue "many" is neither a number`:  filterOf("ERROR", api.MetricTransformation{MetricValue: "many"}),
		`metricValue "NaN" is neither a number`:   filterOf("ERROR", api.MetricTransformation{MetricValue: "NaN"}),
		`":a" is no name of a dimension`:          filterOf("{ $.a = 1 }", api.MetricTransformation{MetricValue: "1", Dimensions: map[string]string{":a": "$.a"}}),
		"Invalid filter pattern":                  filterOf("{ $.a", one),
		"reserved for AWS services":               with(func(in *api.PutMetricFilterInput) { in.MetricTransformations[0].MetricNamespace = "AWS/Lambda" }),
		"metricName and metricNamespace must not": with(func(in *api.PutMetricFilterInput) { in.MetricTransformations[0].MetricName = "" }),
		"fieldSelectionCriteria":                  with(func(in *api.PutMetricFilterInput) { in.FieldSelectionCriteria = ptr("@aws.region = 'x'") }),
		"emitSystemFieldDimensions":               with(func(in *api.PutMetricFilterInput) { in.EmitSystemFieldDimensions = []string{"@aws.region"} }),
		"The specified log group does not exist":  with(func(in *api.PutMetricFilterInput) { in.LogGroupName = "none" }),
	} {
		if _, err := l.putMetricFilter(ctx, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for i := range maxMetricFilters {
		if _, err := l.putMetricFilter(ctx, with(func(in *api.PutMetricFilterInput) { in.FilterName = strconv.Itoa(i) })); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.putMetricFilter(ctx, with(func(in *api.PutMetricFilterInput) { in.FilterName = "more" })); service.Code(err) != "LimitExceededException" {
		t.Errorf("one filter more: %v", err)
	}
	if _, err := l.putMetricFilter(ctx, with(func(in *api.PutMetricFilterInput) { in.FilterName = "0" })); err != nil {
		t.Errorf("a filter again: %v", err)
	}
}

func TestMetricFiltersAreDescribedPageByPage(t *testing.T) {
	ctx, l, _ := setup(t)
	for _, group := range []string{"g", "h"} {
		makeStream(t, ctx, l, group, "s")
		for _, name := range []string{"ab", "a", "b"} {
			in := filterOf(" ", api.MetricTransformation{MetricValue: "1"})
			in.LogGroupName, in.FilterName, in.MetricTransformations[0].MetricName = group, name, "of-"+name
			if _, err := l.putMetricFilter(ctx, in); err != nil {
				t.Fatal(err)
			}
		}
	}
	for want, in := range map[string]api.DescribeMetricFiltersInput{
		"a/g a/h ab/g ab/h b/g b/h": {},
		"a/h ab/h b/h":              {LogGroupName: ptr("h")},
		"a/g a/h ab/g ab/h":         {FilterNamePrefix: ptr("a")},
		"ab/g ab/h":                 {MetricName: ptr("of-ab"), MetricNamespace: ptr("app")},
		"":                          {MetricName: ptr("of-ab"), MetricNamespace: ptr("other")},
	} {
		var got []string
		for in.Limit = ptr(int32(2)); ; {
			out, err := l.describeMetricFilters(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range out.MetricFilters {
				got = append(got, *f.FilterName+"/"+*f.LogGroupName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	for _, in := range []api.DescribeMetricFiltersInput{{MetricName: ptr("m")}, {NextToken: ptr("x")}} {
		if _, err := l.describeMetricFilters(ctx, &in); service.Code(err) != "InvalidParameterException" {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := l.describeMetricFilters(ctx, &api.DescribeMetricFiltersInput{LogGroupName: ptr("none")}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("no group: %v", err)
	}
	for i, want := range []string{"", "ResourceNotFoundException"} {
		if _, err := l.deleteMetricFilter(ctx, &api.DeleteMetricFilterInput{LogGroupName: "g", FilterName: "a"}); service.Code(err) != want {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
	out, err := l.describeLogGroups(ctx, &api.DescribeLogGroupsInput{})
	if err != nil || *out.LogGroups[0].MetricFilterCount != 2 || *out.LogGroups[1].MetricFilterCount != 3 {
		t.Errorf("groups %+v, %v", out, err)
	}
}

func TestMetricFiltersAreTriedOut(t *testing.T) {
	ctx, l, _ := setup(t)
	const line = `127.0.0.1 - frank [10/Oct/2026:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	for pattern, c := range map[string]struct {
		message string
		want    map[string]string
	}{
		"frank":                        {line, map[string]string{}},
		"[..., size]":                  {line, map[string]string{"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2026:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$6": "404", "$size": "1534"}},
		"[ip, id, ..., status = 4*,]":  {line, map[string]string{"$ip": "127.0.0.1", "$id": "-", "$3": "frank", "$4": "10/Oct/2026:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$status": "404", "$7": "1534"}},
		`{ $.a = "x*" || $.b[0] = 1 }`: {`{"a": "xy", "c": 1}`, map[string]string{"$.a": "xy"}},
	} {
		out, err := l.testMetricFilter(ctx, &api.TestMetricFilterInput{FilterPattern: pattern, LogEventMessages: []string{" ", c.message}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Matches) != 1 || *out.Matches[0].EventNumber != 2 || *out.Matches[0].EventMessage != c.message || !maps.Equal(out.Matches[0].ExtractedValues, c.want) {
			t.Errorf("%s: %+v, want %v", pattern, out.Matches, c.want)
		}
	}
	if _, err := l.testMetricFilter(ctx, &api.TestMetricFilterInput{FilterPattern: "{", LogEventMessages: []string{"a"}}); service.Code(err) != "InvalidParameterException" {
		t.Errorf("a bad pattern: %v", err)
	}
}

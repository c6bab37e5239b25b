package cloudwatch

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// bench is a service of metrics with its clock, its meters and its store.
type bench struct {
	*testing.T
	*Metrics

	ctx    context.Context //nolint:containedctx // the context of every call of the test
	clock  *clock.Fake
	meters *meter.Registry
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, clock: clock.NewFake(noon.Add(90 * time.Second)), meters: &meter.Registry{}}
	s := mem.New()
	b.Metrics = newMetrics(service.Deps{Store: s, Clock: b.clock, Log: slog.New(slog.DiscardHandler), Meters: b.meters}, Options{})
	if err := b.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b.ctx = service.WithRequest(t.Context(), &service.Request{Account: "111122223333", Region: "eu-west-1"})
	return b
}

func (b *bench) put(data ...api.MetricDatum) {
	b.Helper()
	if _, err := b.putMetricData(b.ctx, &api.PutMetricDataInput{Namespace: "app", MetricData: data}); err != nil {
		b.Fatal(err)
	}
}

// query returns what a statistic of the metric m is, as time:value, for the unit, period and time that is asked for.
func (b *bench) query(stat, unit string, period int32, from, to time.Time, dimensions ...api.Dimension) string {
	b.Helper()
	q := api.MetricDataQuery{Id: "q", MetricStat: &api.MetricStat{Metric: &api.Metric{Namespace: ptr("app"), MetricName: ptr("m"), Dimensions: dimensions}, Period: period, Stat: stat, Unit: unit}}
	out, err := b.getMetricData(b.ctx, &api.GetMetricDataInput{MetricDataQueries: []api.MetricDataQuery{q}, StartTime: from, EndTime: to, ScanBy: timestampAscending})
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	for i, v := range out.MetricDataResults[0].Values {
		fmt.Fprintf(&text, "%s:%g ", out.MetricDataResults[0].Timestamps[i].Format("15:04:05"), v)
	}
	for _, m := range out.MetricDataResults[0].Messages {
		text.WriteString(*m.Value)
	}
	return text.String()
}

func ptr[T any](v T) *T { return &v }

func datum(v float64, unit string, at time.Time) api.MetricDatum {
	return api.MetricDatum{MetricName: "m", Value: &v, Unit: unit, Timestamp: &at}
}

func TestStatisticsAreThoseOfTheValues(t *testing.T) {
	b := setup(t)
	for v := 1.0; v <= 11; v++ {
		b.put(datum(v, "Count", noon))
	}
	b.put(datum(100, "Count", noon.Add(time.Minute)))
	for stat, want := range map[string]string{
		"Sum": "12:00:00:66 12:01:00:100 ", "SampleCount": "12:00:00:11 12:01:00:1 ", "Minimum": "12:00:00:1 12:01:00:100 ", "Maximum": "12:00:00:11 12:01:00:100 ",
		"Average": "12:00:00:6 12:01:00:100 ", "p50": "12:00:00:6 12:01:00:100 ", "p90": "12:00:00:10 12:01:00:100 ", "p0": "12:00:00:1 12:01:00:100 ",
		"TM(10%:90%)": "ValidationError: The value TM(10%:90%) for parameter MetricDataQueries.member.1.MetricStat.Stat is not supported. Lambent has SampleCount, Average, Sum, Minimum, Maximum and percentiles, such as p99.9.",
	} {
		if got := b.query(stat, "", 60, noon, noon.Add(time.Hour)); got != want {
			t.Errorf("%s: got %q, want %q", stat, got, want)
		}
	}
	for period, want := range map[int32]string{300: "12:00:00:166 ", 3600: "12:00:00:166 ", 120: "12:00:00:166 ", 30: "12:00:00:66 12:01:00:100 "} {
		if got := b.query("Sum", "Count", period, noon, noon.Add(time.Hour)); got != want {
			t.Errorf("every %d s: got %q, want %q", period, got, want)
		}
	}
	if got := b.query("Sum", "", 300, noon.Add(-7*time.Minute), noon.Add(time.Hour)); got != "11:58:00:166 " {
		t.Errorf("periods begin at the start: %q", got)
	}
	if got := b.query("Sum", "", 60, noon.Add(20*time.Second), noon.Add(time.Minute)); got != "12:00:00:66 " {
		t.Errorf("the start is rounded down, and the end is none of it: %q", got)
	}
}

func TestManyValuesAndStatisticsAreOneDatum(t *testing.T) {
	b := setup(t)
	b.put(api.MetricDatum{MetricName: "m", Timestamp: ptr(noon), Values: []float64{1, 10}, Counts: []float64{2, 4}, Unit: "Count"})
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:42 " {
		t.Errorf("with counts: %q", got)
	}
	if got := b.query("p50", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:10 " {
		t.Errorf("the middle of them: %q", got)
	}
	b.put(api.MetricDatum{MetricName: "m", Timestamp: ptr(noon), StatisticValues: &api.StatisticSet{SampleCount: 2, Sum: 8, Minimum: 0, Maximum: 20}, Unit: "Count"})
	if got := b.query("Maximum", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:20 " {
		t.Errorf("statistics: %q", got)
	}
	if got := b.query("p50", "", 60, noon, noon.Add(time.Hour)); got != "" {
		t.Errorf("a percentile of what nobody knows: %q", got)
	}
}

func TestUnitsAreKeptApart(t *testing.T) {
	b := setup(t)
	b.put(datum(1, "Seconds", noon), datum(60000, "Milliseconds", noon), datum(5, "", noon))
	if got := b.query("Sum", "Seconds", 60, noon, noon.Add(time.Hour)); got != "12:00:00:1 " {
		t.Errorf("of one unit: %q", got)
	}
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:60000 Multiple units returned: '[Milliseconds, None, Seconds]'" {
		t.Errorf("of any: %q", got)
	}
	out, err := b.getMetricStatistics(b.ctx, &api.GetMetricStatisticsInput{Namespace: "app", MetricName: "m", StartTime: noon, EndTime: noon.Add(time.Hour), Period: 60, Statistics: []string{"Sum"}, ExtendedStatistics: []string{"p99"}})
	if err != nil || len(out.Datapoints) != 3 || *out.Datapoints[1].Sum != 5 || out.Datapoints[1].Unit != "None" || out.Datapoints[0].ExtendedStatistics["p99"] < 59500 {
		t.Errorf("%+v %v", out, err)
	}
}

func TestDimensionsTellMetricsApart(t *testing.T) {
	b := setup(t)
	x, y := api.Dimension{Name: "x", Value: "1"}, api.Dimension{Name: "y", Value: "2"}
	for _, d := range [][]api.Dimension{{x, y}, {y, x}} {
		one := datum(1, "", noon)
		one.Dimensions = d
		b.put(one)
	}
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour), y, x); got != "12:00:00:2 " {
		t.Errorf("in any order: %q", got)
	}
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour)) + b.query("Sum", "", 60, noon, noon.Add(time.Hour), x); got != "" {
		t.Errorf("all or none: %q", got)
	}
	for _, c := range []struct {
		in   api.ListMetricsInput
		want int
	}{
		{api.ListMetricsInput{}, 1},
		{api.ListMetricsInput{Namespace: ptr("app"), MetricName: ptr("m")}, 1},
		{api.ListMetricsInput{Namespace: ptr("ap")}, 0},
		{api.ListMetricsInput{MetricName: ptr("m")}, 1},
		{api.ListMetricsInput{MetricName: ptr("n")}, 0},
		{api.ListMetricsInput{Dimensions: []api.DimensionFilter{{Name: "x"}}}, 1},
		{api.ListMetricsInput{Dimensions: []api.DimensionFilter{{Name: "x", Value: ptr("2")}}}, 0},
	} {
		if out, err := b.listMetrics(b.ctx, &c.in); err != nil || len(out.Metrics) != c.want {
			t.Errorf("%+v: %+v %v", c.in, out, err)
		}
	}
}

func TestListHasPagesAndForgetsWhatIsStill(t *testing.T) {
	b := setup(t)
	for i := range listPage + 7 {
		one := datum(1, "", noon)
		one.MetricName = fmt.Sprintf("m%04d", i)
		b.put(one)
	}
	first, err := b.listMetrics(b.ctx, &api.ListMetricsInput{})
	if err != nil || len(first.Metrics) != listPage || first.NextToken == nil {
		t.Fatalf("%d %v", len(first.Metrics), err)
	}
	second, err := b.listMetrics(b.ctx, &api.ListMetricsInput{NextToken: first.NextToken})
	if err != nil || len(second.Metrics) != 7 || second.NextToken != nil || *second.Metrics[0].MetricName != "m0500" {
		t.Fatalf("%+v %v", second, err)
	}
	b.clock.Advance(4 * time.Hour)
	if out, err := b.listMetrics(b.ctx, &api.ListMetricsInput{RecentlyActive: "PT3H"}); err != nil || len(out.Metrics) != 0 {
		t.Errorf("recently active: %d %v", len(out.Metrics), err)
	}
	b.clock.Advance(15 * 24 * time.Hour)
	if out, err := b.listMetrics(b.ctx, &api.ListMetricsInput{}); err != nil || len(out.Metrics) != 0 {
		t.Errorf("after two weeks: %d %v", len(out.Metrics), err)
	}
}

func TestDataHasPages(t *testing.T) {
	b := setup(t)
	for i := range 20 {
		b.put(datum(float64(i), "", noon.Add(time.Duration(i)*time.Minute)))
	}
	in := &api.GetMetricDataInput{StartTime: noon, EndTime: noon.Add(time.Hour), MaxDatapoints: ptr(int32(15))}
	for _, id := range []string{"a", "b"} {
		in.MetricDataQueries = append(in.MetricDataQueries, api.MetricDataQuery{Id: id, MetricStat: &api.MetricStat{Metric: &api.Metric{Namespace: ptr("app"), MetricName: ptr("m")}, Period: 60, Stat: "Sum"}})
	}
	var got []string
	for {
		out, err := b.getMetricData(b.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		var page strings.Builder
		for _, r := range out.MetricDataResults {
			fmt.Fprintf(&page, "%s %d %s;", *r.Id, len(r.Values), r.StatusCode)
			if len(r.Values) > 0 {
				fmt.Fprintf(&page, " from %g ", r.Values[0])
			}
		}
		got = append(got, page.String())
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if want := "[a 15 PartialData; from 19  a 5 Complete; from 4 b 10 PartialData; from 19  b 10 Complete; from 9 ]"; fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	in.NextToken = ptr("nonsense")
	if _, err := b.getMetricData(b.ctx, in); service.Code(err) != "InvalidNextToken" {
		t.Error(err)
	}
}

func TestWhatIsPutIsChecked(t *testing.T) {
	b := setup(t)
	one, two := ptr(1.5), []float64{1, 10}
	for _, c := range []struct {
		datum api.MetricDatum
		want  string
	}{
		// recorded of AWS
		{api.MetricDatum{Value: one, Values: two}, "InvalidParameterCombinationException: The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both."},
		{api.MetricDatum{Values: two, Counts: []float64{2, 4, 5}}, "InvalidParameterValueException: The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."},
		{api.MetricDatum{Value: one, StatisticValues: &api.StatisticSet{}}, "InvalidParameterCombinationException: The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and you have specified both."},
		{api.MetricDatum{Values: two, StatisticValues: &api.StatisticSet{SampleCount: 10, Sum: 55, Minimum: 1, Maximum: 10}}, ""},
		// ours
		{api.MetricDatum{Value: ptr(math.NaN())}, "InvalidParameterValueException: The value NaN for parameter MetricData.member.1.Value is invalid."},
		{api.MetricDatum{Value: ptr(math.Inf(1))}, "InvalidParameterValueException: The value +Inf for parameter MetricData.member.1.Value is invalid."},
		{api.MetricDatum{}, "InvalidParameterCombinationException: At least one of the parameters MetricData.member.1.Value, MetricData.member.1.Values and MetricData.member.1.StatisticValues must be specified."},
		{api.MetricDatum{Value: one, Timestamp: ptr(noon.Add(-15 * 24 * time.Hour))}, "InvalidParameterValueException: The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks and no more than two hours in the future."},
		{api.MetricDatum{Value: one, StorageResolution: ptr(int32(5))}, "InvalidParameterValueException: The value 5 for parameter MetricData.member.1.StorageResolution must be 1 or 60."},
	} {
		c.datum.MetricName = "bad"
		_, err := b.putMetricData(b.ctx, &api.PutMetricDataInput{Namespace: "app", MetricData: []api.MetricDatum{c.datum}})
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.datum, got, c.want)
		}
	}
	if _, err := b.putMetricData(b.ctx, &api.PutMetricDataInput{Namespace: "AWS/Lambda", MetricData: []api.MetricDatum{{MetricName: "m", Value: one}}}); service.Code(err) != "InvalidParameterValueException" {
		t.Error(err)
	}
}

func TestStatisticsAreBounded(t *testing.T) {
	b := setup(t)
	for _, c := range []struct {
		end    time.Duration
		period int32
		want   string
	}{
		{24 * time.Hour, 1, "InvalidParameterCombinationException: You have requested up to 86400 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range."},
		{0, 1, "InvalidParameterValueException: The parameter StartTime must be less than the parameter EndTime."},
		{time.Hour, 7, "InvalidParameterValueException: The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60."},
		{24 * time.Hour, 60, "<nil>"},
	} {
		_, err := b.getMetricStatistics(b.ctx, &api.GetMetricStatisticsInput{Namespace: "app", MetricName: "m", StartTime: noon, EndTime: noon.Add(c.end), Period: c.period, Statistics: []string{"Sum"}})
		if fmt.Sprint(err) != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

func TestLabelsTellQueriesApart(t *testing.T) {
	b := setup(t)
	for _, c := range []struct {
		stats   [2]string
		periods [2]int32
		want    [2]string
	}{ // recorded of AWS
		{[2]string{"Sum", "Minimum"}, [2]int32{60, 30}, [2]string{"m Sum 60", "m Minimum 30"}},
		{[2]string{"Sum", "Minimum"}, [2]int32{60, 60}, [2]string{"m Sum", "m Minimum"}},
		{[2]string{"Sum", "Sum"}, [2]int32{60, 30}, [2]string{"m 60", "m 30"}},
		{[2]string{"Sum", "Sum"}, [2]int32{60, 60}, [2]string{"m", "m"}},
	} {
		in := &api.GetMetricDataInput{StartTime: noon, EndTime: noon.Add(time.Hour)}
		for i := range c.stats {
			in.MetricDataQueries = append(in.MetricDataQueries, api.MetricDataQuery{Id: "q" + itoa(i), MetricStat: &api.MetricStat{Metric: &api.Metric{Namespace: ptr("app"), MetricName: ptr("m")}, Period: c.periods[i], Stat: c.stats[i]}})
		}
		out, err := b.getMetricData(b.ctx, in)
		if err != nil || *out.MetricDataResults[0].Label != c.want[0] || *out.MetricDataResults[1].Label != c.want[1] {
			t.Errorf("%v: %+v %v", c.want, out, err)
		}
	}
}

func TestWhatIsCountedIsReadAtOnceAndKept(t *testing.T) {
	b := setup(t)
	m := b.meters.Meter(meter.Series{Account: "111122223333", Region: "eu-west-1", Namespace: "app", Sets: [][]meter.Dimension{nil}, Measures: []meter.Measure{{Name: "m", Unit: "Count"}}})
	m.Record(noon, 1)
	m.Record(noon.Add(time.Minute), 5)
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:1 12:01:00:5 " {
		t.Errorf("got %q", got)
	}
	m.Record(noon.Add(time.Minute), 7)
	if err := b.close(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.stop = nil
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:1 12:01:00:12 " {
		t.Errorf("after the end: %q", got)
	}
}

func TestPointsOfASecond(t *testing.T) {
	b := setup(t)
	for i := range 3 {
		one := datum(float64(i+1), "", noon.Add(time.Duration(i)*7*time.Second))
		one.StorageResolution = ptr(int32(1))
		b.put(one)
	}
	if got := b.query("Sum", "", 1, noon, noon.Add(time.Hour)); got != "12:00:00:1 12:00:07:2 12:00:14:3 " {
		t.Errorf("by the second: %q", got)
	}
	if got := b.query("Sum", "", 10, noon, noon.Add(time.Hour)); got != "12:00:00:3 12:00:10:3 " {
		t.Errorf("by ten: %q", got)
	}
	if got := b.query("Sum", "", 60, noon, noon.Add(time.Hour)); got != "12:00:00:6 " {
		t.Errorf("by the minute: %q", got)
	}
}

func TestRollupsOutliveWhatTheyAreMadeOf(t *testing.T) {
	b := setup(t)
	b.put(datum(1, "", noon), datum(2, "", noon.Add(time.Minute)), datum(4, "", noon.Add(6*time.Minute)))
	rows := func() (n int) {
		if err := b.deps.Store.View(b.ctx, func(r store.Reader) error {
			for _, err := range r.Range(scopeOf(b.ctx).root("p").Span()) {
				if err != nil {
					return err
				}
				n++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	sweep := func() {
		t.Helper()
		if err := b.sweep(b.ctx, events.Job{Payload: key.New("111122223333", "eu-west-1")}); err != nil {
			t.Fatal(err)
		}
	}
	if rows() != 3+2+1 {
		t.Errorf("%d points", rows())
	}
	b.clock.Advance(16 * 24 * time.Hour)
	sweep()
	if rows() != 2+1 {
		t.Errorf("%d points after 16 days", rows())
	}
	if got := b.query("Sum", "", 300, noon, noon.Add(time.Hour)); got != "12:00:00:3 12:05:00:4 " {
		t.Errorf("after 16 days: %q", got)
	}
	b.clock.Advance(60 * 24 * time.Hour)
	sweep()
	if got := b.query("Sum", "", 3600, noon, noon.Add(time.Hour)); got != "12:00:00:7 " || rows() != 1 {
		t.Errorf("after 76 days: %q, %d points", got, rows())
	}
	b.clock.Advance(400 * 24 * time.Hour)
	sweep()
	if err := b.deps.Store.View(b.ctx, func(r store.Reader) error {
		for p, err := range r.Range(key.New("cloudwatch").Span()) {
			t.Errorf("%q is left (%v)", p.Key, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestPointsRoundTrip(t *testing.T) {
	for _, s := range []meter.Samples{{}, meter.Of(-1.5, 3), {Count: 2, Sum: 3, Min: 1, Max: 2, Opaque: true}, {Count: 4, Sum: 1e300, Min: -7, Max: 1e300, Spread: map[int32]float64{meter.Bucket(-7): 1, 0: 2, meter.Bucket(1e300): 1.5}}} {
		got, err := decode(encode(&s))
		if err != nil || got.Count != s.Count || got.Sum != s.Sum || got.Min != s.Min || got.Max != s.Max || got.Opaque != s.Opaque || len(got.Spread) != len(s.Spread) {
			t.Errorf("%+v became %+v (%v)", s, got, err)
		}
		for k, v := range s.Spread {
			if got.Spread[k] != v {
				t.Errorf("bucket %d of %+v became %g", k, s, got.Spread[k])
			}
		}
	}
}

func FuzzDamagedPointsAreRefused(f *testing.F) {
	s := meter.Of(3, 7)
	f.Add(encode(&s))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(encode(&got)); err != nil || len(again.Spread) != len(got.Spread) {
			t.Errorf("%x: %+v became %+v (%v)", b, got, again, err)
		}
	})
}

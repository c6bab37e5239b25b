package meter_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func series() meter.Series {
	return meter.Series{
		Account: "1", Region: "r", Namespace: "N", Sets: [][]meter.Dimension{nil, {{Name: "A", Value: "x"}}},
		Measures: []meter.Measure{{Name: "Count", Unit: "Count"}, {Name: "Latency", Unit: "Milliseconds"}},
	}
}

func TestBucketsHoldTheirValues(t *testing.T) {
	for _, v := range []float64{0, 1, 2, 3, 100, 255, 256, -1, -7, 1e-9, 12345.678, -9.75e80, math.MaxFloat64} {
		got := meter.Value(meter.Bucket(v))
		if math.Abs(got) > math.Abs(v) || math.Abs(v)-math.Abs(got) > math.Abs(v)/128 {
			t.Errorf("%g is in the bucket of %g", v, got)
		}
	}
	for v := -300.0; v < 300; v++ {
		if meter.Bucket(v) > meter.Bucket(v+1) || math.Abs(v) <= 256 && meter.Value(meter.Bucket(v)) != v {
			t.Errorf("%g is out of order, or not exact", v)
		}
	}
}

func TestPercentilesAreNearWhatTheyStandFor(t *testing.T) {
	var s meter.Samples
	for v := 1.0; v <= 1000; v++ {
		one := meter.Of(v, 1)
		s.Merge(&one)
	}
	for percent, want := range map[float64]float64{0: 1, 10: 100, 50: 500, 99: 990, 99.9: 999, 100: 1000} {
		got, ok := s.Percentile(percent)
		if !ok || got > want || want-got > want/128 {
			t.Errorf("p%g is %g %v, want %g", percent, got, ok, want)
		}
	}
	s.Merge(&meter.Samples{Count: 2, Sum: 3, Min: 1, Max: 2, Opaque: true})
	if _, ok := s.Percentile(50); ok || s.Count != 1002 {
		t.Errorf("a percentile of values that are not known: %+v", s)
	}
}

func TestMinutesAreCountedApart(t *testing.T) {
	var r meter.Registry
	m := r.Meter(series())
	m.Record(noon, 1, 5)
	m.Record(noon.Add(59*time.Second), 1, meter.Skip)
	m.Record(noon.Add(time.Minute), 0, 7)
	got := map[string]meter.Samples{}
	for _, c := range r.Drain(t.Context(), noon) {
		k := c.Minute.Format("15:04 ") + c.Measure.Name
		if len(c.Dimensions) > 0 {
			k += " " + c.Dimensions[0].Value
		}
		s := got[k]
		s.Merge(&c.Samples)
		got[k] = s
	}
	for k, want := range map[string]meter.Samples{
		"12:00 Count": {Count: 2, Sum: 2}, "12:00 Count x": {Count: 2, Sum: 2}, "12:00 Latency x": {Count: 1, Sum: 5}, "12:01 Count": {Count: 1}, "12:01 Latency": {Count: 1, Sum: 7},
	} {
		if got[k].Count != want.Count || got[k].Sum != want.Sum {
			t.Errorf("%s is %+v", k, got[k])
		}
	}
	if again := r.Drain(t.Context(), noon); len(again) != 0 {
		t.Errorf("drained twice: %+v", again)
	}
	m.Record(noon, 1)
	if again := r.Drain(t.Context(), noon); len(again) != 2 {
		t.Errorf("after a drain: %+v", again)
	}
}

func TestNothingIsLostBetweenProcessors(t *testing.T) {
	var r meter.Registry
	m := r.Meter(series())
	const each, writers = 2000, 8
	var wg sync.WaitGroup
	total := 0.0
	drain := func() {
		for _, c := range r.Drain(t.Context(), noon) {
			if c.Measure.Name == "Count" && c.Dimensions == nil {
				total += c.Samples.Sum
			}
		}
	}
	for range writers {
		wg.Go(func() {
			for i := range each {
				m.Record(noon.Add(time.Duration(i)*time.Second), 1, float64(i))
			}
		})
	}
	for range 50 {
		drain()
	}
	wg.Wait()
	drain()
	if total != each*writers {
		t.Errorf("%g of %d are there", total, each*writers)
	}
}

func TestStatesAreSampledOnceAMinute(t *testing.T) {
	var r meter.Registry
	m := r.Meter(series())
	r.Sample(func(_ context.Context, now time.Time) { m.Record(now, 7, meter.Skip) })
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {59 * time.Second, 0}, {time.Minute, 2}} {
		if got := r.Drain(t.Context(), noon.Add(step.after)); len(got) != step.want {
			t.Errorf("after %v: %+v", step.after, got)
		}
	}
}

func TestNoMeterCountsNothing(t *testing.T) {
	var r *meter.Registry
	r.Sample(nil)
	r.Meter(series()).Record(noon, 1)
}

func TestRecordTakesNoMemory(t *testing.T) {
	var r meter.Registry
	m := r.Meter(series())
	m.Record(noon, 1, 17)
	if n := testing.AllocsPerRun(100, func() { m.Record(noon, 1, 17) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	var r meter.Registry
	s := series()
	for range 5 {
		s.Measures = append(s.Measures, meter.Measure{Name: "More", Unit: "Count"})
	}
	m := r.Meter(s)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			m.Record(noon, 1, float64(i%50)+2.25, 0, 0, float64(i%40)+1.5, 0, 1)
		}
	})
}

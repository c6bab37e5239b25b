package cloudwatch

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// arrive has another service count values of the metric m in one transaction.
func (b *bench) arrive(data ...port.MetricDatum) {
	b.Helper()
	err := b.deps.Store.Update(b.ctx, func(tx store.Txn) error { return Inbox{}.PutMetrics(tx, "111122223333", "eu-west-1", data) })
	if err != nil {
		b.Fatal(err)
	}
}

func tallied(at time.Time, value float64, standIn bool) port.MetricDatum {
	return port.MetricDatum{Namespace: "app", Name: "m", At: at, Samples: meter.Of(value, 1), StandIn: standIn}
}

func TestReadsSeeWhatIsInTheInboxOnce(t *testing.T) {
	b := setup(t)
	for i := range 3 {
		var data []port.MetricDatum
		for j := range 3 * commitPoints {
			d := tallied(noon, 1, false)
			if j > 0 {
				d.Dimensions = []meter.Dimension{{Name: "n", Value: strconv.Itoa(j)}}
			}
			data = append(data, d)
		}
		b.arrive(data...)
		for range 2 {
			if got, want := b.query("Sum", "", 60, noon, noon.Add(2*time.Minute)), fmt.Sprintf("12:00:00:%d ", i+1); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}

func TestStandInsCountWhereNothingElseDoes(t *testing.T) {
	b := setup(t) // at 12:01:30
	first, second := noon.Add(time.Minute), noon.Add(2*time.Minute)
	query := func() string { b.Helper(); return b.query("Sum", "", 60, noon, noon.Add(5*time.Minute)) }
	b.arrive(tallied(first, 7, true), tallied(second, 7, true))
	if got := query(); got != "" {
		t.Errorf("before the minutes are over: %q", got)
	}
	b.arrive(tallied(first, 7, true), tallied(second, 3, false))
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{2 * time.Minute, "12:02:00:3 "}, {2*time.Minute + time.Second, "12:01:00:7 12:02:00:3 "}, {4 * time.Minute, "12:01:00:7 12:02:00:3 "}} {
		b.clock.Advance(noon.Add(c.at).Sub(b.clock.Now()))
		if got := query(); got != c.want {
			t.Errorf("at %s: %q, want %q", c.at, got, c.want)
		}
	}
	b.arrive(tallied(first, 7, true)) // late events of the minute
	if got := query(); got != "12:01:00:7 12:02:00:3 " {
		t.Errorf("after late events: %q", got)
	}
}

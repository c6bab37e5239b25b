package cloudwatch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	eventsapi "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/pebble"
	"lambent.dev/lambent/test/fake"
)

// house is the service with its jobs, and a door behind which topics, functions and buses take what comes.
type house struct {
	*testing.T
	*Metrics

	ctx   context.Context //nolint:containedctx // the context of every call of the test
	desc  service.Service
	clock *clock.Fake
	store store.Store
	jobs  *events.Queue
	// full tells that states and deliveries are shown with their documents; refuse is the error of every delivery to a function.
	full   bool
	refuse error

	mu sync.Mutex // guards sent
	// sent are the deliveries since they were last shown.
	sent []string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, clock: clock.NewFake(noon.Add(90 * time.Second)), store: mem.New()}
	deps := service.Deps{Store: h.store, Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Meters: &meter.Registry{}}
	h.Metrics = newMetrics(deps, Options{Sender: deliver.New(deps, nil)})
	h.desc = h.Metrics.service()
	h.jobs = events.New(h.store, h.clock, slog.New(slog.DiscardHandler))
	if err := errors.Join(h.jobs.Register(h.desc.Jobs...), h.jobs.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.jobs.Close(), h.store.Close()); err != nil {
			t.Error(err)
		}
	})
	h.ctx = fake.Root(t.Context(), "111122223333", "eu-west-1")
	return h
}

// Call implements [service.Door].
func (h *house) Call(ctx context.Context, apiName, operation string, in any) (any, error) {
	p := service.RequestFrom(ctx).Principal
	head := apiName + " " + operation + " by " + p.Service + ": "
	var body string
	var out any
	switch in := in.(type) {
	case *sns.PublishInput:
		head, body, out = head+*in.TopicArn+" "+*in.Subject, in.Message, &sns.PublishOutput{}
	case *lambda.InvokeInput:
		if h.refuse != nil {
			return nil, h.refuse
		}
		head, body, out = head+in.FunctionName, string(in.Payload), &lambda.InvokeOutput{}
	case *eventsapi.PutEventsInput:
		e := in.Entries[0]
		head, body, out = head+*e.Source+" "+*e.DetailType+" "+strings.Join(e.Resources, " "), *e.Detail, &eventsapi.PutEventsOutput{}
	default:
		return nil, fmt.Errorf("unexpected call of %s %s", apiName, operation)
	}
	if h.full {
		head += "\n  " + body
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, head)
	return out, nil
}

// Allow implements [service.Door].
func (h *house) Allow(context.Context, service.Target) error { return nil }

// call makes a call with an input in JSON, and shows its answer without the members that are not set.
func (h *house) call(operation, input string) string {
	for _, b := range h.desc.Operations {
		if b.Name != operation {
			continue
		}
		in := b.New()
		if input != "" {
			if err := json.Unmarshal([]byte(input), in); err != nil {
				h.Fatal(err)
			}
		}
		out, err := b.Call(h.ctx, in)
		synctest.Wait()
		if err != nil {
			return err.Error() + "\n"
		}
		var v any
		data, err := json.Marshal(out)
		if err == nil {
			err = json.Unmarshal(data, &v)
		}
		if err == nil {
			data, err = json.MarshalIndent(bare(v), "", " ")
		}
		if err != nil {
			h.Fatal(err)
		}
		return string(data) + "\n"
	}
	h.Fatalf("no operation %s", operation)
	return ""
}

// bare drops nulls and empty texts.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x == nil || x == "" {
				delete(v, k)
				continue
			}
			v[k] = bare(x)
		}
	case []any:
		for i := range v {
			v[i] = bare(v[i])
		}
	}
	return v
}

// show returns the states of the alarms of the names, with their reasons.
func (h *house) show(names []string) string {
	var b strings.Builder
	for _, name := range names {
		err := h.store.View(h.ctx, func(r store.Reader) error {
			a, there, err := readAlarm(r, scopeOf(h.ctx), name)
			if err == nil && !there {
				err = errors.New("no alarm " + name)
			}
			fmt.Fprintf(&b, "%s %s: %s\n", a.Name, a.State.Value, a.State.Reason)
			if h.full {
				fmt.Fprintf(&b, "  %s\n", a.State.Data)
			}
			if a.State.SuppressedBy != "" {
				fmt.Fprintf(&b, "  suppressed by %s\n", a.State.SuppressedBy)
			}
			return err
		})
		if err != nil {
			h.Fatal(err)
		}
	}
	return b.String()
}

// run runs one command of a data file:
//
//	call OPERATION         a call with the input below, and its answer or error
//	put VALUE [AGO]        a value of the metric app/m, now or that long ago
//	advance DURATION       moves the clock, one second after the other
//	state NAME…            the alarms' states and reasons
//	sent                   what has been delivered since
//	full | brief           whether states and deliveries are shown with their documents
//	refuse CODE            lets functions refuse what they get
func (h *house) run(d *datadriven.TestData) string {
	var args []string
	for _, a := range d.CmdArgs {
		args = append(args, a.Key)
	}
	switch d.Cmd {
	case "call":
		return h.call(args[0], d.Input)
	case "put":
		at := h.clock.Now()
		if len(args) > 1 {
			ago, err := time.ParseDuration(args[1])
			if err != nil {
				h.Fatal(err)
			}
			at = at.Add(-ago)
		}
		var v float64
		if _, err := fmt.Sscan(args[0], &v); err != nil {
			h.Fatal(err)
		}
		if _, err := h.putMetricData(h.ctx, &api.PutMetricDataInput{Namespace: "app", MetricData: []api.MetricDatum{datum(v, "", at)}}); err != nil {
			h.Fatal(err)
		}
		return ""
	case "advance":
		by, err := time.ParseDuration(args[0])
		if err != nil {
			h.Fatal(err)
		}
		for ; by > 0; by -= time.Second {
			h.clock.Advance(time.Second)
			synctest.Wait()
		}
		return h.clock.Now().Format("15:04:05\n")
	case "state":
		return h.show(args)
	case "sent":
		h.mu.Lock()
		out := h.sent
		h.sent = nil
		h.mu.Unlock()
		slices.Sort(out) // deliveries run side by side
		return strings.Join(append(out, ""), "\n")
	case "full", "brief":
		h.full = d.Cmd == "full"
		return ""
	case "refuse":
		h.refuse = service.Errorf(args[0], "it may not").WithStatus(403)
		return ""
	}
	h.Fatalf("no command %s", d.Cmd)
	return ""
}

func TestAlarms(t *testing.T) {
	datadriven.Walk(t, "testdata/alarms", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string { return h.run(d) })
		})
	})
}

// TestMissingData holds the tables of AWS's page on missing data: the newest period is the last; 0 is fine, X breaches, - is missing.
func TestMissingData(t *testing.T) {
	const keep = ""
	insufficient, ok, alarmed := api.StateValueInsufficientData, api.StateValueOk, api.StateValueAlarm
	for _, c := range []struct {
		periods                                  string
		datapoints                               int32
		missing, ignore, breaching, notBreaching string
	}{
		{"0 - X - X", 3, ok, ok, ok, ok},
		{"- - - - 0", 3, ok, ok, ok, ok},
		{"- - - - -", 3, insufficient, keep, alarmed, ok},
		{"0 X X - X", 3, alarmed, alarmed, alarmed, alarmed},
		{"- - X - -", 3, alarmed, keep, alarmed, ok},
		{"- - - - X", 3, keep, keep, alarmed, ok},
		{"- - - X -", 3, keep, keep, alarmed, ok},
		{"0 - X - X", 2, alarmed, alarmed, alarmed, alarmed},
		{"0 0 X 0 X", 2, alarmed, alarmed, alarmed, alarmed},
		{"0 - X - -", 2, ok, ok, alarmed, ok},
		{"- - - - 0", 2, ok, ok, alarmed, ok},
		{"- - - X -", 2, alarmed, keep, alarmed, ok},
	} {
		w := metricAlarm{Evaluation: 3, Datapoints: &c.datapoints, Threshold: 0.5, Comparison: api.ComparisonOperatorGreaterThanThreshold}
		var slots []slot
		for p := range strings.FieldsSeq(c.periods) {
			slots = append(slots, slot{there: p != "-", value: map[string]float64{"X": 1}[p]})
		}
		slices.Reverse(slots)
		for mode, want := range map[string]string{missingUnknown: c.missing, missingKeeps: c.ignore, missingBreaches: c.breaching, missingIsFine: c.notBreaching} {
			if got := w.decide(slots, mode).value; got != want {
				t.Errorf("%s, %d of 3, %s: got %q, want %q", c.periods, c.datapoints, mode, got, want)
			}
		}
	}
}

func TestNumbersAreWrittenAsOnAWS(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0", 21.5: "21.5", -3: "-3.0", 0.25 / 3: "0.08333333333333333", 1223375: "1223375.0", 1e7: "1.0E7", 123456789: "1.23456789E8", 0.0005: "5.0E-4"} {
		if got := double(v).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// BenchmarkEvaluate measures one round of 10,000 alarms on as many metrics, five periods of a minute each, of which none changes its state.
func BenchmarkEvaluate(b *testing.B) {
	s, err := pebble.Open(b.TempDir(), pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	const alarms = 10_000
	clk := clock.NewFake(noon.Add(5*time.Minute + evaluateAfter))
	deps := service.Deps{Store: s, Clock: clk, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Meters: &meter.Registry{}}
	m := newMetrics(deps, Options{Sender: deliver.New(deps, nil)})
	ctx := fake.Root(b.Context(), "111122223333", "eu-west-1")
	for i := range alarms {
		name := fmt.Sprintf("m%05d", i)
		var data []api.MetricDatum
		for minute := range 5 {
			d := datum(1, "Count", noon.Add(time.Duration(minute)*time.Minute))
			d.MetricName = name
			data = append(data, d)
		}
		if _, err := m.putMetricData(ctx, &api.PutMetricDataInput{Namespace: "app", MetricData: data}); err != nil {
			b.Fatal(err)
		}
		in := &api.PutMetricAlarmInput{
			AlarmName: name, Namespace: ptr("app"), MetricName: &name, Statistic: "Sum", Period: ptr(int32(60)), EvaluationPeriods: ptr(int32(3)), Threshold: ptr(5.0),
			ComparisonOperator: api.ComparisonOperatorGreaterThanThreshold, AlarmActions: []string{"arn:aws:sns:eu-west-1:111122223333:t"},
		}
		if _, err := m.putMetricAlarm(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
	job := events.Job{Payload: key.New("111122223333", "eu-west-1").Int(int64(time.Minute))}
	round := func() {
		if err := m.evaluate(ctx, job); err == nil || err.Error() != "done" { // it ends with what its commit does
			b.Fatal(err)
		}
	}
	round() // all come from INSUFFICIENT_DATA to OK
	for b.Loop() {
		round()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/alarms, "µs/alarm")
}

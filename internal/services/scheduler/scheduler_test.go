package scheduler

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const account = "111111111111"

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// harness is the Scheduler on a store in memory and a clock that stands still. Its door notes the calls of targets.
type harness struct {
	t     testing.TB
	impl  *Service
	desc  service.Service
	store store.Store
	clock *clock.Fake
	jobs  *events.Queue
	ctx   context.Context

	mu     sync.Mutex // guards the fields below
	calls  []string
	refuse int // calls that are still refused
}

func in(t *testing.T, fn func(t *testing.T, h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newHarness(t)) })
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{t: t, clock: clock.NewFake(start), store: mem.New()}
	deps := service.Deps{Store: h.store, Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566"}
	h.impl = newService(deps, Options{Sender: deliver.New(deps, fake.Roles{}), Roles: fake.Roles{}, Operation: func(apiName, operation string) (string, any, bool) {
		if apiName == "sqs" && operation == "createQueue" {
			return "CreateQueue", &queueapi.CreateQueueInput{}, true
		}
		return "", nil, false
	}})
	h.desc = h.impl.describe()
	h.run()
	h.ctx = fake.Root(t.Context(), account, "eu-west-1")
	t.Cleanup(func() {
		if err := errors.Join(h.jobs.Close(), h.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// run begins to run jobs, as a start of the platform does.
func (h *harness) run() {
	h.t.Helper()
	h.jobs = events.New(h.store, h.clock, slog.New(slog.DiscardHandler))
	if err := errors.Join(h.jobs.Register(h.desc.Jobs...), h.jobs.Start(h.t.Context())); err != nil {
		h.t.Fatal(err)
	}
}

// Call implements [service.Door]: it notes calls of other services and runs those of the Scheduler.
func (h *harness) Call(ctx context.Context, apiName, operation string, in any) (any, error) {
	if apiName == "scheduler" {
		for _, b := range h.desc.Operations {
			if b.Name == operation {
				return b.Call(ctx, in)
			}
		}
	}
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, err
	}
	for k, v := range members {
		if v == nil || v == "" {
			delete(members, k)
		}
	}
	if b, err = json.Marshal(members); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, fmt.Sprintf("%s %s.%s %s by %s", h.clock.Now().Format("15:04:05"), apiName, operation, b, service.RequestFrom(ctx).Principal.ARN))
	if h.refuse > 0 {
		h.refuse--
		return nil, service.Errorf("ThrottlingException", "later").WithStatus(429)
	}
	return nil, nil
}

// Allow implements [service.Door].
func (h *harness) Allow(context.Context, service.Target) error { return nil }

func (h *harness) seen() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.calls
	h.calls = nil
	return out
}

// create makes a schedule of JSON members, with a queue as its target unless they say otherwise.
func (h *harness) create(members string) error {
	h.t.Helper()
	in := &api.CreateScheduleInput{
		Name: "s", FlexibleTimeWindow: &api.FlexibleTimeWindow{Mode: "OFF"},
		Target: &api.Target{Arn: "arn:aws:sqs:eu-west-1:" + account + ":q", RoleArn: "arn:aws:iam::" + account + ":role/r", Input: new("x")},
	}
	if err := json.Unmarshal([]byte(members), in); err != nil {
		h.t.Fatal(err)
	}
	_, err := h.Call(h.ctx, "scheduler", "CreateSchedule", in)
	return err
}

func (h *harness) advance(by, step time.Duration) {
	for ; by > 0; by -= step {
		synctest.Wait()
		h.clock.Advance(min(by, step))
	}
	synctest.Wait()
}

const sent = ` sqs.SendMessage {"MessageBody":"x","QueueUrl":"http://127.0.0.1:4566/111111111111/q"} by arn:aws:iam::111111111111:role/r/default-s`

func TestScheduleCallsItsTargetWhenItIsDue(t *testing.T) {
	for name, tc := range map[string]struct {
		members string
		want    []string
	}{
		"rate":                 {`{"ScheduleExpression":"rate(20 minutes)"}`, []string{"12:20:00", "12:40:00", "13:00:00"}},
		"rate from a start":    {`{"ScheduleExpression":"rate(20 minutes)","StartDate":"2026-11-29T12:30:00Z"}`, []string{"12:30:00", "12:50:00"}},
		"rate until an end":    {`{"ScheduleExpression":"rate(20 minutes)","EndDate":"2026-11-29T12:45:00Z"}`, []string{"12:20:00", "12:40:00"}},
		"cron":                 {`{"ScheduleExpression":"cron(10 * * * ? *)"}`, []string{"12:10:00"}},
		"cron in a zone":       {`{"ScheduleExpression":"cron(50 17 * * ? *)","ScheduleExpressionTimezone":"Asia/Kolkata"}`, []string{"12:20:00"}},
		"once":                 {`{"ScheduleExpression":"at(2026-11-29T12:15:00)"}`, []string{"12:15:00"}},
		"once in a zone":       {`{"ScheduleExpression":"at(2026-11-29T13:15:00)","ScheduleExpressionTimezone":"Europe/Berlin"}`, []string{"12:15:00"}},
		"once in the past":     {`{"ScheduleExpression":"at(2022-11-29T13:15:00)"}`, nil},
		"disabled":             {`{"ScheduleExpression":"rate(20 minutes)","State":"DISABLED"}`, nil},
		"in a flexible window": {`{"ScheduleExpression":"cron(0 13 * * ? *)","FlexibleTimeWindow":{"Mode":"FLEXIBLE","MaximumWindowInMinutes":5}}`, []string{"13:02:38"}},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *harness) {
				if err := h.create(tc.members); err != nil {
					t.Fatal(err)
				}
				h.advance(65*time.Minute, time.Second)
				var want []string
				for _, at := range tc.want {
					want = append(want, at+sent)
				}
				if diff := cmp.Diff(want, h.seen()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestMissedRunIsMadeOnceAndLate(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		if err := h.create(`{"ScheduleExpression":"rate(1 hour)","Target":{"RetryPolicy":{"MaximumEventAgeInSeconds":7200}}}`); err != nil {
			t.Fatal(err)
		}
		if err := h.jobs.Close(); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(150 * time.Minute)
		h.run()
		if got := h.seen(); len(got) != 1 || !strings.HasPrefix(got[0], "14:30:00") {
			t.Errorf("after 2.5 hours: %q", got)
		}
		if err := h.jobs.Close(); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(6 * time.Hour)
		h.run()
		if got := h.seen(); got != nil {
			t.Errorf("a run that is older than its age was made: %q", got)
		}
		h.advance(time.Hour, time.Minute)
		if got := h.seen(); len(got) != 1 {
			t.Errorf("the next run: %q", got)
		}
	})
}

func TestScheduleThatEndsIsDeleted(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		for name, expression := range map[string]string{"once": "at(2026-11-29T12:15:00)", "often": "rate(10 minutes)"} {
			if err := h.create(`{"Name":"` + name + `","ScheduleExpression":"` + expression + `","ActionAfterCompletion":"DELETE","EndDate":"2026-11-29T12:25:00Z"}`); err != nil {
				t.Fatal(err)
			}
		}
		h.advance(30*time.Minute, time.Minute)
		if got := h.seen(); len(got) != 3 {
			t.Errorf("calls: %q", got)
		}
		out, err := service.Call[api.ListSchedulesOutput](h.ctx, h, "scheduler", "ListSchedules", &api.ListSchedulesInput{})
		if err != nil || len(out.Schedules) != 0 {
			t.Errorf("left: %+v, %v", out, err)
		}
	})
}

func TestUniversalTargetIsAnOperation(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		target := func(action, input string) string {
			return `{"Name":"` + action + `","ScheduleExpression":"rate(1 minute)","Target":{"Arn":"arn:aws:scheduler:::aws-sdk:sqs:` + action + `","Input":` + input + `}}`
		}
		if err := h.create(target("createQueue", `"{\"QueueName\":\"q-<aws.scheduler.attempt-number>\"}"`)); err != nil {
			t.Fatal(err)
		}
		h.refuse = 1
		h.advance(70*time.Second, time.Second)
		got := h.seen()
		if len(got) != 2 || !strings.Contains(got[0], `sqs.CreateQueue {"QueueName":"q-1"}`) || !strings.Contains(got[1], `{"QueueName":"q-2"}`) || !strings.HasSuffix(got[0], "role/r/default-createQueue") {
			t.Errorf("calls: %q", got)
		}
		for _, tc := range []struct{ action, input, want string }{
			{"receiveMessage", `"{}"`, "read-only"},
			{"makeTea", `"{}"`, "not one of this platform"},
			{"createQueue", `"{\"Name\":\"q\"}"`, "no member Name"},
			{"createQueue", `"no json"`, "Input is not one"},
		} {
			if err := h.create(target(tc.action, tc.input)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s %s: %v", tc.action, tc.input, err)
			}
		}
	})
}

func TestContextAttributesAreFilledIn(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		if err := h.create(`{"ScheduleExpression":"rate(1 minute)","Target":{"Input":"<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time> <aws.scheduler.attempt-number>"}}`); err != nil {
			t.Fatal(err)
		}
		h.advance(time.Minute, time.Minute)
		if got := h.seen(); len(got) != 1 || !strings.Contains(got[0], `"arn:aws:scheduler:eu-west-1:111111111111:schedule/default/s 2026-11-29T12:01:00Z 1"`) {
			t.Errorf("calls: %q", got)
		}
	})
}

func TestDeletedGroupTakesItsSchedulesAlong(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		if _, err := h.Call(h.ctx, "scheduler", "CreateScheduleGroup", &api.CreateScheduleGroupInput{Name: "g"}); err != nil {
			t.Fatal(err)
		}
		for i := range emptySize + 20 {
			if err := h.create(fmt.Sprintf(`{"Name":"s%d","GroupName":"g","ScheduleExpression":"rate(1 minute)"}`, i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Call(h.ctx, "scheduler", "DeleteScheduleGroup", &api.DeleteScheduleGroupInput{Name: "g"}); err != nil {
			t.Fatal(err)
		}
		h.advance(2*time.Minute, time.Minute)
		if got := h.seen(); got != nil {
			t.Errorf("schedules of a deleted group ran: %.200q", got)
		}
		if _, err := h.Call(h.ctx, "scheduler", "GetScheduleGroup", &api.GetScheduleGroupInput{Name: "g"}); service.Code(err) != codeNotFound {
			t.Errorf("the group: %v", err)
		}
	})
}

func TestRefusalsOfSchedules(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		for _, tc := range []struct{ members, want string }{
			{`{"ScheduleExpression":" rate(10 minutes)"}`, "ValidationException: Invalid Schedule Expression  rate(10 minutes)."},
			{`{"ScheduleExpression":"rate(1 minute)","ScheduleExpressionTimezone":"Mars/Base"}`, "timezone Mars/Base is not supported"},
			{`{"ScheduleExpression":"rate(1 minute)","GroupName":"none"}`, "ResourceNotFoundException: Schedule group none does not exist."},
			{`{"ScheduleExpression":"rate(1 minute)","FlexibleTimeWindow":{"Mode":"FLEXIBLE"}}`, "MaximumWindowInMinutes must be specified"},
			{`{"ScheduleExpression":"rate(1 minute)","StartDate":"2026-11-30T00:00:00Z","EndDate":"2026-11-29T00:00:00Z"}`, "must come before the EndDate"},
			{`{"ScheduleExpression":"rate(1 minute)","Target":{"Arn":"arn:aws:ecs:eu-west-1:1:cluster/c"}}`, "schedules of Lambent call"},
			{`{"ScheduleExpression":"rate(1 minute)","Target":{"Arn":"arn:aws:events:eu-west-1:1:event-bus/b"}}`, "EventBridgeParameters must be specified"},
		} {
			if err := h.create(tc.members); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", tc.members, err, tc.want)
			}
		}
		if err := h.create(`{"ScheduleExpression":"rate(1 minute)","ClientToken":"t"}`); err != nil {
			t.Fatal(err)
		}
		if err := h.create(`{"ScheduleExpression":"rate(1 minute)","ClientToken":"t"}`); err != nil {
			t.Errorf("the same call again: %v", err)
		}
		if err := h.create(`{"ScheduleExpression":"rate(1 minute)"}`); service.Code(err) != codeConflict {
			t.Errorf("another schedule of the name: %v", err)
		}
	})
}

package lambda

import (
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/metertest"
)

func TestInvocationsAreCounted(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c):\n    return 1 / e\n", nil)
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.createAlias(f.ctx, &api.CreateAliasInput{FunctionName: "f", Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	invoke := func(payload string, qualifier *string) error {
		_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: qualifier, Payload: []byte(payload)})
		return err
	}
	for _, call := range []struct {
		payload   string
		qualifier *string
	}{{"1", nil}, {"0", nil}, {"2", ptr("live")}} {
		if err := invoke(call.payload, call.qualifier); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.putFunctionConcurrency(f.ctx, &api.PutFunctionConcurrencyInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	if err := invoke("1", nil); service.Code(err) != codeThrottled {
		t.Fatal(err)
	}
	const of, bare, live = " FunctionName=f", " FunctionName=f Resource=f", " FunctionName=f Resource=f:live"
	metertest.Await(t, &f.counts, map[string]string{
		"Invocations": "3/3", "Invocations" + of: "3/3", "Invocations" + bare: "2/2", "Invocations" + live: "1/1", "Invocations" + live + " ExecutedVersion=1": "1/1",
		"Errors" + of: "1/3", "Errors" + bare: "1/2", "Throttles" + of: "1/4", "Throttles" + bare: "1/3", "Duration" + of: "*/3",
		"ConcurrentExecutions": "3/3", "ConcurrentExecutions" + of: "3/3", "UnreservedConcurrentExecutions": "3/3",
	})
}

func TestWhatRunsIsCountedByItsConcurrency(t *testing.T) {
	s := newSlots(0)
	one := ref{scope: scope{"000000000000", "us-east-1"}, name: "one"}
	two := ref{scope: one.scope, name: "two"}
	take := func(r ref, q quota) (func(), running) {
		release, n, reason := s.take(r, poolKey{function: r.function(), version: "1"}, q, time.Time{})
		if reason != "" {
			t.Fatal(reason)
		}
		return release, n
	}
	q := quota{provisioned: 1, unreserved: 10}
	end, n := take(one, q)
	if n != (running{function: 1, region: 1, provisioned: 1, allotted: 1, covered: true}) {
		t.Errorf("the first: %+v", n)
	}
	if _, n = take(one, q); n != (running{function: 2, region: 2, unreserved: 1, provisioned: 1, allotted: 1}) {
		t.Errorf("one more than is provisioned: %+v", n)
	}
	if _, n = take(two, quota{reserved: ptr(1)}); n != (running{function: 1, region: 3, unreserved: 1}) {
		t.Errorf("another function: %+v", n)
	}
	end()
	if _, n = take(one, q); n.function != 2 || n.region != 3 || !n.covered {
		t.Errorf("after an end: %+v", n)
	}
}

func TestProvisionedConcurrencyIsCounted(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.metersOf(ref{scope: scope{"000000000000", "us-east-1"}, name: "f", qualifier: "1"}, "1")
		m.running(s.deps.Clock.Now(), &running{function: 1, region: 1, provisioned: 1, allotted: 2, covered: true})
		m.running(s.deps.Clock.Now(), &running{function: 3, region: 3, unreserved: 1, provisioned: 2, allotted: 2})
		const of = " FunctionName=f Resource=f:1"
		metertest.Await(t, &s.counts, map[string]string{
			"ProvisionedConcurrencyInvocations" + of: "1/1", "ProvisionedConcurrencySpilloverInvocations" + of: "1/1", "ProvisionedConcurrencyUtilization" + of: "1.5/2",
		})
	})
}

func TestEventsAreCounted(t *testing.T) {
	onStage(t, func(s *stage) {
		s.function("f", func(f *function) { f.Latest.DeadLetter = queueARN("dead") })
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("", queueARN("failed"))})
		s.answer = fails
		s.refuse = func(string, string) error { return service.Errorf("AccessDenied", "no").WithStatus(403) }
		s.send(`{}`)
		time.Sleep(12 * time.Hour)
		const of = " FunctionName=f"
		metertest.Await(t, &s.counts, map[string]string{
			"AsyncEventsReceived" + of: "1/1", "AsyncEventsDropped" + of: "1/1", "AsyncEventAge" + of: "240000/3", "DeadLetterErrors" + of: "1/1",
			"DestinationDeliveryFailures" + of: "1/1",
		})
	})
}

func TestRecordsTellTheirAge(t *testing.T) {
	onSource(t, func(r *reader) {
		r.sources.put("x/1", "x/2")
		time.Sleep(time.Minute)
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON"})
		r.want("+1m0s x/1 x/2")
		metertest.Await(t, &r.stage.counts, map[string]string{"IteratorAge FunctionName=f": "60000/1"})
	})
}

package lambda

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	s3api "lambent.dev/lambent/internal/awsapi/s3"
	sqsapi "lambent.dev/lambent/internal/awsapi/sqs"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

// stage is the service in virtual time, with functions that are Go code and a door that notes what goes through it.
type stage struct {
	*Lambda
	t      *testing.T
	store  store.Store
	queue  *events.Queue
	ctx    context.Context
	clock  setClock
	log    *strings.Builder
	counts meter.Registry

	mu     sync.Mutex // guards the fields below
	began  time.Time
	runs   []string // when the function ran, and with which request id
	calls  []sentCall
	answer func(c *call) (outcome, error) // of the function
	refuse func(api, operation string) error
	// sources answer the calls of event source mappings, if there are any.
	sources *feeds
}

// sentCall is a call through the door.
type sentCall struct {
	API, Operation, Principal string
	In                        any
}

// onStage runs fn in virtual time.
func onStage(t *testing.T, fn func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, store: mem.New(), began: time.Now(), log: &strings.Builder{}}
		s.ctx = service.WithRequest(t.Context(), &service.Request{ID: "req-1", Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.Root}})
		s.start()
		fn(s)
		s.stop()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// start starts the service and its queue over the stage's store.
func (s *stage) start() {
	_, s.Lambda = New(service.Deps{
		Store: s.store, Blobs: blobmem.New(), Door: s, Clock: &s.clock, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		BaseURL: "http://127.0.0.1:4566", Account: "000000000000", Region: "us-east-1",
		Meters: &s.counts,
	}, Options{Roles: stageRoles{}})
	s.execute = s.stand
	s.queue = events.New(s.store, &s.clock, slog.New(slog.DiscardHandler))
	if err := errors.Join(s.queue.Register(append(s.durable.Jobs(), s.asyncKind(), s.destinations.Kind())...), s.queue.Start(s.t.Context())); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) stop() {
	if err := s.queue.Close(); err != nil {
		s.t.Error(err)
	}
	s.snapshots.close()
}

// stand stands in for the sandboxes.
func (s *stage) stand(_ context.Context, c *call) (outcome, error) {
	s.mu.Lock()
	s.runs = append(s.runs, fmt.Sprintf("+%v %s", time.Since(s.began), c.requestID))
	answer := s.answer
	s.mu.Unlock()
	return answer(c)
}

// Call implements [service.Door].
func (s *stage) Call(ctx context.Context, api, operation string, in any) (any, error) {
	if s.sources != nil && operation != "SendMessage" {
		return s.sources.call(operation, in)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(api, operation); err != nil {
			return nil, err
		}
	}
	s.calls = append(s.calls, sentCall{api, operation, service.RequestFrom(ctx).Principal.ARN, in})
	return nil, nil
}

// Allow implements [service.Door]: everything but sending to the queue "forbidden".
func (s *stage) Allow(_ context.Context, t service.Target) error {
	if strings.HasSuffix(t.ARN, ":forbidden") {
		return service.Errorf("AccessDeniedException", "no").WithStatus(403)
	}
	return nil
}

type stageRoles struct{ port.Roles }

func (stageRoles) SessionForService(_ context.Context, _, role, session string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, ARN: role + "/" + session}, nil
}

// function writes the record of a function.
func (s *stage) function(name string, change func(f *function)) ref {
	r := ref{scope: scope{"000000000000", "us-east-1"}, name: name}
	f := function{Name: name, Latest: version{Number: latest, Role: testRole, Timeout: 3, Memory: 128}}
	if change != nil {
		change(&f)
	}
	if err := s.store.Update(s.ctx, func(tx store.Txn) error { return record.Set(tx, r.scope.function(name), f) }); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// configure puts an event invoke configuration.
func (s *stage) configure(in api.PutFunctionEventInvokeConfigInput) {
	s.t.Helper()
	if _, err := s.putFunctionEventInvokeConfig(s.ctx, &in); err != nil {
		s.t.Fatal(err)
	}
}

// send invokes f asynchronously.
func (s *stage) send(payload string) {
	s.t.Helper()
	out, err := s.invoke(s.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(payload), InvocationType: "Event"})
	if err != nil || *out.StatusCode != 202 {
		s.t.Fatal(out, err)
	}
	synctest.Wait()
}

func fails(*call) (outcome, error) {
	return outcome{failure: "Unhandled", payload: []byte(`{"errorMessage":"intentional failure","errorType":"Exception"}`)}, nil
}

func succeeds(*call) (outcome, error) { return outcome{payload: []byte(`{"hello":"world"}`)}, nil }

func (s *stage) wantRuns(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := cmp.Diff(want, s.runs); d != "" {
		s.t.Errorf("runs (-want +got):\n%s", d)
	}
}

// bodies returns what was sent to queues, with the attributes in front if there are any.
func (s *stage) bodies() (out []string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.Operation != "SendMessage" {
			continue
		}
		in := c.In.(*sqsapi.SendMessageInput)
		text := in.MessageBody
		if len(in.MessageAttributes) > 0 {
			var names []string
			for name, a := range in.MessageAttributes {
				names = append(names, fmt.Sprintf("%s=%s:%s", name, a.DataType, *a.StringValue))
			}
			slices.Sort(names)
			text = strings.Join(names, " ") + " " + text
		}
		out = append(out, text)
	}
	return out
}

func queueARN(name string) string { return "arn:aws:sqs:us-east-1:000000000000:" + name }

func destination(success, failure string) *api.DestinationConfig {
	d := &api.DestinationConfig{}
	if success != "" {
		d.OnSuccess = &api.OnSuccess{Destination: &success}
	}
	if failure != "" {
		d.OnFailure = &api.OnFailure{Destination: &failure}
	}
	return d
}

const recordHead = `{"version":"1.0","timestamp":"2000-01-01T%s.000Z","requestContext":{"requestId":"req-1","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",` +
	`"condition":"%s","approximateInvokeCount":%d},"requestPayload":{"n":1}`

const failedTail = `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"intentional failure","errorType":"Exception"}}`

func TestSuccessGoesToItsDestination(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = succeeds
		s.function("f", nil)
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination(queueARN("ok"), queueARN("bad"))})
		s.send(`{"n":1}`)
		want := fmt.Sprintf(recordHead, "00:00:00", "Success", 1) + `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":{"hello":"world"}}`
		if d := cmp.Diff([]string{want}, s.bodies()); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		if c := s.calls[0]; c.Principal != testRole+"/lambent-f" || c.In.(*sqsapi.SendMessageInput).QueueUrl != "http://127.0.0.1:4566/000000000000/ok" {
			t.Errorf("the record was sent by %s with %+v", c.Principal, c.In)
		}
		s.wantRuns("+0s req-1")
	})
}

func TestFailedEventIsTriedTwiceMoreAndThenGivenUp(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = fails
		s.function("f", func(f *function) { f.Latest.DeadLetter = queueARN("dead") })
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("", queueARN("bad"))})
		s.send(`{"n":1}`)
		time.Sleep(5 * time.Minute)
		s.wantRuns("+0s req-1", "+1m0s req-1", "+3m0s req-1")
		want := []string{
			fmt.Sprintf(recordHead, "00:03:00", "RetriesExhausted", 3) + failedTail,
			`ErrorCode=Number:200 ErrorMessage=String:intentional failure RequestID=String:req-1 {"n":1}`,
		}
		got := s.bodies()
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		if !strings.Contains(s.log.String(), "asynchronous invocation given up") {
			t.Errorf("the log does not tell of it: %s", s.log)
		}
	})
}

func TestRetriesKeepTheirCountOverARestart(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = fails
		s.function("f", nil)
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("", queueARN("bad"))})
		s.send(`{"n":1}`)
		for range 2 {
			time.Sleep(45 * time.Second)
			s.stop()
			s.start()
		}
		time.Sleep(5 * time.Minute)
		s.wantRuns("+0s req-1", "+1m0s req-1", "+3m0s req-1")
		if got := s.bodies(); len(got) != 1 || !strings.Contains(got[0], `"approximateInvokeCount":3`) {
			t.Errorf("records: %q", got)
		}
	})
}

func TestEventThatWouldBeTooOldIsGivenUp(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = fails
		s.function("f", nil)
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", MaximumEventAgeInSeconds: ptr(int32(90)), DestinationConfig: destination("", queueARN("bad"))})
		s.send(`{"n":1}`)
		time.Sleep(10 * time.Minute)
		s.wantRuns("+0s req-1", "+1m0s req-1")
		if d := cmp.Diff([]string{fmt.Sprintf(recordHead, "00:01:00", "EventAgeExceeded", 2) + failedTail}, s.bodies()); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
	})
}

func TestThrottledEventIsTriedUntilItsAge(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = func(*call) (outcome, error) { return outcome{}, throttled(reasonReserved) }
		s.function("f", nil)
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", MaximumRetryAttempts: ptr(int32(0)), DestinationConfig: destination(queueARN("ok"), queueARN("bad"))})
		s.send(`{"n":1}`)
		time.Sleep(8 * time.Second)
		s.wantRuns("+0s req-1", "+1s req-1", "+3s req-1", "+7s req-1")
		time.Sleep(7 * time.Hour)
		if d := cmp.Diff([]string{"EventAgeExceeded"}, s.conditions()); d != "" {
			t.Errorf("conditions (-want +got):\n%s", d)
		}
		if strings.Contains(s.bodies()[0], "responseContext") {
			t.Errorf("a function that did not run has no response: %s", s.bodies()[0])
		}
		if len(s.runs) < 70 || len(s.runs) > 90 {
			t.Errorf("%d tries in six hours: the back-off must end at five minutes", len(s.runs))
		}
		s.answer = succeeds
		s.send(`{"n":1}`)
		if d := cmp.Diff([]string{"EventAgeExceeded", "Success"}, s.conditions()); d != "" {
			t.Errorf("conditions (-want +got):\n%s", d)
		}
	})
}

// conditions returns those of the records that were sent.
func (s *stage) conditions() (out []string) {
	for _, b := range s.bodies() {
		var rec invocationRecord
		if err := json.Unmarshal([]byte(b), &rec); err == nil {
			out = append(out, rec.Request.Condition)
		}
	}
	return out
}

// Events that meet a function whose one place is taken are not throttled: they run as soon as it is free.
func TestEventsWaitForWhatTheirFunctionHasReserved(t *testing.T) {
	onStage(t, func(s *stage) {
		s.function("f", func(f *function) { f.Reserved = ptr(int32(1)) })
		s.answer = func(*call) (outcome, error) {
			time.Sleep(20 * time.Second)
			return outcome{payload: []byte("1")}, nil
		}
		for range 4 {
			s.send(`{"n":1}`)
		}
		time.Sleep(2 * time.Minute)
		s.wantRuns("+0s req-1", "+20s req-1", "+40s req-1", "+1m0s req-1")
	})
}

// TestEventsThatWaitRunTheFunctionOfTheirTurn updates a function while its events wait, as recorded in LocalStack's test_async_invoke_queue_upon_function_update.
func TestEventsThatWaitRunTheFunctionOfTheirTurn(t *testing.T) {
	onStage(t, func(s *stage) {
		variant := func(name string) {
			s.function("f", func(f *function) { f.Reserved, f.Latest.Env = ptr(int32(1)), map[string]string{"VARIANT": name} })
		}
		ran := make(chan string, 3)
		s.answer = func(c *call) (outcome, error) {
			ran <- c.version.Env["VARIANT"]
			time.Sleep(20 * time.Second)
			return outcome{payload: []byte("1")}, nil
		}
		variant("one")
		s.send(`{"n":1}`)
		s.send(`{"n":2}`)
		variant("two")
		s.send(`{"n":3}`)
		for i, want := range []string{"one", "two", "two"} {
			if got := <-ran; got != want {
				t.Errorf("event %d ran variant %s, want %s", i, got, want)
			}
		}
		time.Sleep(20 * time.Second) // of the last
	})
}

func TestFunctionWithoutConcurrencyLosesItsEventsAtOnce(t *testing.T) {
	onStage(t, func(s *stage) {
		s.function("f", func(f *function) { f.Reserved = ptr(int32(0)); f.Latest.DeadLetter = queueARN("dead") })
		s.send(`{"n":1}`)
		want := []string{`ErrorCode=Number:200 ErrorMessage=String:The function's reserved concurrency is 0. RequestID=String:req-1 {"n":1}`}
		if d := cmp.Diff(want, s.bodies()); d != "" {
			t.Errorf("dead letters (-want +got):\n%s", d)
		}
		s.wantRuns()
	})
}

func TestDestinationsOfEveryKind(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = fails
		s.function("f", nil)
		s.function("other", nil)
		for target, operation := range map[string]string{
			"arn:aws:lambda:us-east-1:000000000000:function:other": "Invoke", "arn:aws:sns:us-east-1:000000000000:t": "Publish",
			"arn:aws:events:us-east-1:000000000000:event-bus/b": "PutEvents", "arn:aws:s3:::bucket": "PutObject",
		} {
			s.calls = nil
			s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", MaximumRetryAttempts: ptr(int32(0)), DestinationConfig: destination("", target)})
			s.send(`{"n":1}`)
			if len(s.calls) == 0 || s.calls[0].Operation != operation {
				t.Fatalf("%s: calls %+v", target, s.calls)
			}
			if in, ok := s.calls[0].In.(*s3api.PutObjectInput); ok && !strings.HasPrefix(in.Key, "aws/lambda/async/f/2000/01/01/2000-01-01T00.00.00-") {
				t.Errorf("key %s", in.Key)
			}
		}
	})
}

func TestRefusedDeliveryIsToldInTheLog(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = succeeds
		s.refuse = func(string, string) error { return service.Errorf("QueueDoesNotExist", "no queue") }
		s.function("f", nil)
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination(queueARN("gone"), "")})
		s.send(`{"n":1}`)
		if log := s.log.String(); !strings.Contains(log, "event not delivered") || !strings.Contains(log, "no queue") {
			t.Errorf("log: %s", log)
		}
	})
}

func TestLoopIsEnded(t *testing.T) {
	onStage(t, func(s *stage) {
		s.answer = succeeds
		r := s.function("f", func(f *function) { f.Latest.DeadLetter = queueARN("dead") })
		// Every answer of the function is sent to it again with the header that it saw.
		header, hops := "", 0
		for ; hops < 30; hops++ {
			c := &call{ref: r, requestID: "0a0b0c0d-0000-4000-8000-000000000001", snapshot: &snapshot{}}
			if err := c.trace(header, time.Now()); err != nil {
				if service.Code(err) != "RecursiveInvocationException" {
					t.Error(err)
				}
				break
			}
			if header = c.traceID; hops == 0 {
				want := "Root=1-386d4380-0a0b0c0d0000400080000000;Parent=8000000000000001;Sampled=0;Lineage=" + functionHash(r) + ":1"
				if header != want {
					t.Errorf("header %s\nwant   %s", header, want)
				}
			}
		}
		if hops != maxHops {
			t.Errorf("the loop was ended after %d hops", hops)
		}
		ctx := service.WithRequest(s.ctx, &service.Request{ID: "req-2", Account: "000000000000", Region: "us-east-1", Trace: header})
		if _, err := s.invoke(ctx, &api.InvokeInput{FunctionName: "f"}); service.Code(err) != "RecursiveInvocationException" {
			t.Errorf("a call in the loop: %v", err)
		}
		err := s.store.Update(ctx, func(tx store.Txn) error {
			return s.EnqueueAsync(ctx, tx, port.Source{Service: "s3.amazonaws.com"}, r.arn(), []byte(`{}`))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.bodies(); len(got) != 1 || !strings.Contains(got[0], "recursive loop") {
			t.Errorf("dead letters: %q", got)
		}
		s.function("f", func(f *function) { f.Recursion = api.RecursiveLoopAllow })
		if _, err := s.invoke(ctx, &api.InvokeInput{FunctionName: "f", InvocationType: "Event"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(s.runs) != 1 {
			t.Errorf("a loop that is allowed ran %d times", len(s.runs))
		}
	})
}

func TestLineageKeepsOtherFunctions(t *testing.T) {
	c := &call{ref: ref{name: "f"}, requestID: "x", snapshot: &snapshot{}}
	own := functionHash(c.ref)
	for header, want := range map[string]string{
		"Root=1-2;Lineage=aaaaaaaa:3|" + own + ":4":            "Root=1-2;Lineage=aaaaaaaa:3|" + own + ":5",
		"Root=1-2;Parent=3;Sampled=1":                          "Root=1-2;Parent=3;Sampled=1;Lineage=" + own + ":1",
		"Lineage=nonsense;Root=1-2":                            "Root=1-2;Lineage=nonsense|" + own + ":1",
		"Root=1-2;Lineage=1:1|2:1|3:1|4:1|5:1|6:1|7:1|8:1|9:1": "Root=1-2;Lineage=3:1|4:1|5:1|6:1|7:1|8:1|9:1|" + own + ":1",
	} {
		if err := c.trace(header, time.Now()); err != nil || c.traceID != want {
			t.Errorf("trace(%q) = %q, %v\nwant %q", header, c.traceID, err, want)
		}
	}
}

func TestEventInvokeConfigAnswersAsRecorded(t *testing.T) {
	onStage(t, func(s *stage) {
		r := s.function("f", nil)
		s.function("g", nil)
		self := r.arn()
		for _, tc := range []struct {
			name string
			in   api.PutFunctionEventInvokeConfigInput
			want string
		}{
			{"no function", api.PutFunctionEventInvokeConfigInput{FunctionName: "none", MaximumRetryAttempts: ptr(int32(1))}, "ResourceNotFoundException: The function doesn't exist."},
			{"no alias", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", Qualifier: ptr("none"), MaximumRetryAttempts: ptr(int32(1))}, "ResourceNotFoundException: The function doesn't exist."},
			{"nothing", api.PutFunctionEventInvokeConfigInput{FunctionName: "none"}, "InvalidParameterValueException: You must specify at least one of error handling or destination setting."},
			{"no destination function", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination(self+"x", "")}, "InvalidParameterValueException: The destination ARN " + self + "x is invalid."},
			{"itself", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("", self)}, "InvalidParameterValueException: You can't specify the function as a destination for itself."},
			{"another service", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("arn:aws:iam::000000000000:user/x", "")}, "InvalidParameterValueException: The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:iam::000000000000:user/x), onFailure=null) is invalid."},
			{"success to a bucket", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("arn:aws:s3:::b", "")}, "InvalidParameterValueException: The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::b), onFailure=null) is invalid."},
			{"role without permission", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("", queueARN("forbidden"))}, "InvalidParameterValueException: The provided execution role does not have permissions to call SendMessage on SQS"},
			{"no destination", api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: &api.DestinationConfig{OnSuccess: &api.OnSuccess{}}}, ""},
			{"retries", api.PutFunctionEventInvokeConfigInput{FunctionName: "f:$LATEST", Qualifier: ptr("$LATEST"), MaximumRetryAttempts: ptr(int32(1))}, ""},
		} {
			if _, err := s.putFunctionEventInvokeConfig(s.ctx, &tc.in); errorText(err) != tc.want {
				t.Errorf("%s: %v\nwant %s", tc.name, err, tc.want)
			}
		}
		out, err := s.updateFunctionEventInvokeConfig(s.ctx, &api.UpdateFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination(r.with("").function()[:len(self)-1]+"g", "")})
		if err != nil || *out.MaximumRetryAttempts != 1 || !strings.HasSuffix(*out.DestinationConfig.OnSuccess.Destination, ":g") {
			t.Errorf("an update keeps what it does not name: %+v, %v", out, err)
		}
		s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", MaximumEventAgeInSeconds: ptr(int32(60))})
		list, err := s.listFunctionEventInvokeConfigs(s.ctx, &api.ListFunctionEventInvokeConfigsInput{FunctionName: "f"})
		if err != nil || len(list.FunctionEventInvokeConfigs) != 1 || list.FunctionEventInvokeConfigs[0].MaximumRetryAttempts != nil {
			t.Errorf("a put replaces everything: %+v, %v", list, err)
		}
		if _, err := s.deleteFunctionEventInvokeConfig(s.ctx, &api.DeleteFunctionEventInvokeConfigInput{FunctionName: "f"}); err != nil {
			t.Error(err)
		}
		gone := "ResourceNotFoundException: The function " + self + ":$LATEST doesn't have an EventInvokeConfig"
		_, err = s.getFunctionEventInvokeConfig(s.ctx, &api.GetFunctionEventInvokeConfigInput{FunctionName: "f"})
		_, err2 := s.updateFunctionEventInvokeConfig(s.ctx, &api.UpdateFunctionEventInvokeConfigInput{FunctionName: "f", MaximumRetryAttempts: ptr(int32(1))})
		if errorText(err) != gone || errorText(err2) != gone {
			t.Errorf("after deletion: %v, %v", err, err2)
		}
	})
}

func TestEventInvokeConfigsAreListedInPages(t *testing.T) {
	onStage(t, func(s *stage) {
		r := s.function("f", nil)
		err := s.store.Update(s.ctx, func(tx store.Txn) error {
			for _, q := range []string{latest, "1", "live"} {
				if err := record.Set(tx, r.scope.async("f", q), asyncConfig{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		in := &api.ListFunctionEventInvokeConfigsInput{FunctionName: "f", MaxItems: ptr(int32(2))}
		for {
			out, err := s.listFunctionEventInvokeConfigs(s.ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range out.FunctionEventInvokeConfigs {
				got = append(got, strings.TrimPrefix(*c.FunctionArn, r.function()+":"))
			}
			if in.Marker = out.NextMarker; in.Marker == nil {
				break
			}
			got = append(got, "next")
		}
		if d := cmp.Diff([]string{latest, "1", "next", "live"}, got); d != "" {
			t.Errorf("pages (-want +got):\n%s", d)
		}
		if _, err := s.listFunctionEventInvokeConfigs(s.ctx, &api.ListFunctionEventInvokeConfigsInput{FunctionName: "none"}); errorText(err) != "ResourceNotFoundException: The function doesn't exist." {
			t.Error(err)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// rangeAll yields the keys of the store.
func rangeAll(s *stage) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.store.View(s.ctx, func(rd store.Reader) error {
			for p, err := range rd.Range(store.Span{}) {
				if !yield(string(p.Key), err) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield("", err)
		}
	}
}

package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	bus "lambent.dev/lambent/internal/awsapi/events"
	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/lambda/durable"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// replay is what a durable function of these tests gets: the envelope of its invocation, and the way to checkpoint, as an SDK has them.
type replay struct {
	s     *stage
	ARN   string `json:"DurableExecutionArn"`
	Token string `json:"CheckpointToken"`
	State struct {
		Operations []replayed
		NextMarker string
	} `json:"InitialExecutionState"`
	Updated []string `json:"UpdatedOperationIds"`
}

type replayed struct {
	Id, Type, Status string
	ExecutionDetails struct{ InputPayload string }
	StepDetails      struct {
		Attempt int
		Result  *string
	}
	CallbackDetails      struct{ CallbackId, Result string }
	ChainedInvokeDetails struct {
		Result *string
		Error  struct{ ErrorType, ErrorMessage string }
	}
}

// op is the operation with an id, as the envelope has it; without a status when it is not there.
func (r *replay) op(id string) replayed {
	for _, o := range r.State.Operations {
		if o.Id == id {
			return o
		}
	}
	return replayed{}
}

// checkpoint sends updates and keeps the next token.
func (r *replay) checkpoint(updates ...api.OperationUpdate) (*api.CheckpointDurableExecutionOutput, error) {
	out, err := r.s.durable.Checkpoint(r.s.ctx, &api.CheckpointDurableExecutionInput{DurableExecutionArn: r.ARN, CheckpointToken: r.Token, Updates: updates})
	if err == nil {
		r.Token = orZero(out.CheckpointToken)
	}
	return out, err
}

// must is checkpoint for updates that have to be taken.
func (r *replay) must(updates ...api.OperationUpdate) *api.CheckpointDurableExecutionOutput {
	r.s.t.Helper()
	out, err := r.checkpoint(updates...)
	if err != nil {
		r.s.t.Errorf("checkpoint: %v", err)
		return &api.CheckpointDurableExecutionOutput{NewExecutionState: &api.CheckpointUpdatedExecutionState{}}
	}
	return out
}

func starts(kind, id string) api.OperationUpdate {
	return api.OperationUpdate{Id: id, Type: kind, Action: "START", Name: ptr("the-" + id)}
}

func waits(id string, seconds int32) api.OperationUpdate {
	u := starts("WAIT", id)
	u.WaitOptions = &api.WaitOptions{WaitSeconds: &seconds}
	return u
}

func stepDone(id, result string) api.OperationUpdate {
	return api.OperationUpdate{Id: id, Type: "STEP", Action: "SUCCEED", Payload: &result}
}

func invokes(id, function, payload string) api.OperationUpdate {
	u := starts("CHAINED_INVOKE", id)
	u.Payload, u.ChainedInvokeOptions = &payload, &api.ChainedInvokeOptions{FunctionName: function}
	return u
}

// The answers of durable functions.
func answers(v any) outcome {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return outcome{payload: b}
}

func pends() outcome { return answers(map[string]string{"Status": "PENDING"}) }

func succeedsWith(result string) outcome {
	return answers(map[string]string{"Status": "SUCCEEDED", "Result": result})
}

// durableFunction makes the durable function "f", whose code is fn; other functions answer with their event.
func (s *stage) durableFunction(timeout int32, fn func(r *replay) (outcome, error)) {
	s.answer = func(c *call) (outcome, error) {
		if c.ref.name != "f" {
			return outcome{payload: c.payload}, nil
		}
		r := &replay{s: s}
		if err := json.Unmarshal(c.payload, r); err != nil {
			return outcome{}, err
		}
		return fn(r)
	}
	s.function("f", func(f *function) { f.Latest.Durable = &durable.Config{Timeout: timeout, Retention: 2} })
}

// begin invokes f for an event and returns the ARN of its execution.
func (s *stage) begin(change func(in *api.InvokeInput)) string {
	s.t.Helper()
	in := &api.InvokeInput{FunctionName: "f", Qualifier: ptr(latest), Payload: []byte(`{"n":1}`), InvocationType: "Event"}
	if change != nil {
		change(in)
	}
	out, err := s.invoke(s.ctx, in)
	if err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	return *out.DurableExecutionArn
}

// wantHistory compares the history of an execution: "+1h0m0s TYPE NAME DETAILS" for each event.
func (s *stage) wantHistory(arn string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	out, err := s.durable.History(s.ctx, &api.GetDurableExecutionHistoryInput{DurableExecutionArn: arn})
	if err != nil {
		s.t.Fatal(err)
	}
	var got []string
	for i := range out.Events {
		got = append(got, s.eventText(&out.Events[i]))
	}
	if d := cmp.Diff(want, got); d != "" {
		s.t.Errorf("history (-want +got):\n%s", d)
	}
}

// eventText is an event in short: what varies from run to run is left out.
func (s *stage) eventText(v *api.Event) string {
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		s.t.Fatal(err)
	}
	text := fmt.Sprintf("+%v %s", v.EventTimestamp.Sub(s.began), v.EventType)
	if v.Name != nil {
		text += " " + *v.Name
	}
	details, _ := all[v.EventType+"Details"].(map[string]any)
	clean(details)
	if len(details) > 0 {
		b, err := json.Marshal(details)
		if err != nil {
			s.t.Fatal(err)
		}
		text += " " + string(b)
	}
	return text
}

// clean takes out what is empty or differs from run to run.
func clean(m map[string]any) {
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok {
			if clean(inner); len(inner) == 0 {
				delete(m, k)
			}
			continue
		}
		switch k {
		case "Truncated", "StartTimestamp", "EndTimestamp", "RequestId", "ScheduledEndTimestamp", "CallbackId", "StackTrace", "ErrorData", "DurableExecutionArn":
			delete(m, k)
		}
		if v == nil {
			delete(m, k)
		}
	}
}

func (s *stage) execution(arn string) *api.GetDurableExecutionOutput {
	s.t.Helper()
	synctest.Wait()
	out, err := s.durable.Get(s.ctx, &api.GetDurableExecutionInput{DurableExecutionArn: arn})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func TestDurableExecutionSleepsOverARestartAndIsReplayed(t *testing.T) {
	onStage(t, func(s *stage) {
		fn := func(r *replay) (outcome, error) {
			switch r.op("w").Status {
			case "":
				r.must(starts("STEP", "a"))
				r.must(stepDone("a", `"done"`), waits("w", 3600))
				return pends(), nil
			case "SUCCEEDED":
				return succeedsWith(*r.op("a").StepDetails.Result + " " + r.State.Operations[0].ExecutionDetails.InputPayload + " " + strings.Join(r.Updated, ",")), nil
			}
			return fails(nil)
		}
		s.durableFunction(7200, fn)
		arn := s.begin(nil)
		if e := s.execution(arn); e.Status != "RUNNING" || *e.InputPayload != `{"n":1}` || e.EndTimestamp != nil {
			t.Errorf("execution is %+v", e)
		}
		s.stop()
		time.Sleep(30 * time.Minute)
		s.start()
		time.Sleep(30*time.Minute - time.Second)
		if s.execution(arn).Status != "RUNNING" {
			t.Error("the wait has ended too early")
		}
		time.Sleep(time.Second)
		if e := s.execution(arn); e.Status != "SUCCEEDED" || *e.Result != `"done" {"n":1} w` || e.EndTimestamp.Sub(s.began) != time.Hour {
			t.Errorf("execution is %+v", e)
		}
		s.wantHistory(arn,
			`+0s ExecutionStarted {"ExecutionTimeout":7200,"Input":{"Payload":"{\"n\":1}"}}`,
			`+0s StepStarted the-a`,
			`+0s StepSucceeded the-a {"Result":{"Payload":"\"done\""}}`,
			`+0s WaitStarted the-w {"Duration":3600}`,
			`+0s InvocationCompleted`,
			`+1h0m0s WaitSucceeded the-w {"Duration":3600}`,
			`+1h0m0s InvocationCompleted`,
			`+1h0m0s ExecutionSucceeded {"Result":{"Payload":"\"done\" {\"n\":1} w"}}`,
		)
	})
}

func TestStepIsTriedAgainWhenItsDelayIsOver(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(r *replay) (outcome, error) {
			switch o := r.op("a"); o.Status {
			case "", "READY":
				r.must(starts("STEP", "a"))
				if o.StepDetails.Attempt == 2 {
					r.must(stepDone("a", "1"))
					return succeedsWith("ok"), nil
				}
				r.must(api.OperationUpdate{
					Id: "a", Type: "STEP", Action: "RETRY", StepOptions: &api.StepOptions{NextAttemptDelaySeconds: ptr(int32(5))},
					Error: &api.ErrorObject{ErrorType: ptr("E"), ErrorMessage: ptr("no")},
				})
			default:
				t.Errorf("invoked while the step is %s", o.Status)
			}
			return pends(), nil
		})
		arn := s.begin(nil)
		time.Sleep(10 * time.Second)
		failure := `{"Error":{"Payload":{"ErrorMessage":"no","ErrorType":"E"}},"RetryDetails":{"CurrentAttempt":%d,"NextAttemptDelaySeconds":5}}`
		s.wantHistory(arn,
			`+0s ExecutionStarted {"ExecutionTimeout":600,"Input":{"Payload":"{\"n\":1}"}}`,
			`+0s StepStarted the-a`, `+0s StepFailed the-a `+fmt.Sprintf(failure, 1), `+0s InvocationCompleted`,
			`+5s StepStarted the-a`, `+5s StepFailed the-a `+fmt.Sprintf(failure, 2), `+5s InvocationCompleted`,
			`+10s StepStarted the-a`, `+10s StepSucceeded the-a {"Result":{"Payload":"1"},"RetryDetails":{"CurrentAttempt":3}}`, `+10s InvocationCompleted`,
			`+10s ExecutionSucceeded {"Result":{"Payload":"ok"}}`,
		)
	})
}

// TestCheckpointsAreRefusedInAWSWords takes its cases from testdata/durable/refused.json: checkpoints that are taken, and the message of the last one.
func TestCheckpointsAreRefusedInAWSWords(t *testing.T) {
	b, err := os.ReadFile("testdata/durable/refused.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Message string
		Checkpoints   [][]api.OperationUpdate
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.function("other", nil)
				s.durableFunction(600, func(r *replay) (outcome, error) {
					last := len(c.Checkpoints) - 1
					for _, updates := range c.Checkpoints[:last] {
						r.must(updates...)
					}
					_, err := r.checkpoint(c.Checkpoints[last]...)
					if service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), c.Message) {
						t.Errorf("error is %v, want %q", err, c.Message)
					}
					return succeedsWith("over"), nil
				})
				if e := s.execution(s.begin(nil)); e.Status != "SUCCEEDED" {
					t.Errorf("execution is %+v", e)
				}
			})
		})
	}
}

func TestCheckpointTokenIsGoodForOneCheckpointOfOneInvocation(t *testing.T) {
	onStage(t, func(s *stage) {
		var first replay
		s.durableFunction(600, func(r *replay) (outcome, error) {
			if r.op("w").Status != "" {
				return succeedsWith("over"), nil
			}
			first = *r
			in := &api.CheckpointDurableExecutionInput{DurableExecutionArn: r.ARN, CheckpointToken: r.Token, Updates: []api.OperationUpdate{waits("w", 5)}, ClientToken: ptr("c1")}
			one, err := s.durable.Checkpoint(s.ctx, in)
			if err != nil {
				return outcome{}, err
			}
			again, err := s.durable.Checkpoint(s.ctx, in)
			if d := cmp.Diff(one, again); d != "" || err != nil {
				t.Errorf("a repeated checkpoint was answered with %v (-first +repeated):\n%s", err, d)
			}
			in.ClientToken = ptr("c2")
			if _, err := s.durable.Checkpoint(s.ctx, in); err == nil || !strings.Contains(err.Error(), "Invalid checkpoint token") {
				t.Errorf("a spent token: %v", err)
			}
			r.Token = *one.CheckpointToken
			return pends(), nil
		})
		arn := s.begin(nil)
		if _, err := first.checkpoint(waits("v", 5)); err == nil || !strings.Contains(err.Error(), "Invalid checkpoint token") {
			t.Errorf("the token of an invocation that is over: %v", err)
		}
		time.Sleep(5 * time.Second)
		if e := s.execution(arn); e.Status != "SUCCEEDED" {
			t.Errorf("execution is %+v", e)
		}
	})
}

// TestCheckpointTellsOfWaitsThatAreOver: an SDK whose function is busy in one branch asks with an empty checkpoint for the end of another's wait.
func TestCheckpointTellsOfWaitsThatAreOver(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(r *replay) (outcome, error) {
			r.must(waits("w", 5))
			time.Sleep(5 * time.Second)
			out := r.must()
			if list := out.NewExecutionState.Operations; len(list) != 1 || list[0].Id != "w" || list[0].Status != "SUCCEEDED" {
				t.Errorf("the checkpoint tells of %+v", list)
			}
			if list := r.must().NewExecutionState.Operations; len(list) != 0 {
				t.Errorf("the next one tells again of %+v", list)
			}
			return succeedsWith("over"), nil
		})
		arn := s.begin(nil)
		time.Sleep(time.Minute)
		s.execution(arn)
		s.wantRuns("+0s " + s.firstRequest())
	})
}

// firstRequest is the request id of the first run.
func (s *stage) firstRequest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, id, _ := strings.Cut(s.runs[0], " ")
	return id
}

// calledBack runs an execution that waits for a callback with a timeout of 60 s and a heartbeat of 20 s, does act with its id, and returns how the callback ended.
func (s *stage) calledBack(act func(id string)) string {
	id, end := "", ""
	s.durableFunction(600, func(r *replay) (outcome, error) {
		if o := r.op("c"); o.Status != "" {
			end = o.Status + " " + o.CallbackDetails.Result
			return succeedsWith("over"), nil
		}
		u := starts("CALLBACK", "c")
		u.CallbackOptions = &api.CallbackOptions{TimeoutSeconds: ptr(int32(60)), HeartbeatTimeoutSeconds: ptr(int32(20))}
		id = *r.must(u).NewExecutionState.Operations[0].CallbackDetails.CallbackId
		return pends(), nil
	})
	s.begin(nil)
	act(id)
	synctest.Wait()
	return fmt.Sprintf("%s +%v", end, time.Since(s.began))
}

func (s *stage) beat(id string) error {
	_, err := s.durable.Heartbeat(s.ctx, &api.SendDurableExecutionCallbackHeartbeatInput{CallbackId: id})
	return err
}

func (s *stage) succeed(id, result string) error {
	_, err := s.durable.Succeed(s.ctx, &api.SendDurableExecutionCallbackSuccessInput{CallbackId: id, Result: []byte(result)})
	return err
}

func TestCallbackResumesItsExecution(t *testing.T) {
	for _, c := range []struct {
		name, want string
		act        func(s *stage, id string) error
	}{
		{"success", "SUCCEEDED yes +0s", func(s *stage, id string) error { return s.succeed(id, "yes") }},
		{"failure", "FAILED  +0s", func(s *stage, id string) error {
			_, err := s.durable.Fail(s.ctx, &api.SendDurableExecutionCallbackFailureInput{CallbackId: id, Error: &api.ErrorObject{ErrorType: ptr("No")}})
			return err
		}},
		{"no heartbeat", "TIMED_OUT  +20s", func(*stage, string) error { time.Sleep(20 * time.Second); return nil }},
		{"timeout", "TIMED_OUT  +1m0s", func(s *stage, id string) error {
			for range 3 {
				time.Sleep(15 * time.Second)
				if err := s.beat(id); err != nil {
					return err
				}
			}
			time.Sleep(15 * time.Second)
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				got := s.calledBack(func(id string) {
					if err := c.act(s, id); err != nil {
						t.Error(err)
					}
				})
				if got != c.want {
					t.Errorf("the callback ended as %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestCallbackThatIsOverOrUnknownIsRefused(t *testing.T) {
	onStage(t, func(s *stage) {
		s.calledBack(func(id string) {
			for _, bad := range []string{"AAAA", "not base64", strings.Replace(id, id[len(id)-8:], "AAAAAAAA", 1)} {
				if err := s.succeed(bad, ""); service.Code(err) != "InvalidParameterValueException" {
					t.Errorf("callback %q: %v", bad, err)
				}
			}
			if err := s.succeed(id, ""); err != nil {
				t.Error(err)
			}
			if err := s.succeed(id, ""); service.Code(err) != "CallbackTimeoutException" && service.Code(err) != "InvalidParameterValueException" {
				t.Errorf("a second success: %v", err)
			}
		})
	})
	onStage(t, func(s *stage) {
		s.calledBack(func(id string) {
			time.Sleep(20 * time.Second)
			if err := s.beat(id); service.Code(err) != "CallbackTimeoutException" {
				t.Errorf("a heartbeat after the timeout: %v", err)
			}
		})
	})
}

// chains runs an execution that invokes a function, whose code is others, and returns how the operation ended.
func (s *stage) chains(function string, others func(k *call) (outcome, error)) string {
	end := ""
	s.durableFunction(600, func(r *replay) (outcome, error) {
		if r.op("i").Status == "" {
			r.must(invokes("i", function, `{"to":1}`))
			return pends(), nil
		}
		o := r.op("i")
		end = strings.Join(strings.Fields(strings.Join([]string{o.Status, orZero(o.ChainedInvokeDetails.Result), o.ChainedInvokeDetails.Error.ErrorType, o.ChainedInvokeDetails.Error.ErrorMessage}, " ")), " ")
		return succeedsWith("over"), nil
	})
	f := s.answer
	s.answer = func(k *call) (outcome, error) {
		if k.ref.name == "f" {
			return f(k)
		}
		return others(k)
	}
	s.begin(nil)
	return end
}

func TestChainedInvocationEndsItsOperation(t *testing.T) {
	for _, c := range []struct{ function, want string }{
		{"plain", `SUCCEEDED {"to":1}`},
		{"broken", "FAILED Exception intentional failure"},
		{"missing:1", "FAILED ResourceNotFoundException Function not found: arn:aws:lambda:us-east-1:000000000000:function:missing:1"},
		{"f", "FAILED InvalidParameterValueException You cannot invoke a durable function using an unqualified ARN."},
		{"arn:aws:lambda:us-east-1:000000000000:function:forbidden", "FAILED AccessDeniedException no"},
		{"child:$LATEST", `SUCCEEDED "child of {\"to\":1}"`},
	} {
		t.Run(c.function, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.function("plain", nil)
				s.function("broken", nil)
				s.function("forbidden", nil)
				s.function("child", func(f *function) { f.Latest.Durable = &durable.Config{Timeout: 60, Retention: 1} })
				got := s.chains(c.function, func(k *call) (outcome, error) {
					switch k.ref.name {
					case "broken":
						return fails(k)
					case "child":
						r := &replay{s: s}
						if err := json.Unmarshal(k.payload, r); err != nil {
							return outcome{}, err
						}
						b, err := json.Marshal("child of " + r.State.Operations[0].ExecutionDetails.InputPayload)
						return succeedsWith(string(b)), err
					}
					return outcome{payload: k.payload}, nil
				})
				if got != c.want {
					t.Errorf("the operation ended as %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestExecutionNameMakesStartsIdempotent(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(r *replay) (outcome, error) { return succeedsWith(`"once"`), nil })
		named := func(in *api.InvokeInput) { in.DurableExecutionName = ptr("order-1") }
		arn := s.begin(named)
		if want := "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/order-1/"; !strings.HasPrefix(arn, want) {
			t.Errorf("ARN is %s", arn)
		}
		if again := s.begin(named); again != arn {
			t.Errorf("the second start began %s", again)
		}
		out, err := s.invoke(s.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: ptr(latest), Payload: []byte(`{"n":1}`), DurableExecutionName: ptr("order-1")})
		if err != nil || string(out.Payload) != `"once"` || *out.DurableExecutionArn != arn {
			t.Errorf("a caller that waits gets %+v, %v", out, err)
		}
		_, err = s.invoke(s.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: ptr(latest), Payload: []byte(`{"n":2}`), DurableExecutionName: ptr("order-1")})
		if service.Code(err) != "DurableExecutionAlreadyStartedException" {
			t.Errorf("another payload: %v", err)
		}
		if len(s.runs) != 1 {
			t.Errorf("runs are %q", s.runs)
		}
	})
}

func TestExecutionEndsByItsTimeoutOrWhenItIsStopped(t *testing.T) {
	for _, c := range []struct {
		status, event string
		after         time.Duration
	}{
		{"TIMED_OUT", `ExecutionTimedOut {"Error":{"Payload":{"ErrorMessage":"Execution timed out after 600 seconds.","ErrorType":"Execution.Timeout"}}}`, 10 * time.Minute},
		{"STOPPED", `ExecutionStopped {"Error":{"Payload":{"ErrorMessage":"enough","ErrorType":"User"}}}`, time.Minute},
	} {
		t.Run(c.status, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.durableFunction(600, func(r *replay) (outcome, error) {
					r.must(waits("w", 3600))
					return pends(), nil
				})
				arn := s.begin(nil)
				time.Sleep(c.after)
				if c.status == "STOPPED" {
					in := &api.StopDurableExecutionInput{DurableExecutionArn: arn, Error: &api.ErrorObject{ErrorType: ptr("User"), ErrorMessage: ptr("enough")}}
					one, err := s.durable.Stop(s.ctx, in)
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					if two, err := s.durable.Stop(s.ctx, in); err != nil || !two.StopTimestamp.Equal(one.StopTimestamp) {
						t.Errorf("stopped again: %v, %v", two, err)
					}
				}
				if e := s.execution(arn); e.Status != c.status {
					t.Errorf("execution is %+v", e)
				}
				s.wantHistory(arn,
					`+0s ExecutionStarted {"ExecutionTimeout":600,"Input":{"Payload":"{\"n\":1}"}}`, `+0s WaitStarted the-w {"Duration":3600}`, `+0s InvocationCompleted`,
					fmt.Sprintf("+%v %s", c.after, c.event),
				)
				// Two days later nothing is left.
				time.Sleep(48*time.Hour - 2*time.Second)
				synctest.Wait()
				if n := s.rows("lambda.durable"); n == 0 {
					t.Error("the history is gone too early")
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if n := s.rows("lambda.durable"); n != 0 {
					t.Errorf("%d rows are left of an execution whose retention is over", n)
				}
				if _, err := s.durable.Get(s.ctx, &api.GetDurableExecutionInput{DurableExecutionArn: arn}); service.Code(err) != "ResourceNotFoundException" {
					t.Errorf("it is still found: %v", err)
				}
			})
		})
	}
}

// rows counts the rows below a prefix.
func (s *stage) rows(prefix string) (n int) {
	s.t.Helper()
	err := s.store.View(s.ctx, func(rd store.Reader) error {
		n = 0
		for _, err := range rd.Range(key.New(prefix).Span()) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestFailedInvocationsOfAnExecutionAreTriedAgainLater(t *testing.T) {
	onStage(t, func(s *stage) {
		broken := 0
		s.durableFunction(600, func(r *replay) (outcome, error) {
			if broken++; broken == 3 {
				r.must(starts("STEP", "a")) // progress: the count begins anew
			}
			return fails(nil)
		})
		arn := s.begin(nil)
		time.Sleep(time.Minute)
		e := s.execution(arn)
		if e.Status != "FAILED" || *e.Error.ErrorMessage != "intentional failure" {
			t.Errorf("execution is %+v", e)
		}
		var when []string
		for _, r := range s.runs {
			at, _, _ := strings.Cut(r, " ")
			when = append(when, at)
		}
		if d := cmp.Diff([]string{"+0s", "+1s", "+3s", "+4s", "+6s", "+10s", "+18s"}, when); d != "" {
			t.Errorf("runs (-want +got):\n%s", d)
		}
	})
}

func TestFunctionThatIsNotWrappedByTheSDKFailsItsExecution(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(*replay) (outcome, error) { return succeeds(nil) })
		out, err := s.invoke(s.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: ptr(latest)})
		if err != nil || orZero(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "Invalid Status in invocation output.") {
			t.Errorf("answer is %+v, %v", out, err)
		}
	})
}

func TestThrottledInvocationsOfAnExecutionWait(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(*replay) (outcome, error) {
			if time.Since(s.began) < 3*time.Second {
				return outcome{}, throttled(reasonAccount)
			}
			return succeedsWith("over"), nil
		})
		arn := s.begin(nil)
		time.Sleep(10 * time.Second)
		if e := s.execution(arn); e.Status != "SUCCEEDED" {
			t.Errorf("execution is %+v", e)
		}
	})
}

func TestLargePayloadsAreBlobsThatGoWithTheirExecution(t *testing.T) {
	onStage(t, func(s *stage) {
		large := `"` + strings.Repeat("x", 1<<20) + `"`
		s.durableFunction(600, func(r *replay) (outcome, error) {
			r.must(starts("STEP", "a"), stepDone("a", large))
			return succeedsWith(large), nil
		})
		arn := s.begin(nil)
		if e := s.execution(arn); e.Status != "SUCCEEDED" || *e.Result != large {
			t.Errorf("status is %s", e.Status)
		}
		kept := 0
		count := func(id blob.ID) (bool, error) {
			held, err := s.holdsBody(s.ctx, id)
			if held {
				kept++
			}
			return true, err
		}
		for range 2 { // a sweep leaves alone what is newer than the one before
			kept = 0
			if err := s.deps.Blobs.Sweep(s.ctx, count); err != nil {
				t.Fatal(err)
			}
		}
		if kept != 2 {
			t.Errorf("%d blobs are held, want those of the step and of the result", kept)
		}
		time.Sleep(49 * time.Hour)
		synctest.Wait()
		if err := s.deps.Blobs.Sweep(s.ctx, func(id blob.ID) (bool, error) {
			t.Errorf("blob %s is left", id)
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestExecutionThatGrowsOverItsLimitsFails(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(r *replay) (outcome, error) {
			for n := 0; r.Token != ""; n += 250 {
				var updates []api.OperationUpdate
				for i := range 250 {
					updates = append(updates, starts("CONTEXT", fmt.Sprint("c", n+i)))
				}
				r.must(updates...)
			}
			return pends(), nil
		})
		e := s.execution(s.begin(nil))
		if e.Status != "FAILED" || *e.Error.ErrorMessage != "The execution has more than 3000 operations." {
			t.Errorf("execution is %+v", e)
		}
	})
}

// TestStateIsPaged: a function reads more operations than its envelope has, without those below contexts that are closed.
func TestStateIsPaged(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(r *replay) (outcome, error) {
			if r.op("w").Status == "" && r.State.NextMarker == "" {
				inner := starts("STEP", "hidden")
				inner.ParentId = ptr("closed")
				r.must(starts("CONTEXT", "closed"), inner)
				r.must(api.OperationUpdate{Id: "closed", Type: "CONTEXT", Action: "SUCCEED"}, waits("w", 1))
				for n := range 12 {
					var updates []api.OperationUpdate
					for i := range 100 {
						updates = append(updates, starts("CONTEXT", fmt.Sprint("c", n*100+i)))
					}
					r.must(updates...)
				}
				return pends(), nil
			}
			seen := map[string]bool{}
			for _, o := range r.State.Operations {
				seen[o.Id] = true
			}
			first := len(seen)
			for marker := r.State.NextMarker; marker != ""; {
				out, err := s.durable.State(s.ctx, &api.GetDurableExecutionStateInput{DurableExecutionArn: r.ARN, CheckpointToken: r.Token, Marker: &marker, MaxItems: ptr(int32(150))})
				if err != nil {
					return outcome{}, err
				}
				for i := range out.Operations {
					seen[out.Operations[i].Id] = true
				}
				marker = orZero(out.NextMarker)
			}
			if _, err := s.durable.State(s.ctx, &api.GetDurableExecutionStateInput{DurableExecutionArn: r.ARN, CheckpointToken: "AAAA"}); err == nil {
				t.Error("another token reads the state")
			}
			return succeedsWith(fmt.Sprint(first, " ", len(seen), " ", seen["hidden"])), nil
		})
		arn := s.begin(nil)
		time.Sleep(time.Second)
		if e := s.execution(arn); orZero(e.Result) != "1000 1203 false" {
			t.Errorf("execution is %+v, result %s", e, orZero(e.Result))
		}
	})
}

func TestHistoryAndListsArePaged(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(r *replay) (outcome, error) {
			if r.State.Operations[0].ExecutionDetails.InputPayload == `{"n":1}` {
				return succeedsWith("over"), nil
			}
			return answers(map[string]any{"Status": "FAILED", "Error": map[string]string{"ErrorType": "E"}}), nil
		})
		var arns []string
		for i := range 5 {
			arns = append(arns, s.begin(func(in *api.InvokeInput) { in.Payload = fmt.Appendf(nil, `{"n":%d}`, i%2) }))
			time.Sleep(time.Second)
		}
		list := func(in api.ListDurableExecutionsByFunctionInput) (out []string) {
			t.Helper()
			in.FunctionName = "f"
			for {
				page, err := s.listDurableExecutionsByFunction(s.ctx, &in)
				if err != nil {
					t.Fatal(err)
				}
				for i := range page.DurableExecutions {
					out = append(out, page.DurableExecutions[i].DurableExecutionArn)
				}
				if in.Marker = page.NextMarker; in.Marker == nil {
					return out
				}
			}
		}
		backwards := []string{arns[4], arns[3], arns[2], arns[1], arns[0]}
		for _, c := range []struct {
			in   api.ListDurableExecutionsByFunctionInput
			want []string
		}{
			{api.ListDurableExecutionsByFunctionInput{MaxItems: ptr(int32(2))}, arns},
			{api.ListDurableExecutionsByFunctionInput{MaxItems: ptr(int32(2)), ReverseOrder: ptr(true)}, backwards},
			{api.ListDurableExecutionsByFunctionInput{Statuses: []string{"SUCCEEDED"}}, []string{arns[1], arns[3]}},
			{api.ListDurableExecutionsByFunctionInput{StartedAfter: ptr(s.began.Add(time.Second)), StartedBefore: ptr(s.began.Add(4 * time.Second))}, arns[2:4]},
			{api.ListDurableExecutionsByFunctionInput{Qualifier: ptr(latest)}, arns},
			{api.ListDurableExecutionsByFunctionInput{DurableExecutionName: ptr("nobody")}, nil},
		} {
			if d := cmp.Diff(c.want, list(c.in)); d != "" {
				t.Errorf("list %+v (-want +got):\n%s", c.in, d)
			}
		}
		var ids []int32
		in := &api.GetDurableExecutionHistoryInput{DurableExecutionArn: arns[1], MaxItems: ptr(int32(2)), ReverseOrder: ptr(true), IncludeExecutionData: ptr(false)}
		for {
			page, err := s.durable.History(s.ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Events {
				ids = append(ids, *page.Events[i].EventId)
				if d := page.Events[i].ExecutionStartedDetails; d != nil && d.Input.Payload != nil {
					t.Error("the history shows data that nobody wants")
				}
			}
			if in.Marker = page.NextMarker; in.Marker == nil {
				break
			}
		}
		if d := cmp.Diff([]int32{3, 2, 1}, ids); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

func TestInvocationsThatCannotBeginAnExecutionAreRefused(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(901, func(*replay) (outcome, error) { return succeedsWith("over"), nil })
		s.function("plain", nil)
		for _, c := range []struct {
			in      api.InvokeInput
			message string
		}{
			{api.InvokeInput{FunctionName: "f"}, "You cannot invoke a durable function using an unqualified ARN."},
			{api.InvokeInput{FunctionName: "f", InvocationType: "DryRun"}, "You cannot invoke a durable function using an unqualified ARN."},
			{api.InvokeInput{FunctionName: "f:$LATEST"}, "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."},
			{api.InvokeInput{FunctionName: "plain", DurableExecutionName: ptr("n")}, "You cannot provide a DurableExecutionName for a function that is not durable."},
		} {
			if _, err := s.invoke(s.ctx, &c.in); service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), c.message) {
				t.Errorf("%+v: %v", c.in, err)
			}
		}
	})
}

func TestEndOfAnExecutionGoesToTheDestinationsOfItsEvent(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(*replay) (outcome, error) {
			return answers(map[string]any{"Status": "FAILED", "Error": map[string]string{"ErrorType": "E", "ErrorMessage": "no"}}), nil
		})
		s.function("f", func(f *function) {
			f.Latest.Durable, f.Latest.DeadLetter = &durable.Config{Timeout: 600, Retention: 1}, queueARN("dead")
		})
		s.begin(nil)
		want := []string{"ErrorCode=Number:200 ErrorMessage=String:no RequestID=String:req-1 " + `{"n":1}`}
		if d := cmp.Diff(want, s.bodies()); d != "" {
			t.Errorf("dead letters (-want +got):\n%s", d)
		}
	})
}

// TestEventFromAServiceBeginsAnExecution: what a bucket or a topic sends is an execution of a durable function, like any event.
func TestEventFromAServiceBeginsAnExecution(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(7200, func(r *replay) (outcome, error) {
			return succeedsWith(r.State.Operations[0].ExecutionDetails.InputPayload), nil
		})
		err := s.store.Update(s.ctx, func(tx store.Txn) error {
			return s.EnqueueAsync(context.WithoutCancel(s.ctx), tx, port.Source{Service: "s3.amazonaws.com"}, "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", []byte(`{"from":"s3"}`))
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		out, err := s.listDurableExecutionsByFunction(s.ctx, &api.ListDurableExecutionsByFunctionInput{FunctionName: "f"})
		if err != nil || len(out.DurableExecutions) != 1 {
			t.Fatal(out, err)
		}
		if e := s.execution(out.DurableExecutions[0].DurableExecutionArn); orZero(e.Result) != `{"from":"s3"}` {
			t.Errorf("execution is %+v", e)
		}
	})
}

// statuses are the status changes that have gone to the default bus, in short.
func (s *stage) statuses() (out []string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		in, ok := c.In.(*bus.PutEventsInput)
		if !ok {
			continue
		}
		e := in.Entries[0]
		var d statusChange
		if err := json.Unmarshal([]byte(orZero(e.Detail)), &d); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, strings.Join([]string{orZero(e.Source), orZero(e.DetailType), d.Function[strings.LastIndex(d.Function, "function:"):], d.Name, d.Status, d.End}, " "))
	}
	slices.Sort(out)
	return out
}

func TestStatusChangesOfExecutionsGoToTheDefaultBus(t *testing.T) {
	onStage(t, func(s *stage) {
		s.durableFunction(600, func(*replay) (outcome, error) { return succeedsWith("1"), nil })
		s.begin(func(in *api.InvokeInput) { in.DurableExecutionName = ptr("one") })
		const event = "aws.lambda Durable Execution Status Change function:f:$LATEST one "
		want := []string{event + "RUNNING ", event + "SUCCEEDED " + s.began.UTC().Format(statusTime)}
		if d := cmp.Diff(want, s.statuses()); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

// TestChildrenEndWithTheExecutionThatWasStopped has an execution wait for another one, which waits for long.
func TestChildrenEndWithTheExecutionThatWasStopped(t *testing.T) {
	for how, end := range map[string]func(s *stage, arn string){
		"STOPPED": func(s *stage, arn string) {
			if _, err := s.durable.Stop(s.ctx, &api.StopDurableExecutionInput{DurableExecutionArn: arn}); err != nil {
				s.t.Fatal(err)
			}
		},
		"TIMED_OUT": func(*stage, string) { time.Sleep(601 * time.Second) },
	} {
		t.Run(how, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.durableFunction(600, func(r *replay) (outcome, error) {
					if r.op("call").Status == "" {
						r.must(invokes("call", "child:$LATEST", "{}"))
					}
					return pends(), nil
				})
				parent := s.answer
				s.answer = func(c *call) (outcome, error) {
					if c.ref.name != "child" {
						return parent(c)
					}
					r := &replay{s: s}
					if err := json.Unmarshal(c.payload, r); err != nil {
						return outcome{}, err
					}
					if r.op("long").Status == "" {
						r.must(waits("long", 3600))
					}
					return pends(), nil
				}
				s.function("child", func(f *function) { f.Latest.Durable = &durable.Config{Timeout: 7200, Retention: 1} })
				arn := s.begin(nil)
				list := func() string {
					t.Helper()
					synctest.Wait()
					out, err := s.listDurableExecutionsByFunction(s.ctx, &api.ListDurableExecutionsByFunctionInput{FunctionName: "child"})
					if err != nil || len(out.DurableExecutions) != 1 {
						t.Fatal(out, err)
					}
					return out.DurableExecutions[0].Status
				}
				if got := list(); got != api.ExecutionStatusRunning {
					t.Errorf("the child is %s", got)
				}
				end(s, arn)
				if got := s.execution(arn).Status; got != how {
					t.Errorf("the parent is %s", got)
				}
				if got := list(); got != api.ExecutionStatusStopped {
					t.Errorf("the child of an execution that is %s is %s", how, got)
				}
			})
		})
	}
}

// TestTenantGoesWithAnExecution begins executions for a tenant, one of which invokes a function for another.
func TestTenantGoesWithAnExecution(t *testing.T) {
	onStage(t, func(s *stage) {
		var tenants []string
		s.durableFunction(600, func(r *replay) (outcome, error) {
			if r.op("call").Status == "" {
				u := invokes("call", "g", "{}")
				u.ChainedInvokeOptions.TenantId = ptr("b")
				r.must(u)
				return pends(), nil
			}
			return succeedsWith("1"), nil
		})
		of := s.answer
		s.answer = func(c *call) (outcome, error) {
			tenants = append(tenants, c.ref.name+" "+c.tenant+" "+c.key.tenant)
			return of(c)
		}
		isolated := func(f *function) { f.Latest.Tenants = true }
		s.function("f", func(f *function) {
			f.Latest.Durable = &durable.Config{Timeout: 600, Retention: 1}
			isolated(f)
		})
		s.function("g", isolated)
		s.begin(func(in *api.InvokeInput) { in.TenantId = ptr("a") })
		synctest.Wait()
		if d := cmp.Diff([]string{"f a a", "g b b", "f a a"}, tenants); d != "" {
			t.Errorf("invocations (-want +got):\n%s", d)
		}
	})
}

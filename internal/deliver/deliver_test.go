package deliver_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	busapi "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// door notes the calls that come to it and answers with what answer returns.
type door struct {
	mu     sync.Mutex // guards the fields below
	calls  []string
	answer func(operation string) (any, error)
}

func (d *door) Call(ctx context.Context, api, operation string, in any) (any, error) {
	r := service.RequestFrom(ctx)
	who := r.Principal.Service + " for " + r.Principal.SourceARN + " of " + r.Principal.SourceAccount
	if r.Principal.Kind == service.AssumedRole {
		who = r.Principal.ARN
	}
	fields, err := shown(in)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, strings.TrimSpace(fmt.Sprintf("%s %s in %s/%s by %s trace=%s\n  %s", api, operation, r.Account, r.Region, who, r.Trace, fields)))
	if d.answer == nil {
		return &busapi.PutEventsOutput{}, nil
	}
	return d.answer(operation)
}

func (d *door) Allow(context.Context, service.Target) error { return nil }

// seen returns the calls since it was called last.
func (d *door) seen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// shown is the input as JSON without what is empty.
func shown(in any) (string, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return "", err
	}
	b, err = json.Marshal(strip(m))
	return string(b), err
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil || e == "" {
				delete(v, k)
			} else {
				v[k] = strip(e)
			}
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}

type roles struct{ port.Roles }

func (roles) SessionForService(ctx context.Context, svc, role, session string) (service.Principal, error) {
	if p := service.RequestFrom(ctx).Principal; p.Service != svc {
		return service.Principal{}, fmt.Errorf("the role is assumed by %q", p.Service)
	}
	return service.Principal{Kind: service.AssumedRole, ARN: role + "/" + session}, nil
}

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func newSender(d *door) *deliver.Sender {
	return deliver.New(service.Deps{Door: d, Clock: clock.NewFake(start), Random: rand.Reader, BaseURL: "http://127.0.0.1:4566/"}, roles{})
}

// TestMessageReachesEveryKindOfTarget compares the calls with testdata/targets.txt: one block a message.
func TestMessageReachesEveryKindOfTarget(t *testing.T) {
	blocks, err := os.ReadFile("testdata/targets.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(blocks), "\n\n") {
		head, want, _ := strings.Cut(strings.TrimSpace(block), "\n")
		t.Run(head, func(t *testing.T) {
			m := deliver.Message{From: port.Source{Service: "sns.amazonaws.com", ARN: "arn:aws:sns:eu-west-1:111111111111:alarms", Account: "111111111111"}, ID: "id-1", Body: []byte(`{"n":1}`)}
			if err := json.Unmarshal([]byte(head), &m); err != nil {
				t.Fatal(err)
			}
			d := &door{}
			if err := newSender(d).Send(t.Context(), &m); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, strings.Join(d.seen(), "\n")); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogStreamIsMadeWhenItIsMissing(t *testing.T) {
	made := false
	d := &door{}
	d.answer = func(operation string) (any, error) {
		made = made || operation == "CreateLogStream"
		if !made {
			return nil, service.Errorf("ResourceNotFoundException", "no stream")
		}
		return nil, nil
	}
	m := deliver.Message{Target: "arn:aws:logs:eu-west-1:111111111111:log-group:/g:*", Stream: "s"}
	if err := newSender(d).Send(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	if calls := d.seen(); len(calls) != 3 {
		t.Errorf("calls: %q", calls)
	}
}

func TestBusEntryThatFailedIsAnError(t *testing.T) {
	code, message := "ThrottlingException", "slow down"
	d := &door{answer: func(string) (any, error) {
		return &busapi.PutEventsOutput{Entries: []busapi.PutEventsResultEntry{{ErrorCode: &code, ErrorMessage: &message}}}, nil
	}}
	err := newSender(d).Send(t.Context(), &deliver.Message{Target: "arn:aws:events:eu-west-1:111111111111:event-bus/b", Event: &deliver.Event{}})
	if service.Code(err) != code || !deliver.Retryable(err) {
		t.Errorf("got %v", err)
	}
}

func TestImpossibleTargetsAreRefused(t *testing.T) {
	for _, target := range []string{"", "queue", "arn:aws:ec2:eu-west-1:1:instance/i", "arn:aws:logs:eu-west-1:1:other", "arn:aws:events:eu-west-1:1:event-bus/without-event", "arn:aws:firehose:eu-west-1:1:other/d"} {
		err := newSender(&door{}).Send(t.Context(), &deliver.Message{Target: target})
		if err == nil || deliver.Retryable(err) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestErrorsThatAnotherTryMayMend(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("the disk is slow"), true},
		{service.Errorf("AccessDenied", "no").WithStatus(403), false},
		{service.Errorf("QueueDoesNotExist", "no"), false},
		{service.NotImplemented("ecs", "RunTask"), false},
		{service.Errorf("TooManyRequestsException", "later").WithStatus(429), true},
		{service.Errorf("ThrottlingException", "later"), true},
		{service.Errorf("ProvisionedThroughputExceededException", "later"), true},
		{service.Errorf("ServiceException", "later").WithStatus(500), true},
		{fmt.Errorf("assume: %w", service.Errorf("AccessDenied", "no").WithStatus(403)), false},
	} {
		if got := deliver.Retryable(tc.err); got != tc.want {
			t.Errorf("Retryable(%v) = %v", tc.err, got)
		}
	}
}

// run starts a queue over an empty store and hands over what enqueues.
func run(t *testing.T, q *deliver.Queue, use func(enqueue func(m deliver.Message))) {
	s := mem.New()
	jobs := events.New(s, clock.System{}, slog.New(slog.DiscardHandler))
	if err := errors.Join(jobs.Register(q.Kind()), jobs.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	use(func(m deliver.Message) {
		if err := s.Update(t.Context(), func(tx store.Txn) error { return q.Enqueue(tx, &m) }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	})
	if err := errors.Join(jobs.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestQueueTriesAgainUntilTheTargetAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		d := &door{answer: func(string) (any, error) {
			if tries++; tries < 3 {
				return nil, service.Errorf("ServiceUnavailable", "later").WithStatus(503)
			}
			return nil, nil
		}}
		q := &deliver.Queue{Name: "test.deliver", Sender: newSender(d)}
		run(t, q, func(enqueue func(deliver.Message)) {
			enqueue(deliver.Message{Target: "arn:aws:kinesis:eu-west-1:111111111111:stream/s", Body: []byte("x")})
			time.Sleep(time.Minute)
			synctest.Wait()
		})
		calls := d.seen()
		if len(calls) != 3 || calls[0] != calls[1] || calls[1] != calls[2] {
			t.Errorf("a message must keep its id over its tries: %q", calls)
		}
	})
}

func TestQueueTellsWhatItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{answer: func(string) (any, error) { return nil, service.Errorf("AccessDenied", "no").WithStatus(403) }}
		var dropped []string
		q := &deliver.Queue{Name: "test.deliver", Sender: newSender(d), Dropped: func(_ context.Context, _ store.Txn, m *deliver.Message, attempts int, cause error) error {
			dropped = append(dropped, fmt.Sprintf("%s %s %d %v", m.Target, m.Body, attempts, cause))
			return nil
		}}
		run(t, q, func(enqueue func(deliver.Message)) {
			enqueue(deliver.Message{Target: "arn:aws:sqs:eu-west-1:111111111111:q", Body: []byte("x")})
		})
		if diff := cmp.Diff([]string{"arn:aws:sqs:eu-west-1:111111111111:q x 1 AccessDenied: no"}, dropped); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
	})
}

func TestQueueKeepsTheOrderOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := false
		d := &door{answer: func(string) (any, error) {
			if !failed {
				failed = true
				return nil, io.ErrUnexpectedEOF
			}
			return nil, nil
		}}
		q := &deliver.Queue{Name: "test.deliver", Sender: newSender(d)}
		run(t, q, func(enqueue func(deliver.Message)) {
			for _, body := range []string{"1", "2"} {
				enqueue(deliver.Message{Target: "arn:aws:sqs:eu-west-1:111111111111:q", ID: "id", Order: "g", Body: []byte(body)})
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		})
		calls := d.seen()
		if len(calls) != 3 || calls[0] != calls[1] || !strings.Contains(calls[2], `"MessageBody":"2"`) {
			t.Errorf("calls: %q", calls)
		}
	})
}

func TestMessageOverTheLimitIsRefused(t *testing.T) {
	s := mem.New()
	defer s.Close()
	q := &deliver.Queue{Name: "test.deliver"}
	err := s.Update(t.Context(), func(tx store.Txn) error {
		return q.Enqueue(tx, &deliver.Message{Body: make([]byte, events.MaxPayload)})
	})
	if !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestMessageThatIsGivenUpGoesToItsDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{answer: func(operation string) (any, error) {
			if operation == "Invoke" {
				return nil, service.Errorf("ThrottlingException", "later").WithStatus(429)
			}
			return nil, nil
		}}
		q := &deliver.Queue{Name: "test.deliver", Sender: deliver.New(service.Deps{Door: d, Clock: clock.System{}, Random: rand.Reader, BaseURL: "http://127.0.0.1:4566"}, roles{})}
		run(t, q, func(enqueue func(deliver.Message)) {
			enqueue(deliver.Message{
				Target: "arn:aws:lambda:eu-west-1:111111111111:function:f", Body: []byte("x"), Retry: &deliver.Retry{Attempts: 2, Age: time.Hour},
				DeadLetter: &deliver.DeadLetter{Queue: "arn:aws:sqs:eu-west-1:111111111111:dead", Body: []byte("the event"), Attributes: map[string]deliver.Attribute{"RULE_ARN": {Type: "String", Text: "r"}}},
			})
			time.Sleep(time.Minute)
			synctest.Wait()
		})
		calls := d.seen()
		if len(calls) != 4 || strings.HasPrefix(calls[2], "sqs") || !strings.HasPrefix(calls[3], "sqs SendMessage") {
			t.Fatalf("calls: %q", calls)
		}
		for _, want := range []string{`"MessageBody":"the event"`, `"RETRY_ATTEMPTS":{"DataType":"Number","StringValue":"2"}`, `"ERROR_CODE":{"DataType":"String","StringValue":"THROTTLING"}`, `"EXHAUSTED_RETRY_CONDITION":{"DataType":"String","StringValue":"MaximumRetryAttempts"}`, `"RULE_ARN"`} {
			if !strings.Contains(calls[3], want) {
				t.Errorf("%s is not in %s", want, calls[3])
			}
		}
	})
}

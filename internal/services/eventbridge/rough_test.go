package eventbridge

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

func TestBusRulesAndQueuesAreDeletedInFullTraffic(t *testing.T) {
	h := newHarness(t)
	var work sync.WaitGroup
	stop := make(chan struct{})
	bad := make(chan error, 100)
	for range 3 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, err := service.Call[api.PutEventsOutput](h.ctx, h, "events", "PutEvents", &api.PutEventsInput{Entries: []api.PutEventsRequestEntry{
					{EventBusName: new("b"), Source: new("app"), DetailType: new("k"), Detail: new(`{}`)}, {Source: new("app"), DetailType: new("k"), Detail: new(`{}`)},
				}})
				if err == nil && *out.FailedEntryCount > 0 {
					err = fmt.Errorf("an entry failed: %s", *out.Entries[0].ErrorMessage)
				}
				if err != nil {
					select {
					case bad <- err:
					default:
					}
				}
			}
		})
	}
	for i := range 20 {
		if _, err := h.Call(h.ctx, "events", "CreateEventBus", &api.CreateEventBusInput{Name: "b"}); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("q%d", i%3)
		for _, bus := range []string{"b", "default"} {
			h.rule(bus, name, `{"source":["app"]}`, `{"Id":"t","Arn":"`+h.queue(name)+`"}`)
		}
		if i%2 == 0 {
			if _, err := h.Call(h.ctx, "sqs", "DeleteQueue", &queueapi.DeleteQueueInput{QueueUrl: "http://127.0.0.1:4566/" + account + "/" + name}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Call(h.ctx, "events", "DeleteEventBus", &api.DeleteEventBusInput{Name: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	work.Wait()
	close(bad)
	for err := range bad {
		t.Errorf("a call in the middle of it: %v", err)
	}
}

func TestTargetThatIsDeletedSendsItsEventsToTheDeadLetterQueue(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		dead := h.queue("dead")
		h.rule("default", "r", `{"source":["app"]}`, `{"Id":"t","Arn":"`+h.queue("q")+`","DeadLetterConfig":{"Arn":"`+dead+`"}}`)
		if _, err := h.Call(h.ctx, "sqs", "DeleteQueue", &queueapi.DeleteQueueInput{QueueUrl: "http://127.0.0.1:4566/" + account + "/q"}); err != nil {
			t.Fatal(err)
		}
		h.put("default", "app", `{"n":1}`)
		if got := h.bodies("dead"); len(got) != 1 || !strings.Contains(got[0], `"detail":{"n":1}`) {
			t.Errorf("dead letters: %v", got)
		}
	})
}

func TestAPIDestinationThatFlapsGetsEachEventOnce(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		d := h.connect(`{"Name":"c","AuthorizationType":"API_KEY","AuthParameters":{"ApiKeyAuthParameters":{"ApiKeyName":"K","ApiKeyValue":"v"}}}`)
		dead := h.queue("dead")
		h.rule("default", "r", `{"source":["app"]}`, `{"Id":"d","Arn":"`+d+`","RoleArn":"arn:aws:iam::`+account+`:role/r","HttpParameters":{"PathParameterValues":["p"]},
			"DeadLetterConfig":{"Arn":"`+dead+`"},"RetryPolicy":{"MaximumRetryAttempts":5,"MaximumEventAgeInSeconds":86400}}`)
		for _, tc := range []struct {
			statuses []int
			tries    int
			buried   bool
		}{
			{[]int{503, 500, 429, 200}, 4, false},
			{[]int{302}, 1, true}, // where it leads to is not asked
			{[]int{400}, 1, true},
			{[]int{503, 503, 503, 503, 503, 503}, 6, true}, // the hour is over before it is well
		} {
			h.endpoint.statuses = tc.statuses
			h.put("default", "app", `{}`)
			h.advance(2*time.Hour, 10*time.Second)
			if got := h.endpoint.seen(); len(got) != tc.tries {
				t.Errorf("statuses %v: %d tries, want %d", tc.statuses, len(got), tc.tries)
			}
			got := h.received("dead")
			if (len(got) == 1) != tc.buried {
				t.Errorf("statuses %v: dead letters %v", tc.statuses, got)
			}
		}
		synctest.Wait()
	})
}

func TestAPIDestinationThatIsDownForAnHourGetsEveryEventOrBuriesIt(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		d := h.connect(`{"Name":"c","AuthorizationType":"API_KEY","AuthParameters":{"ApiKeyAuthParameters":{"ApiKeyName":"K","ApiKeyValue":"v"}}}`)
		dead := h.queue("dead")
		for source, age := range map[string]string{"patient": "86400", "hasty": "1800"} {
			h.rule("default", source, `{"source":["`+source+`"]}`, `{"Id":"d","Arn":"`+d+`","RoleArn":"arn:aws:iam::`+account+`:role/r","HttpParameters":{"PathParameterValues":["p"]},
				"DeadLetterConfig":{"Arn":"`+dead+`"},"RetryPolicy":{"MaximumRetryAttempts":185,"MaximumEventAgeInSeconds":`+age+`}}`)
		}
		h.endpoint.answer(500)
		for minute := range 60 {
			if minute%10 == 0 {
				h.put("default", "patient", fmt.Sprintf(`{"n":%d}`, minute))
			}
			if minute == 5 {
				h.put("default", "hasty", `{}`)
			}
			h.advance(time.Minute, 10*time.Second)
		}
		h.endpoint.seen()
		h.endpoint.answer(0)
		h.advance(time.Hour, 10*time.Second)
		if got := h.endpoint.seen(); len(got) != 6 {
			t.Errorf("%d requests when it is well again, want one for each of the 6 events that wait: %v", len(got), got)
		}
		if got := h.received("dead"); len(got) != 1 {
			t.Errorf("%d dead letters, want the one event that does not wait half an hour", len(got))
		}
	})
}

// TestEventsGoRoundOnce has two buses whose rules send every event to the other.
func TestEventsGoRoundOnce(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		if _, err := h.Call(h.ctx, "events", "CreateEventBus", &api.CreateEventBusInput{Name: "b"}); err != nil {
			t.Fatal(err)
		}
		for bus, other := range map[string]string{"default": "b", "b": "default"} {
			h.rule(bus, "on", `{"source":["app"]}`, `{"Id":"t","Arn":"arn:aws:events:eu-west-1:`+account+`:event-bus/`+other+`","RoleArn":"arn:aws:iam::`+account+`:role/r"}`)
			h.rule(bus, "see", `{"source":["app"]}`, `{"Id":"t","Arn":"`+h.queue("seen-"+bus)+`"}`)
		}
		h.put("default", "app", `{}`)
		h.advance(time.Minute, time.Second)
		for bus, want := range map[string]int{"default": 1, "b": 1} {
			if got := h.bodies("seen-" + bus); len(got) != want {
				t.Errorf("%s saw %d events, want %d", bus, len(got), want)
			}
		}
	})
}

package sns

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// moods is an endpoint that behaves as it is told: each post takes the next mood, and the last one stays.
type moods struct {
	endpoint

	mu   sync.Mutex // guards the field below
	list []string
}

func (m *moods) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	mood := m.list[0]
	if len(m.list) > 1 {
		m.list = m.list[1:]
	}
	m.mu.Unlock()
	status := http.StatusOK
	switch mood {
	case "hang":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "redirect":
		status = http.StatusFound
	case "fail":
		status = http.StatusInternalServerError
	}
	m.answer(status)
	out, err := m.endpoint.RoundTrip(r)
	if mood == "redirect" && out != nil {
		out.Header = http.Header{"Location": {"http://example.com/elsewhere"}}
	}
	return out, err
}

// TestEndpointsInBadMoods has endpoints that hang, redirect and flap: a message arrives once they are well, and is buried when they are not in time.
func TestEndpointsInBadMoods(t *testing.T) {
	for name, tc := range map[string]struct {
		moods   []string
		arrives bool
	}{
		"hangs once":         {[]string{"hang", "well"}, true},
		"flaps":              {[]string{"fail", "hang", "fail", "well"}, true},
		"redirects":          {[]string{"redirect"}, false},
		"hangs for ever":     {[]string{"hang"}, false},
		"redirects and then": {[]string{"redirect", "well"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &moods{list: []string{"well"}}
				h := newHarness(t, e)
				topic, dead := h.topic(t, "t", nil), h.queue(t, "dead", nil)
				h.subscribe(t, topic, "http", "http://example.com/in", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `"}`})
				synctest.Wait()
				_, body := e.last()
				var c struct{ Token string }
				if err := json.Unmarshal([]byte(body), &c); err != nil {
					t.Fatal(err)
				}
				do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: c.Token})
				e.mu.Lock()
				e.list = tc.moods
				e.mu.Unlock()
				h.publish(t, topic, "news")
				for range 5 {
					time.Sleep(httpTimeout + time.Second) // of the bubble: a post that hangs ends
					synctest.Wait()
					h.clock.Advance(20 * time.Second)
				}
				synctest.Wait()
				r, body := e.last()
				if arrived := strings.Contains(body, `"Message":"news"`) && e.status == http.StatusOK; arrived != tc.arrives {
					t.Errorf("it arrived: %v (last post %s)", arrived, body)
				}
				if r.URL.Path != "/in" {
					t.Errorf("a redirect was followed to %s", r.URL)
				}
				if got := len(h.bodies(t, "dead")) == 1; got == tc.arrives {
					t.Errorf("it is in the dead-letter queue: %v", got)
				}
			})
		})
	}
}

func TestTopicAndQueuesAreDeletedInFullTraffic(t *testing.T) {
	h := newHarness(t, nil)
	topic := h.topic(t, "t", nil)
	var work sync.WaitGroup
	stop := make(chan struct{})
	bad := make(chan error, 100)
	check := func(err error, allowed ...string) {
		if code := service.Code(err); code != "" && !slices.Contains(allowed, code) {
			select {
			case bad <- err:
			default:
			}
		}
	}
	for range 3 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := h.Call(h.ctx, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: "m"})
				check(err, codeNotFound)
			}
		})
	}
	for i := range 30 {
		name := fmt.Sprintf("q%d", i%3)
		h.queue(t, name, nil)
		_, err := h.Call(h.ctx, "sns", "Subscribe", &api.SubscribeInput{TopicArn: topic, Protocol: "sqs", Endpoint: new("arn:aws:sqs:us-east-1:000000000000:" + name)})
		check(err, codeNotFound)
		if i%2 == 0 {
			_, err = h.Call(h.ctx, "sqs", "DeleteQueue", &queueapi.DeleteQueueInput{QueueUrl: "http://127.0.0.1:4566/000000000000/" + name})
			check(err, "QueueDoesNotExist")
		}
		if i%7 == 0 {
			_, err = h.Call(h.ctx, "sns", "DeleteTopic", &api.DeleteTopicInput{TopicArn: topic})
			check(err)
			_, err = h.Call(h.ctx, "sns", "CreateTopic", &api.CreateTopicInput{Name: "t"})
			check(err)
		}
	}
	close(stop)
	work.Wait()
	close(bad)
	for err := range bad {
		t.Errorf("a call in the middle of it: %v", err)
	}

	// A message that is published then reaches who is subscribed then.
	h.queue(t, "last", nil)
	h.subscribe(t, topic, "sqs", "arn:aws:sqs:us-east-1:000000000000:last", map[string]string{"RawMessageDelivery": "true"})
	h.publish(t, topic, "the end")
	if got := h.bodies(t, "last"); len(got) != 1 || got[0] != "the end" {
		t.Errorf("after it: %v", got)
	}
}

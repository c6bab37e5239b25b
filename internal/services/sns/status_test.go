package sns

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/test/fake"
)

// logs keeps what is logged, by group.
type logs map[string][]string

func (l logs) PutLog(_ context.Context, account, region, group, _ string, lines []port.LogLine) error {
	for _, x := range lines {
		l[account+" "+region+" "+group] = append(l[account+" "+region+" "+group], x.Message)
	}
	return nil
}

func (logs) Flush(context.Context) error { return nil }

// entries returns the log of the topic t, and that of its failures.
func (l logs) entries(t *testing.T) (ok, failed []status) {
	t.Helper()
	for i, group := range []string{"sns/us-east-1/000000000000/t", "sns/us-east-1/000000000000/t/Failure"} {
		for _, text := range l["000000000000 us-east-1 "+group] {
			var e status
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				ok = append(ok, e)
			} else {
				failed = append(failed, e)
			}
		}
	}
	return ok, failed
}

const feedbackRole = "arn:aws:iam::000000000000:role/feedback"

func TestStatusOfDeliveriesIsLogged(t *testing.T) {
	h, kept := newHarness(t, nil), logs{}
	h.impl.options.Logs, h.impl.options.Roles = kept, fake.Roles{}
	topic := h.topic(t, "t", map[string]string{"SQSSuccessFeedbackRoleArn": feedbackRole, "SQSFailureFeedbackRoleArn": feedbackRole, "SQSSuccessFeedbackSampleRate": "100"})
	open, shut := h.queue(t, "open", nil), h.queue(t, "shut", nil)
	h.subscribe(t, topic, "sqs", open, nil)
	h.subscribe(t, topic, "sqs", shut, nil)
	h.Deny(shut)
	h.publish(t, topic, "hello")
	ok, failed := kept.entries(t)
	if len(ok) != 1 || len(failed) != 1 {
		t.Fatalf("logged %v and %v", ok, failed)
	}
	if e := ok[0]; e.Outcome != statusSuccess || e.Delivery.Destination != open || e.Delivery.Status != 200 || e.Notification.MD5 != "5d41402abc4b2a76b9719d911017c592" || e.Delivery.Attempts != 1 {
		t.Errorf("success is logged as %+v", e)
	}
	if e := failed[0]; e.Outcome != statusFailure || e.Delivery.Destination != shut || e.Delivery.Status != http.StatusForbidden || e.Delivery.Response == "" {
		t.Errorf("failure is logged as %+v", e)
	}
	do[api.SetTopicAttributesOutput](t, h, "sns", "SetTopicAttributes", &api.SetTopicAttributesInput{TopicArn: topic, AttributeName: "SQSSuccessFeedbackSampleRate", AttributeValue: new("0")})
	h.publish(t, topic, "hello")
	if ok, failed := kept.entries(t); len(ok) != 1 || len(failed) != 2 {
		t.Errorf("%d successes and %d failures are logged at a rate of 0", len(ok), len(failed))
	}
}

func TestStatusOfPostsIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{status: http.StatusOK}
		h, kept := newHarness(t, e), logs{}
		h.impl.options.Logs = kept
		topic := h.topic(t, "t", map[string]string{
			"HTTPSuccessFeedbackRoleArn": feedbackRole, "HTTPFailureFeedbackRoleArn": feedbackRole,
			"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":2}}}`,
		})
		h.subscribe(t, topic, "http", "http://in.example.com/", nil)
		synctest.Wait()
		_, body := e.last()
		var c struct{ Token string }
		if err := json.Unmarshal([]byte(body), &c); err != nil {
			t.Fatal(err)
		}
		do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: c.Token})
		h.publish(t, topic, "hello")
		synctest.Wait()
		e.answer(http.StatusServiceUnavailable)
		h.publish(t, topic, "hello")
		for range 5 {
			synctest.Wait()
			h.clock.Advance(2 * time.Second)
		}
		synctest.Wait()
		ok, failed := kept.entries(t)
		if len(ok) != 1 || len(failed) != 1 || failed[0].Delivery.Status != http.StatusServiceUnavailable || failed[0].Delivery.Attempts != 3 {
			t.Errorf("logged %+v and %+v", ok, failed)
		}
	})
}

func TestFeedbackAttributesAreChecked(t *testing.T) {
	h := newHarness(t, nil)
	for name, value := range map[string]string{"SQSSuccessFeedbackSampleRate": "101", "LambdaSuccessFeedbackSampleRate": "x", "HTTPFailureFeedbackRoleArn": "role"} {
		_, err := service.Call[api.CreateTopicOutput](h.ctx, h, "sns", "CreateTopic", &api.CreateTopicInput{Name: "t", Attributes: map[string]string{name: value}})
		if service.Code(err) != "InvalidParameter" {
			t.Errorf("%s as %s: %v", name, value, err)
		}
	}
}

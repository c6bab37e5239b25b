package sns

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of the signature is defined with it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
)

// endpoint is an HTTP endpoint without a network: it remembers what is posted to it, and answers with a status.
type endpoint struct {
	mu     sync.Mutex // guards the fields below
	status int
	posts  []*http.Request
	bodies []string
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.posts, e.bodies = append(e.posts, r), append(e.bodies, string(body))
	if e.status == 0 {
		return nil, errors.New("nobody listens")
	}
	return &http.Response{StatusCode: e.status, Status: strconv.Itoa(e.status), Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func (e *endpoint) answer(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func (e *endpoint) last() (*http.Request, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.posts[len(e.posts)-1], e.bodies[len(e.bodies)-1]
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.posts)
}

func (h *harness) publish(t testing.TB, topic, text string) {
	t.Helper()
	do[api.PublishOutput](t, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: text})
}

func TestSignaturesVerifyAgainstTheServedCertificate(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		h := newHarness(t, nil)
		topic := h.topic(t, "t", map[string]string{"SignatureVersion": version})
		h.subscribe(t, topic, "sqs", h.queue(t, "q", nil), nil)
		subject := "greeting"
		do[api.PublishOutput](t, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: "hello <ü>", Subject: &subject})
		var m struct{ Type, MessageId, TopicArn, Subject, Message, Timestamp, SignatureVersion, Signature, SigningCertURL string }
		body := h.bodies(t, "q")[0]
		if !strings.Contains(body, `"Message":"hello <ü>"`) {
			t.Errorf("the envelope escapes what it need not: %s", body)
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		at, err := url.Parse(m.SigningCertURL)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, at.Path, nil)
		r.RequestURI = strings.TrimPrefix(at.Path, "/_aws/sns")
		h.topics.Routes[0].Handler.ServeHTTP(w, r)
		block, _ := pem.Decode(w.Body.Bytes())
		if block == nil {
			t.Fatalf("the certificate is %q", w.Body)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		text := "Message\n" + m.Message + "\nMessageId\n" + m.MessageId + "\nSubject\n" + m.Subject + "\nTimestamp\n" + m.Timestamp + "\nTopicArn\n" + m.TopicArn + "\nType\n" + m.Type + "\n"
		signature, err := base64.StdEncoding.DecodeString(m.Signature)
		if err != nil {
			t.Fatal(err)
		}
		old, sum := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text)) //nolint:gosec // see above
		digest, hash := old[:], crypto.SHA1
		if version == "2" {
			digest, hash = sum[:], crypto.SHA256
		}
		if err := rsa.VerifyPKCS1v15(certificate.PublicKey.(*rsa.PublicKey), hash, digest, signature); err != nil || m.SignatureVersion != version {
			t.Errorf("version %s: %v", m.SignatureVersion, err)
		}
	}
}

func TestFiltersChooseSubscriptions(t *testing.T) {
	h := newHarness(t, nil)
	topic := h.topic(t, "t", nil)
	raw := func(policy, scope string) map[string]string {
		a := map[string]string{"RawMessageDelivery": "true", "FilterPolicy": policy}
		if scope != "" {
			a["FilterPolicyScope"] = scope
		}
		return a
	}
	h.subscribe(t, topic, "sqs", h.queue(t, "all", nil), map[string]string{"RawMessageDelivery": "true"})
	h.subscribe(t, topic, "sqs", h.queue(t, "big", nil), raw(`{"price":[{"numeric":[">",100]}]}`, ""))
	h.subscribe(t, topic, "sqs", h.queue(t, "red", nil), raw(`{"colors":["red"]}`, ""))
	h.subscribe(t, topic, "sqs", h.queue(t, "bodies", nil), raw(`{"order":{"state":[{"prefix":"p"}]}}`, "MessageBody"))
	send := func(text string, attributes map[string]api.MessageAttributeValue) {
		do[api.PublishOutput](t, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: text, MessageAttributes: attributes})
	}
	value := func(kind, text string) api.MessageAttributeValue {
		return api.MessageAttributeValue{DataType: kind, StringValue: &text}
	}
	send("cheap", map[string]api.MessageAttributeValue{"price": value("Number", "7")})
	send("dear", map[string]api.MessageAttributeValue{"price": value("Number", "700"), "colors": value("String.Array", `["blue","red"]`)})
	send(`{"order":{"state":"paid"}}`, nil)
	send("no object", nil)
	for queue, want := range map[string][]string{
		"all": {"cheap", "dear", `{"order":{"state":"paid"}}`, "no object"}, "big": {"dear"}, "red": {"dear"}, "bodies": {`{"order":{"state":"paid"}}`},
	} {
		if got := h.bodies(t, queue); !slices.Equal(got, want) {
			t.Errorf("%s got %v, want %v", queue, got, want)
		}
	}
}

func TestEndpointConfirmsAndGetsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{status: 200}
		h := newHarness(t, e)
		topic := h.topic(t, "t", nil)
		arn := h.subscribe(t, topic, "https", "https://example.com/in", nil)
		synctest.Wait()
		r, body := e.last()
		var c struct{ Type, Token, SubscribeURL string }
		if err := json.Unmarshal([]byte(body), &c); err != nil || c.Type != typeConfirm || r.Header.Get("X-Amz-Sns-Message-Type") != typeConfirm {
			t.Fatalf("confirmation %s, %v", body, err)
		}
		h.publish(t, topic, "too early")
		synctest.Wait()
		if n := e.count(); n != 1 {
			t.Errorf("%d posts before the confirmation", n)
		}
		if got := *do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: c.Token}).SubscriptionArn; got != arn {
			t.Errorf("confirmed %s, want %s", got, arn)
		}
		h.publish(t, topic, "hello")
		synctest.Wait()
		r, body = e.last()
		if !strings.Contains(body, `"Message":"hello"`) || r.Header.Get("X-Amz-Sns-Subscription-Arn") != arn || r.Header.Get("Content-Type") != defaultContentType {
			t.Errorf("posted %s with %v", body, r.Header)
		}
	})
}

func TestEndpointThatFailsIsTriedAgainAndThenBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{status: 200}
		h := newHarness(t, e)
		topic := h.topic(t, "t", nil)
		dead := h.queue(t, "dead", nil)
		h.subscribe(t, topic, "http", "http://example.com/in", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `"}`})
		synctest.Wait()
		_, body := e.last()
		var c struct{ Token string }
		if err := json.Unmarshal([]byte(body), &c); err != nil {
			t.Fatal(err)
		}
		do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: c.Token})
		e.answer(500)
		before := e.count()
		h.publish(t, topic, "poison")
		for try := range 4 { // the first try and three retries, 20 s apart
			synctest.Wait()
			if got := e.count() - before; got != try+1 {
				t.Fatalf("%d posts after %d × 20 s", got, try)
			}
			if try < 3 && len(h.bodies(t, "dead")) > 0 {
				t.Error("the message was given up too early")
			}
			h.clock.Advance(20 * time.Second)
		}
		synctest.Wait()
		if got := h.bodies(t, "dead"); len(got) != 1 || !strings.Contains(got[0], `"Message":"poison"`) {
			t.Errorf("the dead-letter queue has %v", got)
		}
	})
}

func TestEndpointThatIsDownForAnHourGetsEveryMessageOrBuriesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{status: 200}
		h := newHarness(t, e)
		topic := h.topic(t, "t", nil)
		dead := h.queue(t, "dead", nil)
		h.subscribe(t, topic, "http", "http://example.com/in", map[string]string{
			"RedrivePolicy":  `{"deadLetterTargetArn":"` + dead + `"}`,
			"DeliveryPolicy": `{"healthyRetryPolicy":{"numRetries":30,"minDelayTarget":60,"maxDelayTarget":60}}`,
		})
		synctest.Wait()
		_, body := e.last()
		var c struct{ Token string }
		if err := json.Unmarshal([]byte(body), &c); err != nil {
			t.Fatal(err)
		}
		do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: c.Token})
		e.answer(500)
		for minute := range 60 {
			if minute%10 == 5 {
				h.publish(t, topic, "at "+strconv.Itoa(minute))
			}
			synctest.Wait()
			h.clock.Advance(time.Minute)
		}
		synctest.Wait()
		e.answer(200)
		before := e.count()
		for range 60 {
			h.clock.Advance(time.Minute)
			synctest.Wait()
		}
		// 31 tries are a minute apart: those of 5, 15 and 25 minutes past are over before the hour is.
		if got := e.count() - before; got != 3 {
			t.Errorf("%d posts when it is well again, want one for each of 3 messages", got)
		}
		if got := h.bodies(t, "dead"); len(got) != 3 {
			t.Errorf("%d dead letters, want 3: %v", len(got), got)
		}
	})
}

func TestQueueThatDoesNotLetTheTopicInGetsNothing(t *testing.T) {
	h := newHarness(t, nil)
	topic := h.topic(t, "t", nil)
	open, closed, dead := h.queue(t, "open", nil), h.queue(t, "closed", nil), h.queue(t, "dead", nil)
	h.subscribe(t, topic, "sqs", open, nil)
	h.subscribe(t, topic, "sqs", closed, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `"}`})
	h.Deny(closed)
	h.publish(t, topic, "hello")
	for queue, want := range map[string]int{"open": 1, "closed": 0, "dead": 1} {
		if got := h.bodies(t, queue); len(got) != want {
			t.Errorf("%s has %v", queue, got)
		}
	}
}

func TestMessagesAreSignedBeforeTheirTransaction(t *testing.T) {
	h := newHarness(t, nil)
	fifo := map[string]string{"FifoTopic": "true"}
	for name, c := range map[string]struct {
		attributes, subscription map[string]string
		want                     int
	}{
		"standard":      {want: 1},
		"v2.fifo":       {attributes: map[string]string{"FifoTopic": "true", "SignatureVersion": "2"}, want: 1},
		"unsigned.fifo": {attributes: fifo},
		"raw":           {subscription: map[string]string{"RawMessageDelivery": "true"}},
	} {
		var queue map[string]string
		if c.attributes != nil {
			queue = map[string]string{"FifoQueue": "true"}
		}
		topic := h.topic(t, name, c.attributes)
		h.subscribe(t, topic, "sqs", h.queue(t, name, queue), c.subscription)
		viewed, err := h.impl.viewTopic(h.ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		plans, err := h.impl.plan(h.ctx, viewed, []*message{{ID: "id", TopicARN: topic, Body: "hello"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(plans[0].m.byText); got != c.want {
			t.Errorf("%s: %d signatures before the transaction, want %d", name, got, c.want)
		}
	}
}

func TestFunctionGetsAnEvent(t *testing.T) {
	h := newHarness(t, nil)
	topic := h.topic(t, "t", nil)
	h.subscribe(t, topic, "lambda", "arn:aws:lambda:us-east-1:000000000000:function:f", nil)
	h.publish(t, topic, "hello")
	events := h.functions.Seen()
	if len(events) != 1 {
		t.Fatalf("events: %v", events)
	}
	for _, part := range []string{`function:f {"Records":[{"EventSource":"aws:sns"`, `"Message":"hello"`, `"Subject":null`, `"MessageAttributes":{}`} {
		if !strings.Contains(events[0], part) {
			t.Errorf("the event has no %s: %s", part, events[0])
		}
	}
}

func TestLargeFanOutGoesOnInJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, nil)
		topic := h.topic(t, "t", nil)
		const queues = 30
		for i := range queues {
			h.subscribe(t, topic, "sqs", h.queue(t, fmt.Sprintf("q%d", i), nil), map[string]string{"RawMessageDelivery": "true"})
		}
		text := strings.Repeat("x", 250<<10)
		h.publish(t, topic, text)
		synctest.Wait()
		for i := range queues {
			if got := h.bodies(t, fmt.Sprintf("q%d", i)); len(got) != 1 || got[0] != text {
				t.Errorf("queue %d has %d messages", i, len(got))
			}
		}
	})
}

func TestFIFOTopicKeepsOrderForgetsRepeatsAndReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, nil)
		fifo := map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true", "ArchivePolicy": `{"MessageRetentionPeriod":"7"}`}
		topic := h.topic(t, "t.fifo", fifo)
		queue := map[string]string{"FifoQueue": "true"}
		raw := map[string]string{"RawMessageDelivery": "true"}
		h.subscribe(t, topic, "sqs", h.queue(t, "first.fifo", queue), raw)
		group := "g"
		var sequences []string
		for _, text := range []string{"1", "2", "1", "3"} {
			out := do[api.PublishOutput](t, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: text, MessageGroupId: &group})
			sequences = append(sequences, *out.SequenceNumber)
		}
		if sequences[2] != sequences[0] || sequences[0] >= sequences[1] || sequences[1] >= sequences[3] {
			t.Errorf("sequence numbers %v", sequences)
		}
		if got := h.bodies(t, "first.fifo"); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("the subscriber got %v", got)
		}
		late := h.subscribe(t, topic, "sqs", h.queue(t, "late.fifo", queue), raw)
		policy := `{"PointType":"Timestamp","StartingPoint":"2026-11-25T11:00:00Z"}`
		do[api.SetSubscriptionAttributesOutput](t, h, "sns", "SetSubscriptionAttributes", &api.SetSubscriptionAttributesInput{SubscriptionArn: late, AttributeName: "ReplayPolicy", AttributeValue: &policy})
		synctest.Wait()
		if got := h.bodies(t, "late.fifo"); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("the replay gave %v", got)
		}
		if got := do[api.GetSubscriptionAttributesOutput](t, h, "sns", "GetSubscriptionAttributes", &api.GetSubscriptionAttributesInput{SubscriptionArn: late}).Attributes["ReplayStatus"]; got != replayCompleted {
			t.Errorf("the replay is %q", got)
		}
	})
}

func TestDeletedTopicIsGoneWithItsSubscriptions(t *testing.T) {
	h := newHarness(t, nil)
	topic := h.topic(t, "t", nil)
	sub := h.subscribe(t, topic, "sqs", h.queue(t, "q", nil), nil)
	do[api.DeleteTopicOutput](t, h, "sns", "DeleteTopic", &api.DeleteTopicInput{TopicArn: topic})
	_, err := service.Call[api.GetSubscriptionAttributesOutput](h.ctx, h, "sns", "GetSubscriptionAttributes", &api.GetSubscriptionAttributesInput{SubscriptionArn: sub})
	if service.Code(err) != codeNotFound {
		t.Errorf("the subscription: %v", err)
	}
	_, err = service.Call[api.PublishOutput](h.ctx, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: "x"})
	if service.Code(err) != codeNotFound {
		t.Errorf("a publish: %v", err)
	}
}

func TestMailsAreKeptInTheOutbox(t *testing.T) {
	h := newHarness(t, nil)
	topic := h.topic(t, "t", nil)
	h.subscribe(t, topic, "email", "ann@example.com", nil)
	kept, err := h.impl.kept(h.ctx, place{"000000000000", "us-east-1"}, 10)
	if err != nil || len(kept) != 1 || kept[0].To != "ann@example.com" {
		t.Fatalf("the outbox has %v, %v", kept, err)
	}
	_, token, _ := strings.Cut(kept[0].Body, "&Token=")
	do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: token})
	h.publish(t, topic, "hello")
	kept, err = h.impl.kept(h.ctx, place{"000000000000", "us-east-1"}, 10)
	if err != nil || len(kept) != 2 || kept[0].Body != "hello" {
		t.Errorf("the outbox has %v, %v", kept, err)
	}
}

func TestDeliveryStreamGetsMessagesOnLines(t *testing.T) {
	h := newHarness(t, nil)
	topic, stream := h.topic(t, "t", nil), "arn:aws:firehose:us-east-1:000000000000:deliverystream/s"
	in := &api.SubscribeInput{TopicArn: topic, Protocol: "firehose", Endpoint: &stream}
	if _, err := h.Call(h.ctx, "sns", "Subscribe", in); service.Code(err) != codeInvalid || !strings.Contains(err.Error(), "SubscriptionRoleArn") {
		t.Errorf("a subscription without a role gives %v", err)
	}
	in.Attributes = map[string]string{"SubscriptionRoleArn": "arn:aws:iam::000000000000:role/r"}
	do[api.SubscribeOutput](t, h, "sns", "Subscribe", in)
	h.publish(t, topic, "hello")
	if got := h.deliveries.lines; len(got) != 1 || !strings.HasPrefix(got[0], `{"Type":"Notification"`) && !strings.Contains(got[0], `"Message":"hello"`) || !strings.HasSuffix(got[0], "}\n") {
		t.Errorf("the stream got %q", got)
	}
	if want := "arn:aws:iam::000000000000:role/r " + stream; h.deliveries.asked != want {
		t.Errorf("asked for %q, want %q", h.deliveries.asked, want)
	}
}

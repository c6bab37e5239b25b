package sns

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// httpKind is the job that posts a message to an endpoint.
const httpKind = "sns-http"

// postJob is the payload of a job that posts. Its retries are jobs of their own, since each subscription has its own policy.
type postJob struct {
	Account, Region, Topic   string
	Subscription, Endpoint   string
	Type, MessageID, TopicID string
	Raw                      bool `json:",omitempty"`
	ContentType              string
	Body                     string
	Retry                    retryPolicy
	Attempt                  int
	Published, MD5           string             `json:",omitempty"` // for the log of deliveries
	Dead                     string             `json:",omitempty"`
	DeadMessage              *port.QueueMessage `json:",omitempty"`
}

// postLater adds a post to the transaction.
func (s *Service) postLater(ctx context.Context, tx store.Txn, m *sealed, x *subscriber) (int, error) {
	policy := m.t.delivery()
	j := &postJob{
		Account: m.t.place.account, Region: m.t.place.region, Topic: m.t.Name, Subscription: x.ID, Endpoint: x.Endpoint, Type: typeNotification, MessageID: m.ID,
		TopicID: m.TopicARN, Raw: x.raw(), ContentType: policy.Request.ContentType, Retry: policy.Retry, Dead: x.dead,
	}
	if m.t.feedback(x.Protocol, m.ID, false) != "" || m.t.feedback(x.Protocol, m.ID, true) != "" {
		j.Published, j.MD5 = m.Timestamp, bodyDigest(m.Body)
	}
	if text := x.Attributes["DeliveryPolicy"]; text != "" && !policy.Disable {
		own := struct {
			Retry   *retryPolicy   `json:"healthyRetryPolicy"`
			Request *requestPolicy `json:"requestPolicy"`
		}{Retry: &j.Retry}
		if json.Unmarshal([]byte(text), &own) == nil && own.Request != nil && own.Request.ContentType != "" {
			j.ContentType = own.Request.ContentType
		}
	}
	q, err := m.queueMessage(ctx, x)
	if err != nil {
		return 0, err
	}
	j.Body = q.Body
	if x.raw() {
		j.Body = m.bodyFor(x.Protocol)
	}
	if x.dead != "" {
		j.DeadMessage = q
	}
	return len(j.Body), j.enqueue(tx, time.Time{})
}

func (j *postJob) enqueue(tx store.Txn, due time.Time) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: httpKind, Payload: b, NotBefore: due})
}

// askToConfirm adds a confirmation to the transaction: posted, or put into the outbox for those who read mail.
func (s *Service) askToConfirm(tx store.Txn, p place, r *topicRecord, x *subscription, kind string) error {
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return err
	}
	arn := p.arn(r.Name)
	url := s.deps.BaseURL + "/?Action=ConfirmSubscription&TopicArn=" + arn + "&Token=" + x.Token
	text := "You have chosen to subscribe to the topic " + arn + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."
	if kind == typeUnsubscribe {
		text = "You have chosen to deactivate subscription " + arn + ":" + x.ID + ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
	}
	timestamp := s.deps.Clock.Now().UTC().Format(timestampFormat)
	if x.Protocol == protocolEmail || x.Protocol == protocolEmailJSON {
		o := &outgoing{Kind: x.Protocol, To: x.Endpoint, Subject: "AWS Notification - Subscription Confirmation", Body: text + "\n" + url, Time: timestamp}
		if err := s.outbox(tx, p, o); err != nil {
			return err
		}
		return s.mailLater(tx, &mailJob{Account: p.account, Region: p.region, TopicID: arn, Mail: o})
	}
	version := r.Attributes["SignatureVersion"]
	if version == "" {
		version = "1"
	}
	j := &confirmation{Type: kind, ID: id, Token: x.Token, TopicARN: arn, Message: text, URL: url, Timestamp: timestamp, Version: version}
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	policy := r.delivery()
	post := &postJob{
		Account: p.account, Region: p.region, Topic: r.Name, Subscription: x.ID, Endpoint: x.Endpoint, Type: kind, MessageID: id, TopicID: arn,
		ContentType: defaultContentType, Body: string(b), Retry: policy.Retry,
	}
	return post.enqueue(tx, time.Time{})
}

// confirmation is what a confirmation is written from when it is posted: signing needs the key, which a transaction must not make.
type confirmation struct {
	Type, ID, Token, TopicARN, Message, URL, Timestamp, Version string
}

// text returns the confirmation as endpoints get it.
func (c *confirmation) text(ctx context.Context, s *Service) (string, error) {
	g, err := s.signer(ctx)
	if err != nil {
		return "", err
	}
	lines := []string{"Message", c.Message, "MessageId", c.ID, "SubscribeURL", c.URL, "Timestamp", c.Timestamp, "Token", c.Token, "TopicArn", c.TopicARN, "Type", c.Type}
	signature, err := g.sign(c.Version, strings.Join(lines, "\n")+"\n")
	if err != nil {
		return "", err
	}
	var w writer
	for _, m := range [][2]string{
		{"Type", c.Type},
		{"MessageId", c.ID},
		{"Token", c.Token},
		{"TopicArn", c.TopicARN},
		{"Message", c.Message},
		{"SubscribeURL", c.URL},
		{"Timestamp", c.Timestamp},
		{"SignatureVersion", c.Version},
		{"Signature", signature},
		{"SigningCertURL", s.deps.BaseURL + certificatePath + g.file},
	} {
		w.member(m[0], m[1])
	}
	return w.end(), nil
}

// post makes one try to reach an endpoint.
func (s *Service) post(ctx context.Context, job events.Job) error {
	var j postJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(err)
	}
	err := s.try(ctx, &j)
	if ctx.Err() != nil {
		return err
	}
	if j.Attempt++; err == nil {
		return s.tellPost(ctx, &j, nil)
	}
	if j.Attempt <= j.Retry.Retries {
		due := s.deps.Clock.Now().Add(j.Retry.wait(j.Attempt))
		return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error { return j.enqueue(tx, due) }))
	}
	if err := s.tellPost(ctx, &j, err); err != nil {
		return err
	}
	s.deps.Log.InfoContext(ctx, "message given up", slog.String("topic", j.TopicID), slog.String("endpoint", j.Endpoint), slog.Int("attempts", j.Attempt), slog.String("reason", err.Error()))
	return s.buryLate(ctx, place{j.Account, j.Region}, j.TopicID, j.Dead, j.DeadMessage)
}

// buryLate sends a message that was given up after its publish to a dead-letter queue; dead is empty when there is none.
func (s *Service) buryLate(ctx context.Context, p place, topic, dead string, m *port.QueueMessage) error {
	if dead == "" {
		return nil
	}
	inside := s.inside(ctx, p)
	if denied := s.options.Queues.CheckSend(inside, port.Source{Service: "sns.amazonaws.com", ARN: topic, Account: p.account}, dead); denied != nil {
		s.deps.Log.InfoContext(ctx, "message dropped", slog.String("topic", topic), slog.String("dead_letter_queue", dead), slog.String("reason", denied.Error()))
		return nil
	}
	return s.options.Queues.Send(inside, func(_ store.Txn, send func(string, *port.QueueMessage) error) error { return send(dead, m) })
}

// tellPost logs how a post ended, when the topic asks for it.
func (s *Service) tellPost(ctx context.Context, j *postJob, cause error) error {
	if j.Published == "" {
		return nil
	}
	inside := s.inside(ctx, place{j.Account, j.Region})
	t, err := s.viewTopic(inside, j.TopicID)
	if service.Code(err) == codeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	s.tell(inside, &outcome{t: t, message: j.MessageID, md5: j.MD5, published: j.Published, protocol: protocolHTTP, endpoint: j.Endpoint, attempts: j.Attempt, err: cause})
	return nil
}

// try posts a message once.
func (s *Service) try(ctx context.Context, j *postJob) error {
	body := j.Body
	if j.Type != typeNotification {
		var c confirmation
		if err := json.Unmarshal([]byte(j.Body), &c); err != nil {
			return err
		}
		var err error
		if body, err = c.text(ctx, s); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, j.Endpoint, strings.NewReader(body))
	if err != nil {
		return err
	}
	h := r.Header
	h.Set("Content-Type", j.ContentType)
	h.Set("Accept-Encoding", "gzip,deflate")
	h.Set("User-Agent", "Amazon Simple Notification Service Agent")
	h.Set("X-Amz-Sns-Message-Type", j.Type)
	h.Set("X-Amz-Sns-Message-Id", j.MessageID)
	h.Set("X-Amz-Sns-Topic-Arn", j.TopicID)
	if j.Type != typeConfirm {
		h.Set("X-Amz-Sns-Subscription-Arn", j.TopicID+":"+j.Subscription)
	}
	if j.Raw {
		h.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	if r.URL.User != nil {
		password, _ := r.URL.User.Password()
		r.SetBasicAuth(r.URL.User.Username(), password)
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &refusedError{answer.StatusCode, answer.Status}
	}
	return nil
}

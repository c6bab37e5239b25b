package eventbridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	topicapi "lambent.dev/lambent/internal/awsapi/sns"
	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/cloudevent"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

const (
	// maxCloudEvents is how many events a request holds, and maxCloudBody how many bytes: what one call of the services takes.
	maxCloudEvents = 10
	maxCloudBody   = 1 << 20
	// receiptHeader names the receipts of the events in an answer.
	receiptHeader = "Lambent-Receipt"
)

// cloudPlane is the endpoint for CloudEvents, /_aws/cloudevents/ARN (see [cloudTarget]). A POST brings events to an event bus, a topic or a queue; a GET takes them from a queue, which a rule
// or a subscription feeds, and a DELETE confirms them. Requests are signed for the service of the ARN, and each becomes a call of that service by who signed it.
type cloudPlane struct{ *Service }

// ServeHTTP implements [http.Handler].
func (c cloudPlane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := c.serve(w, r)
	if err == nil {
		return
	}
	var known *service.Error
	if !errors.As(err, &known) {
		c.deps.Log.ErrorContext(r.Context(), "request for CloudEvents failed", slog.Any("error", err))
		known = service.Errorf("InternalFailure", "The request failed inside of the platform; its log says why.").WithStatus(http.StatusInternalServerError)
	}
	status := known.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	answerJSON(w, status, map[string]string{"code": known.Code, "message": known.Message})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who went away needs no answer
}

func (c cloudPlane) serve(w http.ResponseWriter, r *http.Request) error {
	path, err := url.PathUnescape(strings.TrimPrefix(front.RoutePath(r), "/"))
	if err != nil {
		return invalid("The path cannot be decoded: %s", err)
	}
	target, ok := cloudTarget(path)
	if !ok {
		return invalid("The path must be /_aws/cloudevents/ARN, with the ARN of an event bus, a topic or a queue, or /_aws/cloudevents/SERVICE/REGION/ACCOUNT/RESOURCE; it names %q.", path)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCloudBody))
	if err != nil {
		return service.Errorf("RequestEntityTooLarge", "The body cannot be read, or has more than %d bytes.", maxCloudBody).WithStatus(http.StatusRequestEntityTooLarge)
	}
	caller, err := c.options.Caller(r, target.Service, body)
	if err != nil {
		return err
	}
	id, err := uuid.New(c.deps.Random)
	if err != nil {
		return err
	}
	ctx := service.WithRequest(r.Context(), &service.Request{
		ID: id, Account: caller.Account, Region: target.Region, Principal: caller, Time: c.now(), SourceIP: front.Peer(r), UserAgent: r.UserAgent(), Secure: front.Secure(r),
		Trace: r.Header.Get("X-Amzn-Trace-Id"),
	})
	switch {
	case r.Method == http.MethodPost:
		return c.take(ctx, w, r.Header, target, body)
	case target.Service == "sqs" && r.Method == http.MethodGet:
		return c.give(ctx, w, r, target)
	case target.Service == "sqs" && r.Method == http.MethodDelete:
		return c.confirm(ctx, w, r, target)
	}
	return service.Errorf("MethodNotAllowed", "%s is not for %s. POST sends events to buses, topics and queues; GET and DELETE take them from a queue, which a rule or a subscription feeds.", r.Method, target).
		WithStatus(http.StatusMethodNotAllowed)
}

// cloudTarget reads the name of a bus, a topic or a queue in a path: its ARN, or the fields of it between slashes, as some clients cannot sign a path with colons.
func cloudTarget(path string) (arn.ARN, bool) {
	if f := strings.SplitN(path, "/", 4); len(f) == 4 && !strings.HasPrefix(path, "arn:") {
		path = arn.New(f[0], f[1], f[2], f[3]).String()
	}
	a, err := arn.Parse(path)
	return a, err == nil && (a.Service == "events" || a.Service == "sns" || a.Service == "sqs")
}

// sent is what became of an event.
type sent struct {
	ID      string `json:"id,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// take brings the events of a request to the target with one call. The answer has an entry for each.
func (c cloudPlane) take(ctx context.Context, w http.ResponseWriter, h http.Header, target arn.ARN, body []byte) error {
	list, err := cloudevent.Read(h, body)
	if err != nil {
		return invalid("%s.", err)
	}
	if len(list) == 0 || len(list) > maxCloudEvents {
		return invalid("A request has between 1 and %d events, and this one %d.", maxCloudEvents, len(list))
	}
	var out []sent
	switch target.Service {
	case "events":
		out, err = c.toBus(ctx, target, list)
	case "sns":
		out, err = c.toTopic(ctx, target, list)
	default:
		out, err = c.toQueue(ctx, target, list)
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	for _, x := range out {
		if x.Code != "" {
			status = http.StatusBadRequest
		}
	}
	answerJSON(w, status, map[string]any{"events": out})
	return nil
}

func (c cloudPlane) toBus(ctx context.Context, target arn.ARN, list []*cloudevent.Event) ([]sent, error) {
	in := &api.PutEventsInput{}
	for _, e := range list {
		entry := api.PutEventsRequestEntry{
			EventBusName: new(target.String()), Source: new(e.Source()), DetailType: new(e.Type()), Detail: new(string(e.JSON())), TraceHeader: opt.Of(service.RequestFrom(ctx).Trace),
		}
		if t := e.Time(); !t.IsZero() {
			entry.Time = &t
		}
		in.Entries = append(in.Entries, entry)
	}
	got, err := service.Call[api.PutEventsOutput](ctx, c.deps.Door, "events", "PutEvents", in)
	if err != nil {
		return nil, err
	}
	var out []sent
	for _, x := range got.Entries {
		out = append(out, sent{opt.Value(x.EventId), opt.Value(x.ErrorCode), opt.Value(x.ErrorMessage)})
	}
	return out, nil
}

// ordering returns the ids that FIFO topics and queues ask for: events of one partition, or else of one source, stay in order, and an event is told by its source and id.
func ordering(target arn.ARN, e *cloudevent.Event) (group, deduplication *string) {
	if !strings.HasSuffix(target.Resource, ".fifo") {
		return nil, nil
	}
	partition := e.Get("partitionkey")
	if partition == "" {
		partition = e.Source()
	}
	g, d := sha256.Sum256([]byte(partition)), sha256.Sum256([]byte(e.Source()+"\x00"+e.ID()))
	return new(hex.EncodeToString(g[:])), new(hex.EncodeToString(d[:]))
}

// told are the attributes of an event that become those of its message, so that filters see them.
func told(e *cloudevent.Event) map[string]string {
	return map[string]string{"content-type": cloudevent.MediaType, "ce-id": e.ID(), "ce-source": e.Source(), "ce-type": e.Type()}
}

func (c cloudPlane) toTopic(ctx context.Context, target arn.ARN, list []*cloudevent.Event) ([]sent, error) {
	in := &topicapi.PublishBatchInput{TopicArn: target.String()}
	for i, e := range list {
		entry := topicapi.PublishBatchRequestEntry{Id: strconv.Itoa(i), Message: string(e.JSON()), MessageAttributes: map[string]topicapi.MessageAttributeValue{}}
		entry.MessageGroupId, entry.MessageDeduplicationId = ordering(target, e)
		for name, v := range told(e) {
			entry.MessageAttributes[name] = topicapi.MessageAttributeValue{DataType: "String", StringValue: new(v)}
		}
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, entry)
	}
	got, err := service.Call[topicapi.PublishBatchOutput](ctx, c.deps.Door, "sns", "PublishBatch", in)
	if err != nil {
		return nil, err
	}
	out := make([]sent, len(list))
	for _, x := range got.Successful {
		out[entryAt(opt.Value(x.Id))].ID = opt.Value(x.MessageId)
	}
	for _, x := range got.Failed {
		out[entryAt(x.Id)] = sent{Code: x.Code, Message: opt.Value(x.Message)}
	}
	return out, nil
}

func (c cloudPlane) toQueue(ctx context.Context, target arn.ARN, list []*cloudevent.Event) ([]sent, error) {
	in := &queueapi.SendMessageBatchInput{QueueUrl: c.options.Sender.QueueURL(target)}
	for i, e := range list {
		entry := queueapi.SendMessageBatchRequestEntry{Id: strconv.Itoa(i), MessageBody: string(e.JSON()), MessageAttributes: map[string]queueapi.MessageAttributeValue{}}
		entry.MessageGroupId, entry.MessageDeduplicationId = ordering(target, e)
		for name, v := range told(e) {
			entry.MessageAttributes[name] = queueapi.MessageAttributeValue{DataType: "String", StringValue: new(v)}
		}
		in.Entries = append(in.Entries, entry)
	}
	got, err := service.Call[queueapi.SendMessageBatchOutput](ctx, c.deps.Door, "sqs", "SendMessageBatch", in)
	if err != nil {
		return nil, err
	}
	out := make([]sent, len(list))
	for _, x := range got.Successful {
		out[entryAt(x.Id)].ID = x.MessageId
	}
	for _, x := range got.Failed {
		out[entryAt(x.Id)] = sent{Code: x.Code, Message: opt.Value(x.Message)}
	}
	return out, nil
}

// entryAt returns the place of an entry of a batch from its id, which is one of ours.
func entryAt(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		return 0
	}
	return n
}

// give answers with events of a queue: one in the binary mode, one in the structured mode, or up to max in the batched mode, as the header Accept asks. They are
// hidden for the queue's visibility timeout and come again unless they are confirmed by their receipts. No event is status 204.
func (c cloudPlane) give(ctx context.Context, w http.ResponseWriter, r *http.Request, target arn.ARN) error {
	query := r.URL.Query()
	limit, err := number(query, "max", 1)
	if err != nil {
		return err
	}
	wait, err := number(query, "wait", 0)
	if err != nil {
		return err
	}
	mode := modeOf(r.Header.Values("Accept"))
	if mode != cloudevent.BatchMediaType && limit != 1 {
		return invalid("The parameter max is for batches: ask for them with the header Accept: %s.", cloudevent.BatchMediaType)
	}
	got, err := service.Call[queueapi.ReceiveMessageOutput](ctx, c.deps.Door, "sqs", "ReceiveMessage", &queueapi.ReceiveMessageInput{
		QueueUrl: c.options.Sender.QueueURL(target), MaxNumberOfMessages: &limit, WaitTimeSeconds: &wait, MessageSystemAttributeNames: []string{"SentTimestamp"},
	})
	if err != nil {
		return err
	}
	if len(got.Messages) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	list := make([]*cloudevent.Event, len(got.Messages))
	for i := range got.Messages {
		m := &got.Messages[i]
		list[i] = cloudEventOf(m, target)
		w.Header().Add(receiptHeader, url.QueryEscape(opt.Value(m.ReceiptHandle)))
	}
	var body []byte
	switch mode {
	case cloudevent.BatchMediaType:
		for i, e := range list {
			body = append(append(body, "[,"[min(i, 1)]), e.JSON()...)
		}
		body = append(body, ']')
		w.Header().Set("Content-Type", mode)
	case cloudevent.MediaType:
		body = list[0].JSON()
		w.Header().Set("Content-Type", mode)
	default:
		body = list[0].WriteBinary(w.Header())
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // who went away has not confirmed the events
	return nil
}

func number(query url.Values, name string, otherwise int32) (int32, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, invalid("The parameter %s must be a whole number, and is %q.", name, text)
	}
	return int32(n), nil
}

// modeOf returns the media type of the structured or the batched mode when a client accepts it, or "" for the binary mode.
func modeOf(accept []string) string {
	for _, list := range accept {
		for part := range strings.SplitSeq(list, ",") {
			switch kind, _, _ := mime.ParseMediaType(part); kind {
			case cloudevent.MediaType, cloudevent.BatchMediaType:
				return kind
			}
		}
	}
	return ""
}

// confirm deletes the events whose receipts the query names.
func (c cloudPlane) confirm(ctx context.Context, w http.ResponseWriter, r *http.Request, target arn.ARN) error {
	receipts := r.URL.Query()["receipt"]
	if len(receipts) == 0 {
		return invalid("The query must name the receipts, from the headers %s: ?receipt=….", receiptHeader)
	}
	for _, handle := range receipts {
		_, err := c.deps.Door.Call(ctx, "sqs", "DeleteMessage", &queueapi.DeleteMessageInput{QueueUrl: c.options.Sender.QueueURL(target), ReceiptHandle: handle})
		if err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// cloudEventOf returns a message of a queue as a CloudEvent: the one that it carries, in an event or a notification perhaps, or one made of it
// (for topics as https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/adapters/aws-sns.md has it).
func cloudEventOf(m *queueapi.Message, queue arn.ARN) *cloudevent.Event {
	body := []byte(opt.Value(m.Body))
	var n struct{ Type, MessageId, TopicArn, Subject, Message, Timestamp string } //nolint:revive // the names are those of SNS
	if json.Unmarshal(body, &n) == nil && n.Type == "Notification" && n.TopicArn != "" {
		if e := carried([]byte(n.Message)); e != nil {
			return e
		}
		e := cloudevent.New(n.MessageId, n.TopicArn, "com.amazonaws.sns."+n.Type)
		e.Set("subject", n.Subject)
		e.Set("time", n.Timestamp)
		return withData(e, []byte(n.Message))
	}
	if e := carried(body); e != nil {
		return e
	}
	e := cloudevent.New(opt.Value(m.MessageId), queue.String(), "com.amazonaws.sqs.message")
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		e.Set("time", time.UnixMilli(ms).UTC().Format(time.RFC3339Nano))
	}
	return withData(e, body)
}

// carried returns the CloudEvent that b is, or that b is made into if it is an event of EventBridge; nil for anything else.
func carried(b []byte) *cloudevent.Event {
	if e, err := cloudevent.Parse(b); err == nil {
		return e
	}
	if !envelope(b) {
		return nil
	}
	var x struct {
		ID, Source, Account, Region, Time string
		DetailType                        string `json:"detail-type"`
		Resources                         []string
		Detail                            json.RawMessage
	}
	if json.Unmarshal(b, &x) != nil || x.ID == "" || x.Source == "" || x.DetailType == "" {
		return nil
	}
	if e, err := cloudevent.Parse(x.Detail); err == nil {
		return e
	}
	e := cloudevent.New(x.ID, x.Source, x.DetailType)
	e.Set("time", x.Time)
	e.Set("awsaccount", x.Account)
	e.Set("awsregion", x.Region)
	if len(x.Resources) > 0 {
		e.Set("subject", x.Resources[0])
	}
	e.Set("datacontenttype", "application/json")
	e.Data = x.Detail
	return e
}

// withData gives an event a text as its data: as JSON if it is.
func withData(e *cloudevent.Event, text []byte) *cloudevent.Event {
	if json.Valid(text) {
		e.Set("datacontenttype", "application/json")
		e.Data = text
		return e
	}
	b, err := json.Marshal(string(text))
	if err != nil {
		return e
	}
	e.Set("datacontenttype", "text/plain; charset=utf-8")
	e.Data = b
	return e
}

// asCloudEvent makes the request of an API destination one with a CloudEvent, when the target or the connection asks for it: structured by the header
// Content-Type, binary by the header ce-specversion. It returns the body.
func asCloudEvent(h http.Header, id string, body []byte) ([]byte, error) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // none is not ours
	structured, binary := kind == cloudevent.MediaType, h.Get("Ce-Specversion") != ""
	if !structured && !binary {
		return body, nil
	}
	e := carried(body)
	if e == nil {
		return nil, service.Errorf("InvalidParameterValue", "The input %s of the target is neither an event nor a CloudEvent, which its headers ask for.", id).WithStatus(http.StatusBadRequest)
	}
	if structured {
		return e.JSON(), nil
	}
	h.Del("Content-Type")
	return e.WriteBinary(h), nil
}

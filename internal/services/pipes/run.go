package pipes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"lambent.dev/lambent/internal/awsapi/lambda"
	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/jsonpath"
	"lambent.dev/lambent/internal/lib/jsonscan"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/sources"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// listPipes tells the revisions of all pipes.
func listPipes(rd store.Reader, tell func(id pipeID, revision string)) error {
	root := everywhere()
	for row, err := range record.Range[pipeRecord](rd, root.Span()) {
		if err != nil {
			return err
		}
		d := key.Decode(row.Key).Skip(root)
		tell(pipeID{place{d.Str(), d.Str()}, row.Value.Name}, row.Value.Revision)
	}
	return nil
}

// apply makes the worker of a pipe what its record says, and writes the state that is reached.
func (s *Service) apply(ctx context.Context, id pipeID, worker **sources.Worker, changed chan struct{}) (gone bool, err error) {
	var r pipeRecord
	found := false
	err = s.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		r, found, err = record.Get[pipeRecord](rd, id.pipe(id.name))
		return err
	})
	if err != nil {
		return false, err
	}
	if *worker != nil {
		(*worker).Stop(ctx)
		*worker = nil
	}
	switch {
	case !found:
		return true, nil
	case r.State == deleting:
		return true, s.deps.Store.Update(ctx, func(tx store.Txn) error {
			sources.Forget(tx, "pipe/"+r.ID)
			tx.Delete(id.pipe(id.name))
			return nil
		})
	case r.Desired == stopped:
		return false, s.reach(ctx, id, &r, stopped)
	}
	f, err := newFlow(id.place, &r)
	if err != nil {
		return false, err
	}
	*worker = sources.Start(ctx, f.config, s.workerDeps(id, f))
	if !(*worker).Await(ctx, changed) {
		return false, nil
	}
	return false, s.reach(ctx, id, &r, running)
}

// reach writes the state of a pipe whose record is still the one that was applied.
func (s *Service) reach(ctx context.Context, id pipeID, r *pipeRecord, state string) error {
	return s.deps.Store.Update(ctx, func(tx store.Txn) error {
		now, ok, err := record.Get[pipeRecord](tx, id.pipe(id.name))
		if err != nil || !ok || now.Revision != r.Revision || now.State == state {
			return err
		}
		now.State = state
		return record.Set(tx, id.pipe(id.name), now)
	})
}

// workerDeps are the collaborators of the worker of a pipe.
func (s *Service) workerDeps(id pipeID, f *flow) sources.Deps {
	calls := &session{s: s, f: f}
	d := sources.Deps{
		Door: s.deps.Door, Store: s.deps.Store, Clock: s.deps.Clock, Log: s.deps.Log.With(slog.String("pipe", f.arn)), Arrivals: s.options.Arrivals,
		Caller: calls.context,
		Invoke: func(ctx context.Context, payload []byte, trace string) (sources.Answer, error) {
			return s.hand(ctx, f, calls, payload, trace)
		},
		Result: func(result string) { s.setReason(context.WithoutCancel(s.owners.Context()), id, result) },
	}
	if f.from.Service == "sqs" {
		d.QueueURL = s.options.Sender.QueueURL(f.from)
	}
	if f.deadLetter != "" {
		d.Failed = func(_ context.Context, tx store.Txn, x *sources.Failure) error {
			return s.failures.Enqueue(tx, &deliver.Message{Target: f.deadLetter, From: f.source, Role: f.Role, ID: x.RequestID, Body: x.Document})
		}
	}
	return d
}

// setReason keeps what the worker says when it has a problem.
func (s *Service) setReason(ctx context.Context, id pipeID, result string) {
	if result == sources.NoResult || result == sources.OK {
		result = ""
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, ok, err := record.Get[pipeRecord](tx, id.pipe(id.name))
		if err != nil || !ok || r.Reason == result {
			return err
		}
		r.Reason = result
		return record.Set(tx, id.pipe(id.name), r)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
		s.deps.Log.WarnContext(ctx, "state of a pipe not noted", slog.String("pipe", id.arn(id.name)), slog.Any("error", err))
	}
}

// session keeps the session of a pipe's role for a while: it is asked for with every call.
type session struct {
	s *Service
	f *flow

	mu      sync.Mutex // guards the fields below
	request *service.Request
	made    time.Time
}

// sessionTime is how long a session is used before the role's trust is asked for again.
const sessionTime = time.Minute

// context returns ctx with the session.
func (c *session) context(ctx context.Context) (context.Context, error) {
	now := c.s.now()
	c.mu.Lock()
	r, fresh := c.request, now.Sub(c.made) < sessionTime
	c.mu.Unlock()
	if r == nil || !fresh {
		as, err := c.s.options.Sender.Caller(ctx, c.f.source, c.f.Role, uuid.Of(c.f.arn, now.String()), c.f.Source)
		if err != nil {
			return nil, err
		}
		r = service.RequestFrom(as)
		c.mu.Lock()
		c.request, c.made = r, now
		c.mu.Unlock()
	}
	return service.WithRequest(ctx, r), nil
}

// batch is what comes from the source together.
type batch struct {
	records []json.RawMessage
	// ids name the records to the source; nil once an enrichment has made other records of them.
	ids []string
}

// newBatch takes a worker's event apart.
func newBatch(payload []byte) (*batch, error) {
	var doc struct{ Records []json.RawMessage }
	if err := json.Unmarshal(payload, &doc); err != nil {
		return nil, err
	}
	b := &batch{ids: make([]string, len(doc.Records))}
	for i, r := range doc.Records {
		var named struct {
			MessageID string `json:"messageId"`
			Kinesis   struct {
				Sequence string `json:"sequenceNumber"`
			} `json:"kinesis"`
			Dynamo struct {
				Sequence string `json:"SequenceNumber"`
			} `json:"dynamodb"`
		}
		if err := json.Unmarshal(r, &named); err != nil {
			return nil, err
		}
		b.ids[i] = named.MessageID + named.Kinesis.Sequence + named.Dynamo.Sequence
		b.records = append(b.records, flat(r))
	}
	return b, nil
}

// hand takes a batch through the enrichment to the target.
func (s *Service) hand(ctx context.Context, f *flow, calls *session, payload []byte, trace string) (sources.Answer, error) {
	answer := sources.Answer{RequestID: uuid.Of(f.arn, string(payload))}
	ctx, err := calls.context(ctx)
	if err != nil {
		return answer, err
	}
	request := *service.RequestFrom(ctx)
	request.ID, request.Trace = answer.RequestID, trace
	ctx = service.WithRequest(ctx, &request)
	b, err := newBatch(payload)
	if err != nil {
		return answer, err
	}
	log := s.journalOf(f, answer.RequestID)
	log.note("EXECUTION_STARTED", b, nil)
	answer, err = s.carry(ctx, f, b, answer, log)
	switch {
	case err != nil:
		log.end(ctx, "EXECUTION_FAILED", err)
	case answer.Failure != "":
		log.end(ctx, "EXECUTION_FAILED", errors.New(string(answer.Payload)))
	case len(answer.Payload) > 0 && f.target.Service != "lambda":
		log.end(ctx, "EXECUTION_PARTIALLY_FAILED", nil)
	default:
		log.end(ctx, "EXECUTION_SUCCEEDED", nil)
	}
	return answer, err
}

// carry is hand with the log of the execution.
func (s *Service) carry(ctx context.Context, f *flow, b *batch, answer sources.Answer, log *journal) (sources.Answer, error) {
	if f.Enrichment != "" {
		log.note("ENRICHMENT_STAGE_ENTERED", b, nil)
		failure, err := s.enrich(ctx, f, b)
		if err != nil || failure != nil {
			log.note("ENRICHMENT_INVOCATION_FAILED", nil, failureOf(failure, err))
			return s.refused(ctx, f, answer, "enrichment", failure, err)
		}
		log.note("ENRICHMENT_STAGE_SUCCEEDED", b, nil)
		if len(b.records) == 0 {
			return answer, nil
		}
	}
	log.note("TARGET_STAGE_ENTERED", b, nil)
	if f.target.Service == "lambda" && !f.fireAndForget() {
		out, err := s.invoke(ctx, f.Target, s.rendered(f, f.shape, b))
		var failure []byte
		if err == nil && out.FunctionError != nil {
			failure = out.Payload
		}
		if err != nil || failure != nil {
			log.note("TARGET_INVOCATION_FAILED", nil, failureOf(failure, err))
			return s.refused(ctx, f, answer, "target", failure, err)
		}
		if b.ids != nil {
			answer.Payload = out.Payload
		}
		log.note("TARGET_STAGE_SUCCEEDED", nil, nil)
		return answer, nil
	}
	return s.deliver(ctx, f, b, answer, log)
}

// failureOf returns what went wrong: err, or the error document of a function.
func failureOf(failure []byte, err error) error {
	if err == nil {
		err = errors.New(string(failure[:min(len(failure), 1<<10)]))
	}
	return err
}

// fireAndForget tells whether a function is not waited for.
func (f *flow) fireAndForget() bool {
	return f.TargetParameters != nil && f.TargetParameters.LambdaFunctionParameters != nil && f.TargetParameters.LambdaFunctionParameters.InvocationType == "FIRE_AND_FORGET"
}

// refused turns a failure of the enrichment or the target into the answer that the source's rules deal with. What another try may mend stays an error.
func (s *Service) refused(ctx context.Context, f *flow, a sources.Answer, who string, failure []byte, err error) (sources.Answer, error) {
	if err != nil && deliver.Retryable(err) {
		return a, err
	}
	s.deps.Log.WarnContext(ctx, "pipe: a batch failed", slog.String("pipe", f.arn), slog.String("at", who), slog.Any("error", failureOf(failure, err)))
	a.Failure, a.Payload = "Unhandled", failure
	return a, nil
}

// rendered returns the array of a batch's records as a template makes them.
func (s *Service) rendered(f *flow, t *template, b *batch) []byte {
	parts := make([][]byte, len(b.records))
	for i, r := range b.records {
		parts[i] = asJSON(t.render(f, r, s.now()))
	}
	return append(append([]byte{'['}, bytes.Join(parts, []byte{','})...), ']')
}

// asJSON returns text as a JSON value: as it is when it is one, and else as a string.
func asJSON(text []byte) []byte {
	if jsonscan.Valid(text) {
		return text
	}
	b, err := json.Marshal(string(text))
	if err != nil {
		return []byte("null")
	}
	return b
}

// invoke calls a function with the pipe's role and waits for its answer.
func (s *Service) invoke(ctx context.Context, function string, payload []byte) (*lambda.InvokeOutput, error) {
	return service.Call[lambda.InvokeOutput](ctx, s.deps.Door, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: function, Payload: payload})
}

// enrich replaces the records of a batch by what the enrichment answers. failure is a function's error document.
func (s *Service) enrich(ctx context.Context, f *flow, b *batch) (failure []byte, err error) {
	var answer []byte
	if isEndpoint(f.enrichment) {
		c := port.EndpointCall{Target: f.Enrichment, ID: service.RequestFrom(ctx).ID, Trace: service.RequestFrom(ctx).Trace, Body: s.rendered(f, f.enrich, b)}
		if x := f.EnrichmentHTTP; x != nil {
			c.Path, c.Header, c.Query = x.PathParameterValues, x.HeaderParameters, x.QueryStringParameters
		}
		if answer, err = s.options.Endpoints.CallEndpoint(ctx, f.source, f.Role, c); err != nil {
			return nil, err
		}
	} else {
		out, err := s.invoke(ctx, f.Enrichment, s.rendered(f, f.enrich, b))
		if err != nil {
			return nil, err
		}
		if out.FunctionError != nil {
			return out.Payload, nil
		}
		answer = out.Payload
	}
	b.ids, b.records = nil, nil
	answer = bytes.TrimSpace(answer)
	switch {
	case len(answer) == 0, string(answer) == "null":
	case !jsonscan.Valid(answer):
		return nil, invalid("The enrichment %s answered with what is no JSON.", f.Enrichment)
	case answer[0] == '[':
		err = json.Unmarshal(answer, &b.records)
	default:
		b.records = []json.RawMessage{answer}
	}
	return nil, err
}

// deliver hands the records of a batch to the target, one by one. Those that failed are reported to the source, if they are still its own.
func (s *Service) deliver(ctx context.Context, f *flow, b *batch, answer sources.Answer, log *journal) (sources.Answer, error) {
	type item struct {
		ID string `json:"itemIdentifier"`
	}
	var failed struct {
		Items []item `json:"batchItemFailures"`
	}
	for i, r := range b.records {
		m, err := s.message(f, r, uuid.Of(answer.RequestID, strconv.Itoa(i)))
		if err == nil {
			err = s.send(ctx, f, m, r)
		}
		if err == nil {
			continue
		}
		log.note("TARGET_INVOCATION_FAILED", nil, err)
		if b.ids == nil || deliver.Retryable(err) && i == 0 {
			return s.refused(ctx, f, answer, "target", nil, err)
		}
		s.deps.Log.WarnContext(ctx, "pipe: the target does not take a record", slog.String("pipe", f.arn), slog.String("record", b.ids[i]), slog.Any("error", err))
		failed.Items = append(failed.Items, item{b.ids[i]})
		if f.from.Service == "sqs" {
			continue
		}
		break // the records of a stream keep their order
	}
	if failed.Items == nil {
		log.note("TARGET_STAGE_SUCCEEDED", nil, nil)
		return answer, nil
	}
	var err error
	answer.Payload, err = json.Marshal(failed)
	return answer, err
}

// send makes the delivery of a record.
func (s *Service) send(ctx context.Context, f *flow, m *deliver.Message, r []byte) error {
	if !isEndpoint(f.target) {
		return s.options.Sender.Send(ctx, m)
	}
	c := port.EndpointCall{Target: m.Target, ID: m.ID, Trace: service.RequestFrom(ctx).Trace, Body: m.Body}
	if f.TargetParameters != nil && f.TargetParameters.HttpParameters != nil {
		x := f.TargetParameters.HttpParameters
		for _, v := range x.PathParameterValues {
			c.Path = append(c.Path, dynamic(v, r))
		}
		c.Header, c.Query = dynamicAll(x.HeaderParameters, r), dynamicAll(x.QueryStringParameters, r)
	}
	_, err := s.options.Endpoints.CallEndpoint(ctx, m.From, m.Role, c)
	return err
}

// dynamicAll is [dynamic] for the values of a map.
func dynamicAll(in map[string]string, r []byte) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = dynamic(v, r)
	}
	return out
}

// message returns the delivery of a record.
func (s *Service) message(f *flow, r []byte, id string) (*deliver.Message, error) {
	m := &deliver.Message{Target: f.Target, From: f.source, Role: f.Role, ID: id, PartitionKey: id, Body: f.shape.render(f, r, s.now())}
	in := f.TargetParameters
	if f.target.Service == "events" && !isEndpoint(f.target) {
		m.Event = &deliver.Event{Source: "Pipe " + f.Name, DetailType: "Event from " + f.sourceName()}
		if !jsonscan.Valid(m.Body) {
			return nil, invalid("The record is no JSON object, which the detail of an event must be.")
		}
	}
	if in == nil {
		return m, nil
	}
	if x := in.SqsQueueParameters; x != nil {
		m.Group, m.Deduplication = dynamic(opt.Value(x.MessageGroupId), r), dynamic(opt.Value(x.MessageDeduplicationId), r)
	}
	if x := in.KinesisStreamParameters; x != nil {
		m.PartitionKey = dynamic(x.PartitionKey, r)
	}
	if x := in.CloudWatchLogsParameters; x != nil {
		m.Stream = dynamic(opt.Value(x.LogStreamName), r)
	}
	if x := in.EventBridgeEventBusParameters; x != nil && m.Event != nil {
		return m, describe(m.Event, x, r)
	}
	return m, nil
}

// describe fills in what the pipe says of the events that it sends to a bus.
func describe(e *deliver.Event, x *api.PipeTargetEventBridgeEventBusParameters, r []byte) error {
	if x.Source != nil {
		e.Source = dynamic(*x.Source, r)
	}
	if x.DetailType != nil {
		e.DetailType = dynamic(*x.DetailType, r)
	}
	for _, name := range x.Resources {
		e.Resources = append(e.Resources, dynamic(name, r))
	}
	if x.Time == nil {
		return nil
	}
	at, err := time.Parse(time.RFC3339, dynamic(*x.Time, r))
	if err != nil {
		return invalid("The time of the event is %q, and must be one such as 2026-12-24T18:00:00Z.", dynamic(*x.Time, r))
	}
	e.Time = at
	return nil
}

// dynamic returns a parameter's value for a record: that of the path that it is, or its text.
func dynamic(text string, r []byte) string {
	if len(text) == 0 || text[0] != '$' {
		return text
	}
	p, err := jsonpath.Parse(text)
	if err != nil {
		return text
	}
	v, ok := p.Get(opened(r))
	if !ok {
		return ""
	}
	var value string
	if json.Unmarshal(v, &value) != nil {
		return string(v)
	}
	return value
}

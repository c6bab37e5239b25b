package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	s3api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/logs/insights"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// triggerKind is the job that waits for the next time of a scheduled query, beginKind the one that begins a run, and resultKind the one that hands its result on.
	triggerKind = "logs.scheduledquery"
	beginKind   = "logs.scheduledquery.begin"
	resultKind  = "logs.scheduledquery.result"
	// beginFor is how long a run that cannot begin is tried again, when too many queries wait or the platform is busy.
	beginFor = time.Hour
)

// scheduledRun is the record of one run of a scheduled query.
type scheduledRun struct {
	Query   string // id
	At      int64  // the time that the schedule names, in Unix seconds
	Status  string
	Message string           `json:",omitempty"`
	Result  *scheduledOutput `json:",omitempty"`
}

// scheduledOutput is what became of a result at its destination.
type scheduledOutput struct {
	Status    string
	Processed string `json:",omitempty"` // the URI of the object
	Message   string `json:",omitempty"`
}

// runID names a run: the scheduled query and the time.
type runID struct {
	Schedule string
	At       int64
}

func (id runID) payload(s scope) key.Key { return key.New(s.account, s.region, id.Schedule).Int(id.At) }

func runOf(job events.Job) (s scope, id runID, err error) {
	d := key.Decode(job.Payload)
	s, id = scope{d.Str(), d.Str()}, runID{d.Str(), d.Int()}
	return s, id, events.Permanent(d.Done())
}

// scheduledJobs are the jobs of scheduled queries.
func (l *Logs) scheduledJobs() []events.Kind {
	return []events.Kind{
		{Name: triggerKind, Handle: l.trigger},
		{Name: beginKind, Handle: l.beginRun, MaxAge: beginFor, Exhausted: l.runExhausted(api.ExecutionStatusTimeout)},
		{Name: resultKind, Handle: l.handOn, Concurrency: 2, MaxAge: deliverFor, Exhausted: l.runExhausted("")},
	}
}

// next returns the first time after after at which the query is due, and false when there is none.
func (q *scheduledQuery) next(after time.Time) (time.Time, bool, error) {
	e, err := schedule.Parse(q.Expression, schedule.Rules)
	if err != nil {
		return time.Time{}, false, err
	}
	zone, err := time.LoadLocation(q.Zone)
	if err != nil {
		return time.Time{}, false, err
	}
	if first := time.Unix(q.Start, 0); q.Start != 0 && after.Before(first) {
		after = first.Add(-time.Nanosecond)
	}
	at, ok := e.Next(after, after, zone)
	return at, ok && (q.End == 0 || at.Unix() <= q.End), nil
}

// armScheduledQuery plans the first run after a time, or ends the runs when there is none or the query is disabled.
func (l *Logs) armScheduledQuery(tx store.Txn, s scope, q *scheduledQuery, after time.Time) error {
	at, ok, err := q.next(after)
	if err != nil {
		return err
	}
	if !ok || q.State != api.ScheduledQueryStateEnabled {
		return events.Cancel(tx, triggerKind, q.arn(s))
	}
	return events.Enqueue(tx, events.Job{Kind: triggerKind, Name: q.arn(s), Payload: runID{q.ID, at.Unix()}.payload(s), NotBefore: at})
}

// trigger notes a run and plans the next one. Times that passed while the platform was down are met once.
func (l *Logs) trigger(_ context.Context, job events.Job) error {
	s, id, err := runOf(job)
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		q, err := getScheduledQuery(tx, s, scheduledQueryARN(s, id.Schedule))
		if err != nil || q.State != api.ScheduledQueryStateEnabled {
			return gone(err)
		}
		run := scheduledRun{Query: uuid.Of(id.Schedule, time.Unix(id.At, 0).UTC().Format(time.RFC3339)), At: id.At, Status: api.ExecutionStatusRunning}
		if q.Destination != nil {
			run.Result = &scheduledOutput{Status: api.ActionStatusInProgress}
		}
		q.Triggered, q.Status = id.At, run.Status
		if err := record.Set(tx, s.scheduledQuery(q.Name), q); err != nil {
			return err
		}
		if err := record.Set(tx, s.scheduledRun(id), run); err != nil {
			return err
		}
		now := l.deps.Clock.Now()
		tx.DeleteRange(s.scheduledRuns(q.ID), s.scheduledRun(runID{q.ID, now.Add(-keepQueries).Unix()}))
		if err := events.Enqueue(tx, events.Job{Kind: beginKind, Payload: id.payload(s)}); err != nil {
			return err
		}
		return l.armScheduledQuery(tx, s, &q, now)
	})
}

// gone turns the error that there is no such thing any more into none.
func gone(err error) error { return service.Unless(err, "ResourceNotFoundException") }

// loadRun reads a run and its query; false when either was deleted.
func (l *Logs) loadRun(ctx context.Context, s scope, id runID) (q scheduledQuery, run scheduledRun, ok bool, err error) {
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		if q, err = getScheduledQuery(r, s, scheduledQueryARN(s, id.Schedule)); err != nil {
			return gone(err)
		}
		run, ok, err = record.Get[scheduledRun](r, s.scheduledRun(id))
		return err
	})
	return q, run, ok, err
}

func (q *scheduledQuery) source(s scope) port.Source {
	return port.Source{Service: servicePrincipal, ARN: q.arn(s), Account: s.account}
}

// runKey is the key of a context with which StartQuery runs a scheduled query.
type runKey struct{}

// begun is what StartQuery is told of the run that it begins.
type begun struct {
	runID

	Query string // id
}

// beginRun starts the query of a run, as the role of the scheduled query.
func (l *Logs) beginRun(ctx context.Context, job events.Job) error {
	s, id, err := runOf(job)
	if err != nil {
		return err
	}
	q, run, ok, err := l.loadRun(ctx, s, id)
	if err != nil || !ok {
		return err
	}
	look := q.Offset
	if look == 0 {
		next, _, err := q.next(time.Unix(id.At, 0))
		if err != nil {
			return err
		}
		look = next.Unix() - id.At
	}
	ctx, err = l.options.Sender.Caller(ctx, q.source(s), q.Role, run.Query, q.arn(s))
	if err == nil {
		in := &api.StartQueryInput{QueryString: q.Text, LogGroupIdentifiers: q.Groups, StartTime: max(id.At-look, 0), EndTime: id.At - 1} // both are in the range
		err = l.call(context.WithValue(ctx, runKey{}, begun{id, run.Query}), "StartQuery", in)
	}
	switch {
	case err == nil:
		return nil
	case deliver.Retryable(err) || service.Code(err) == "LimitExceededException":
		return err
	case service.Code(err) == "MalformedQueryException":
		run.Status = api.ExecutionStatusInvalidQuery
	default:
		run.Status = api.ExecutionStatusFailed
	}
	run.Message, run.Result = err.Error(), nil
	return events.Done(func(_ context.Context, tx store.Txn) error { return l.endRun(tx, s, id, run, nil) })
}

// scheduled makes a query one of the run by which ctx starts it, if there is one.
func (q *query) scheduled(ctx context.Context) {
	if b, ok := ctx.Value(runKey{}).(begun); ok {
		q.ID, q.Run = b.Query, &b.runID
	}
}

// handOn writes the result of a run to its destination, and tells the default event bus.
func (l *Logs) handOn(ctx context.Context, job events.Job) error {
	s, id, err := runOf(job)
	if err != nil {
		return err
	}
	q, run, ok, err := l.loadRun(ctx, s, id)
	if err != nil || !ok {
		return err
	}
	var of query
	err = l.deps.Store.View(ctx, func(r store.Reader) (err error) {
		of, err = getQuery(r, s, run.Query)
		return err
	})
	if err != nil {
		return gone(err)
	}
	switch of.Status {
	case queryComplete:
		run.Status = api.ExecutionStatusComplete
	case queryTimeout:
		run.Status, run.Message = api.ExecutionStatusTimeout, "The query took too long."
	default:
		run.Status, run.Message = api.ExecutionStatusFailed, "The query "+of.ID+" ended with the status "+of.Status+"."
	}
	switch {
	case of.Status != queryComplete:
		run.Result = nil
	case q.Destination != nil:
		uri, err := l.putResult(ctx, s, &q, &of, id)
		if deliver.Retryable(err) {
			return err
		}
		run.Result = &scheduledOutput{Status: api.ActionStatusComplete, Processed: uri}
		if err != nil {
			run.Result = &scheduledOutput{Status: api.ActionStatusClientError, Message: err.Error()}
		}
	}
	return events.Done(func(_ context.Context, tx store.Txn) error { return l.endRun(tx, s, id, run, &of) })
}

// runExhausted returns what ends a run that could not go on for as long as it may take; status is that of the run, "" when its query has ended well.
func (l *Logs) runExhausted(status string) func(ctx context.Context, tx store.Txn, job events.Job, cause error) error {
	return func(_ context.Context, tx store.Txn, job events.Job, cause error) error {
		s, id, err := runOf(job)
		if err != nil {
			return err
		}
		run, ok, err := record.Get[scheduledRun](tx, s.scheduledRun(id))
		if err != nil || !ok {
			return err
		}
		if run.Status, run.Message, run.Result = status, cause.Error(), nil; status == "" {
			run.Status, run.Message, run.Result = api.ExecutionStatusComplete, "", &scheduledOutput{Status: api.ActionStatusFailed, Message: cause.Error()}
		}
		return l.endRun(tx, s, id, run, nil)
	}
}

// completed is the detail of the event that a run has ended.
type completed struct {
	Query      string              `json:"queryId"`
	Text       string              `json:"queryString"`
	Groups     []string            `json:"logGroupIdentifiers"`
	Status     string              `json:"status"`
	Start      int64               `json:"startTime"` // Unix seconds
	Statistics completedStatistics `json:"statistics"`
}

type completedStatistics struct {
	Matched        float64 `json:"recordsMatched"`
	Scanned        float64 `json:"recordsScanned"`
	RecordsSkipped float64 `json:"estimatedRecordsSkipped"`
	Bytes          float64 `json:"bytesScanned"`
	BytesSkipped   float64 `json:"estimatedBytesSkipped"`
	Groups         float64 `json:"logGroupsScanned"`
}

func (q queryStatistics) completed() completedStatistics {
	return completedStatistics{Matched: q.Matched, Scanned: q.Scanned, Bytes: q.Bytes, Groups: q.Groups}
}

// endRun keeps what became of a run, and tells the default event bus. of is its query, nil when that did not run.
func (l *Logs) endRun(tx store.Txn, s scope, id runID, run scheduledRun, of *query) error {
	q, err := getScheduledQuery(tx, s, scheduledQueryARN(s, id.Schedule))
	if err != nil {
		return gone(err)
	}
	if err := record.Set(tx, s.scheduledRun(id), run); err != nil {
		return err
	}
	if q.Triggered == id.At {
		q.Status = run.Status
		if err := record.Set(tx, s.scheduledQuery(q.Name), q); err != nil {
			return err
		}
	}
	d := completed{Query: run.Query, Text: q.Text, Groups: q.Groups, Status: run.Status, Start: id.At}
	if of != nil {
		d.Statistics = of.Statistics.completed()
	}
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return l.deliveries.Enqueue(tx, &deliver.Message{
		Target: "arn:aws:events:" + s.region + ":" + s.account + ":event-bus/default", From: q.source(s), Body: body,
		Event: &deliver.Event{Source: "aws.logs", DetailType: "Scheduled Query Completed", Resources: []string{q.arn(s)}, Time: l.deps.Clock.Now()},
	})
}

// putResult writes the result of a query as an object, as the role of the destination, and returns its URI. The object has the members of what GetQueryResults answers.
func (l *Logs) putResult(ctx context.Context, s scope, q *scheduledQuery, of *query, id runID) (string, error) {
	parts := bucketURI.FindStringSubmatch(q.Destination.DestinationIdentifier)
	name := time.Unix(id.At, 0).UTC().Format("2006/01/02/") + of.ID + ".json"
	if prefix := strings.TrimSuffix(parts[2], "/"); prefix != "" {
		name = prefix + "/" + name
	}
	body, err := l.resultDocument(ctx, s, of)
	if err != nil {
		return "", err
	}
	ctx, err = l.options.Sender.Caller(ctx, q.source(s), q.Destination.RoleArn, of.ID, "arn:aws:s3:::"+parts[1])
	if err != nil {
		return "", err
	}
	in := &s3api.PutObjectInput{
		Bucket: parts[1], Key: name, Body: bytes.NewReader(body), ContentLength: ptr(int64(len(body))), ContentType: ptr("application/json"), ExpectedBucketOwner: q.Destination.OwnerAccountId,
	}
	if k := opt.Value(q.Destination.KmsKeyId); k != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = s3api.ServerSideEncryptionAwsKms, &k
	}
	if _, err := l.deps.Door.Call(ctx, "s3", "PutObject", in); err != nil {
		return "", err
	}
	return "s3://" + parts[1] + "/" + name, nil
}

// resultField is a column of a row in a result that is written as an object.
type resultField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// resultDocument is the object with the result of a query, at most as large as a query may keep.
func (l *Logs) resultDocument(ctx context.Context, s scope, of *query) ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	head, err := json.Marshal(struct {
		ID         string              `json:"queryId"`
		Status     string              `json:"status"`
		Statistics completedStatistics `json:"statistics"`
	}{of.ID, of.Status, of.Statistics.completed()})
	if err != nil {
		return nil, err
	}
	b.Write(head[:len(head)-1])
	b.WriteString(`,"results":[`)
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		first := true
		for fields, err := range resultOf(r, s, of) {
			if err != nil {
				return err
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			if err := out.Encode(rowOf(fields)); err != nil {
				return err
			}
		}
		return nil
	})
	b.WriteString("]}")
	return b.Bytes(), err
}

func rowOf(fields []insights.Field) []resultField {
	out := make([]resultField, len(fields))
	for i, f := range fields {
		out[i] = resultField{f.Name, f.Value}
	}
	return out
}

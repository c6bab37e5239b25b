package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// moveKind is the job that moves the next messages of a task.
const moveKind = "sqs-move"

const (
	maxMoveRate = 500 // messages a second, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
	maxTasks    = 10  // that are listed and kept of a source
	moveBatch   = 10
)

// The states of a message move task.
const (
	taskRunning    = "RUNNING"
	taskCompleted  = "COMPLETED"
	taskCancelling = "CANCELLING"
	taskCancelled  = "CANCELLED"
	taskFailed     = "FAILED"
)

// moveTask is the record of a message move task.
type moveTask struct {
	ID          string
	Status      string
	Source      string // ARN
	Destination string `json:",omitempty"` // ARN; empty sends messages back to where they came from
	Rate        int32  `json:",omitempty"`
	Moved       int64
	ToMove      int64
	Started     int64  // Unix milliseconds
	Failure     string `json:",omitempty"`
}

func taskHandle(id, source string) string {
	b, _ := json.Marshal(map[string]string{"taskId": id, "sourceArn": source}) // a map of strings has no way to fail
	return base64.StdEncoding.EncodeToString(b)
}

func openTaskHandle(handle string) (id, source string, err error) {
	bad := service.Errorf(codeValue, "Value for parameter TaskHandle is invalid.")
	b, err := base64.StdEncoding.DecodeString(handle)
	if err != nil {
		return "", "", bad
	}
	var doc struct {
		ID     string `json:"taskId"`
		Source string `json:"sourceArn"`
	}
	if json.Unmarshal(b, &doc) != nil || doc.ID == "" || doc.Source == "" {
		return "", "", bad
	}
	return doc.ID, doc.Source, nil
}

func noResource(parameter string) error {
	return service.Errorf(codeNotFound, "The resource that you specified for the %s parameter doesn't exist.", parameter).WithStatus(404)
}

func (s *Service) jobs() []events.Kind {
	return []events.Kind{{Name: moveKind, Handle: s.moveNext, Exhausted: failTask, MaxAttempts: 10}}
}

func (s *Service) startMessageMoveTask(ctx context.Context, in *api.StartMessageMoveTaskInput) (*api.StartMessageMoveTaskOutput, error) {
	rate := int32(0)
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if rate = *n; rate < 1 || rate > maxMoveRate {
			return nil, invalid(rate, "MaxNumberOfMessagesPerSecond", "Must be between 1 and %d, if provided.", maxMoveRate)
		}
	}
	p, name, ok := resolveARN(in.SourceArn)
	if !ok {
		return nil, noResource("SourceArn")
	}
	var b [16]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return nil, err
	}
	t := &moveTask{ID: newID(0, b).String(), Status: taskRunning, Source: in.SourceArn, Rate: rate, Started: s.nowMS()}
	if in.DestinationArn != nil {
		t.Destination = *in.DestinationArn
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		q, err := s.find(tx, p, name)
		if err != nil {
			return err
		}
		if q == nil {
			return noResource("SourceArn")
		}
		if err := s.checkTask(tx, q, t); err != nil {
			return err
		}
		n, err := q.count(tx, t.Started)
		if err != nil {
			return err
		}
		t.ToMove = n.visible
		return s.saveTask(tx, p, name, t, time.Time{})
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.StartMessageMoveTaskOutput{TaskHandle: new(taskHandle(t.ID, t.Source))}, nil
}

// checkTask tells whether a task may begin, and forgets the oldest ones of its source.
func (s *Service) checkTask(tx store.Txn, q *queue, t *moveTask) error {
	if t.Destination != "" {
		p, name, ok := resolveARN(t.Destination)
		if !ok {
			return noResource("DestinationArn")
		}
		to, err := s.find(tx, p, name)
		switch {
		case err != nil:
			return err
		case to == nil:
			return noResource("DestinationArn")
		case to.arn == q.arn:
			return service.Errorf(codeValue, "Source queue arn and destination queue arn cannot be the same.")
		case to.fifo != q.fifo:
			return service.Errorf(codeValue, "Source and destination queue must be of the same type: both standard or both FIFO.")
		}
	}
	isTarget, err := s.isDeadLetterQueue(tx, q)
	if err != nil {
		return err
	}
	if !isTarget {
		return service.Errorf(codeValue, "Source queue must be configured as a Dead Letter Queue.")
	}
	tasks, err := tasksOf(tx, q.place, q.Name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(tasks, func(t moveTask) bool { return t.Status == taskRunning || t.Status == taskCancelling }) {
		return service.Errorf(codeValue, "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	for _, old := range tasks[min(len(tasks), maxTasks-1):] {
		tx.Delete(q.place.task(q.Name, old.ID))
	}
	return nil
}

// isDeadLetterQueue tells whether some queue names q as its dead-letter queue.
func (s *Service) isDeadLetterQueue(r store.Reader, q *queue) (bool, error) {
	prefix := q.place.queues()
	for pair, err := range r.Range(prefix.Span()) {
		if err != nil {
			return false, err
		}
		other, err := s.parsed(q.place, pair.Key, pair.Value)
		if err != nil {
			return false, err
		}
		if other.redrive != nil && other.redrive.target == q.arn {
			return true, nil
		}
	}
	return false, nil
}

// tasksOf returns the tasks of a source, the newest first.
func tasksOf(r store.Reader, p place, source string) ([]moveTask, error) {
	tasks, err := record.List[moveTask](r, p.tasks(source).Span())
	order.Sort(tasks, func(a, b moveTask) int { return int(b.Started - a.Started) })
	return tasks, err
}

// saveTask writes a task, and has its next messages moved at a time while it runs.
func (s *Service) saveTask(tx store.Txn, p place, source string, t *moveTask, next time.Time) error {
	if err := record.Set(tx, p.task(source, t.ID), t); err != nil {
		return err
	}
	if t.Status != taskRunning {
		return nil
	}
	payload, err := json.Marshal(movePayload{p.account, p.region, source, t.ID})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: moveKind, Payload: payload, NotBefore: next})
}

type movePayload struct{ Account, Region, Source, Task string }

// moveNext moves the next messages of a task.
func (s *Service) moveNext(ctx context.Context, job events.Job) error {
	var at movePayload
	if err := json.Unmarshal(job.Payload, &at); err != nil {
		return events.Permanent(err)
	}
	p := place{at.Account, at.Region}
	q, err := s.viewNamed(ctx, p, at.Source)
	if service.Code(err) == codeNoQueue {
		return nil
	}
	if err != nil {
		return err
	}
	n := moveBatch
	wait := time.Duration(0)
	var t moveTask
	err = s.store.View(ctx, func(r store.Reader) error {
		var err error
		t, _, err = record.Get[moveTask](r, p.task(at.Source, at.Task))
		return err
	})
	if err != nil {
		return err
	}
	if t.Rate > 0 {
		n = min(n, int(t.Rate))
		wait = time.Second * time.Duration(n) / time.Duration(t.Rate)
	}
	m := &taking{request: &request{max: n}, live: q.live, groups: q.fifo}
	if err := m.fill(ctx, q); err != nil {
		return err
	}
	next := s.clock.Now().Add(wait)
	err = s.update(ctx, func(w *work) error { return m.move(w, q, p, at, next) })
	if err != nil {
		q.live.add(m.claimed...)
		return err
	}
	q.live.add(m.unused...)
	return nil
}

// move moves the claimed messages to where the task says, and puts down how far it got.
func (m *taking) move(w *work, known *queue, p place, at movePayload, next time.Time) error {
	m.unused, m.moved = nil, 0
	t, ok, err := record.Get[moveTask](w.tx, p.task(at.Source, at.Task))
	if err != nil || !ok {
		m.unused = m.claimed
		return err
	}
	q, err := w.s.get(w.tx, p, at.Source)
	if err != nil {
		return err
	}
	if q.ID != known.ID {
		return noQueue()
	}
	switch t.Status {
	case taskCancelling, taskCancelled:
		m.unused = m.claimed
		t.Status = taskCancelled
		return w.s.saveTask(w.tx, p, at.Source, &t, next)
	case taskRunning:
	default:
		m.unused = m.claimed
		return nil
	}
	moved := 0
	for i, e := range m.claimed {
		if m.moved >= moveBudget || moved >= m.max {
			m.unused = append(m.unused, m.claimed[i:]...)
			break
		}
		n, err := m.moveEntry(w, q, &t, e, m.max-moved)
		if err != nil {
			return err
		}
		moved += n
	}
	t.Moved += int64(moved)
	if len(m.claimed) == 0 {
		t.Status = taskCompleted
	}
	return w.s.saveTask(w.tx, p, at.Source, &t, next)
}

// moveEntry moves a message, or up to limit of the first messages of a group, and returns how many.
func (m *taking) moveEntry(w *work, q *queue, t *moveTask, e entry, limit int) (int, error) {
	if !q.fifo {
		id := idAt([]byte(e.key))
		st, ok, err := q.state(w.tx, id)
		if err != nil || !ok || st.where != visible {
			return 0, err
		}
		return 1, m.moveMessage(w, q, t, id, st)
	}
	n := 0
	for ; n < limit && m.moved < moveBudget; n++ {
		g, ok, err := q.group(w.tx, e.group)
		if err != nil || !ok || g.ready == 0 || n == 0 && g.ready != e.sequence() {
			return n, err
		}
		st, ok, err := q.state(w.tx, g.head)
		if err != nil || !ok {
			return n, err
		}
		if err := m.moveMessage(w, q, t, g.head, st); err != nil {
			return n, err
		}
		if err := w.refresh(q, e.group); err != nil {
			return n, err
		}
	}
	return n, nil
}

// moveMessage moves one message. It is a new message where it arrives: with a new id and time, and not received yet.
func (m *taking) moveMessage(w *work, q *queue, t *moveTask, old id, st state) error {
	target := t.Destination
	if target == "" {
		target = st.source
	}
	p, name, ok := resolveARN(target)
	if !ok {
		return events.Permanent(fmt.Errorf("message %s did not come from another queue; name a destination", old))
	}
	to, err := w.s.find(w.tx, p, name)
	if err != nil {
		return err
	}
	if to == nil || to.fifo != q.fifo {
		return events.Permanent(fmt.Errorf("%w: %s, for message %s", errNoDestination, target, old))
	}
	fresh := &outgoing{}
	if err := w.s.identify(fresh); err != nil {
		return err
	}
	sequence, err := w.sequence(to, st.group)
	if err != nil {
		return err
	}
	st.received, st.first, st.source = 0, 0, ""
	n, err := w.transfer(q, to, old, st, newID(sequence, fresh.uuid))
	m.moved += n
	return err
}

// errNoDestination tells that the queue is gone to which messages are to be moved. Tasks say it as AWS does, by the code of the query protocol.
var errNoDestination = errors.New("AWS.SimpleQueueService.NonExistentQueue")

// failTask puts down why a task ended.
func failTask(_ context.Context, tx store.Txn, job events.Job, cause error) error {
	var at movePayload
	if err := json.Unmarshal(job.Payload, &at); err != nil {
		return nil //nolint:nilerr // the queue of jobs has logged it, and drops the job
	}
	k := place{at.Account, at.Region}.task(at.Source, at.Task)
	t, ok, err := record.Get[moveTask](tx, k)
	if err != nil || !ok {
		return err
	}
	t.Status, t.Failure = taskFailed, cause.Error()
	if errors.Is(cause, errNoDestination) {
		t.Failure = errNoDestination.Error()
	}
	return record.Set(tx, k, t)
}

func (s *Service) cancelMessageMoveTask(ctx context.Context, in *api.CancelMessageMoveTaskInput) (*api.CancelMessageMoveTaskOutput, error) {
	id, source, err := openTaskHandle(in.TaskHandle)
	if err != nil {
		return nil, err
	}
	p, name, ok := resolveARN(source)
	if !ok {
		return nil, noResource("SourceArn")
	}
	var moved int64
	err = s.store.Update(ctx, func(tx store.Txn) error {
		q, err := s.find(tx, p, name)
		if err != nil {
			return err
		}
		if q == nil {
			return noResource("SourceArn")
		}
		t, ok, err := record.Get[moveTask](tx, p.task(name, id))
		if err != nil {
			return err
		}
		if !ok || t.Status != taskRunning {
			return service.Errorf(codeNotFound, "Task does not exist.").WithStatus(404)
		}
		t.Status, moved = taskCancelling, t.Moved
		return record.Set(tx, p.task(name, id), t)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.CancelMessageMoveTaskOutput{ApproximateNumberOfMessagesMoved: &moved}, nil
}

func (s *Service) listMessageMoveTasks(ctx context.Context, in *api.ListMessageMoveTasksInput) (*api.ListMessageMoveTasksOutput, error) {
	limit := int32(1)
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > maxTasks {
			return nil, invalid(limit, "MaxResults", "Must be between 1 and %d, if provided.", maxTasks)
		}
	}
	p, name, ok := resolveARN(in.SourceArn)
	if !ok {
		return nil, noResource("SourceArn")
	}
	out := &api.ListMessageMoveTasksOutput{Results: []api.ListMessageMoveTasksResultEntry{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		q, err := s.find(r, p, name)
		if err != nil {
			return err
		}
		if q == nil {
			return noResource("SourceArn")
		}
		tasks, err := tasksOf(r, p, name)
		if err != nil {
			return err
		}
		for _, t := range tasks[:min(len(tasks), int(limit))] {
			out.Results = append(out.Results, t.shown())
		}
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// shown returns a task as it is listed. Only a task that runs has a handle.
func (t *moveTask) shown() api.ListMessageMoveTasksResultEntry {
	e := api.ListMessageMoveTasksResultEntry{
		Status: &t.Status, SourceArn: &t.Source, ApproximateNumberOfMessagesMoved: &t.Moved, ApproximateNumberOfMessagesToMove: &t.ToMove, StartedTimestamp: &t.Started,
	}
	if t.Destination != "" {
		e.DestinationArn = &t.Destination
	}
	if t.Rate > 0 {
		e.MaxNumberOfMessagesPerSecond = &t.Rate
	}
	if t.Failure != "" {
		e.FailureReason = &t.Failure
	}
	if t.Status == taskRunning {
		e.TaskHandle = new(taskHandle(t.ID, t.Source))
	}
	return e
}

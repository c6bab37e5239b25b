package sns

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// replayKind is the job that delivers the next archived messages to a subscription.
const replayKind = "sns-replay"

const (
	maxArchiveDays = 365 // https://docs.aws.amazon.com/sns/latest/dg/message-archiving-and-replay-topic-owner.html
	replayBatch    = 100
)

// The states of a replay.
const (
	replayRunning   = "In progress"
	replayCompleted = "Completed"
)

type archivePolicy struct {
	Days json.Number `json:"MessageRetentionPeriod"`
}

// days returns how many days messages are archived, 0 for none.
func (p *archivePolicy) days() int64 {
	n, err := p.Days.Int64()
	if err != nil {
		return 0
	}
	return n
}

func checkArchivePolicy(value, context string) error {
	if value == "" || value == "{}" {
		return nil
	}
	var p archivePolicy
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return invalid("%sArchivePolicy: failed to parse JSON.", context)
	}
	if n := p.days(); n < 1 || n > maxArchiveDays {
		return invalid("%sArchivePolicy: MessageRetentionPeriod must be between 1 and %d days", context, maxArchiveDays)
	}
	return nil
}

func (r *topicRecord) archiveDays() int64 {
	var p archivePolicy
	if text := r.Attributes["ArchivePolicy"]; text == "" || json.Unmarshal([]byte(text), &p) != nil {
		return 0
	}
	return p.days()
}

// keep archives a message, and clears away a few that are past their retention.
func (s *Service) keep(tx store.Txn, t *topic, sequence uint64, m *message, now int64) error {
	days := t.archiveDays()
	if days == 0 {
		return nil
	}
	prefix := t.place.archive(t.Name)
	oldest := now - days*24*time.Hour.Milliseconds()
	if oldest > 0 {
		for p, err := range tx.Range(store.Span{Lo: prefix, Hi: prefix.Uint(uint64(oldest) << sequenceShift), Limit: maxSweep}) {
			if err != nil {
				return err
			}
			tx.Delete(p.Key)
		}
	}
	return record.Set(tx, prefix.Uint(sequence), m)
}

// beginningOfArchive returns when the oldest archived message was published.
func (s *Service) beginningOfArchive(ctx context.Context, t *topic) (at string, ok bool, err error) {
	span := t.place.archive(t.Name).Span()
	span.Limit = 1
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[message](r, span) {
			if err != nil {
				return err
			}
			at, ok = row.Value.Timestamp, true
		}
		return nil
	})
	return at, ok, storeError(err)
}

// replayPolicy is what a subscription asks to be delivered again.
type replayPolicy struct {
	Type  string `json:"PointType"`
	Start string `json:"StartingPoint"`
	End   string `json:"EndingPoint"`
}

// replayJob is the payload of the job that goes on with a replay.
type replayJob struct {
	Account, Region, Topic, Subscription string
	// From is the next sequence number, To the first that is not delivered any more; 0 means no end.
	From, To uint64
}

// startReplay begins a replay in the transaction that asks for it.
func (s *Service) startReplay(tx store.Txn, p place, r *topicRecord, x *subscription, value string) error {
	var policy replayPolicy
	if err := json.Unmarshal([]byte(value), &policy); err != nil {
		return invalid("ReplayPolicy: failed to parse JSON.")
	}
	if policy.Type != "Timestamp" {
		return invalid("ReplayPolicy: PointType must be Timestamp")
	}
	start, err := time.Parse(time.RFC3339, policy.Start)
	if err != nil {
		return invalid("ReplayPolicy: StartingPoint is not a timestamp")
	}
	if r.archiveDays() == 0 {
		return invalid("ReplayPolicy: the topic has no ArchivePolicy")
	}
	j := replayJob{Account: p.account, Region: p.region, Topic: r.Name, Subscription: x.ID, From: uint64(max(start.UnixMilli(), 0)) << sequenceShift}
	if policy.End != "" {
		end, err := time.Parse(time.RFC3339, policy.End)
		if err != nil || end.Before(start) {
			return invalid("ReplayPolicy: EndingPoint is not a timestamp after StartingPoint")
		}
		j.To = uint64(end.UnixMilli()) << sequenceShift
	}
	x.ReplayStatus = replayRunning
	return j.enqueue(tx)
}

func (j *replayJob) enqueue(tx store.Txn) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: replayKind, Payload: b, Name: strings.Join([]string{j.Account, j.Region, j.Topic, j.Subscription}, ":")})
}

// replayNext delivers the next archived messages.
func (s *Service) replayNext(ctx context.Context, job events.Job) error {
	var j replayJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(err)
	}
	where := place{j.Account, j.Region}
	ctx = s.inside(ctx, where)
	t, err := s.viewTopic(ctx, where.arn(j.Topic))
	if service.Code(err) == codeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	x := t.byID[j.Subscription]
	if x == nil || x.ReplayStatus != replayRunning {
		return nil
	}
	d, err := s.decide(ctx, t, x)
	if err != nil {
		return err
	}
	prefix := where.archive(j.Topic)
	span := store.Span{Lo: prefix.Uint(j.From), Hi: prefix.End(), Limit: replayBatch}
	if j.To > 0 {
		span.Hi = prefix.Uint(j.To)
	}
	return storeError(s.options.Queues.Send(ctx, func(tx store.Txn, send func(string, *port.QueueMessage) error) error {
		n, size := 0, 0
		next := j
		for row, err := range record.Range[message](tx, span) {
			if err != nil {
				return err
			}
			if size > maxDeliveryBytes {
				break
			}
			next.From = key.Decode(row.Key).Skip(prefix).Uint() + 1
			n++
			m := row.Value
			m.Replayed = true
			if wanted, err := x.wants(&m); err != nil || !wanted {
				if err != nil {
					return err
				}
				continue
			}
			// The queue knows the message from when it was published.
			m.Deduplication += "-replay-" + job.ID
			m.Deduplication = digest(m.Deduplication)
			written, err := s.deliverOne(ctx, tx, send, s.seal(t, &m), d)
			if err != nil {
				return err
			}
			size += written
		}
		if n == 0 {
			return s.endReplay(tx, where, t, x)
		}
		return next.enqueue(tx)
	}))
}

// wants tells whether the filter of a subscription lets a message through.
func (x *subscriber) wants(m *message) (bool, error) {
	switch {
	case x.filter == nil:
		return true, nil
	case x.body():
		ok, err := x.filter.Match([]byte(m.Body))
		return ok && err == nil, nil // a body that is no JSON object matches no filter
	}
	return x.filter.Match(m.attributeDocument())
}

func (s *Service) endReplay(tx store.Txn, p place, t *topic, x *subscriber) error {
	done, ok, err := record.Get[subscription](tx, p.subscription(t.Name, x.ID))
	if err != nil || !ok {
		return err
	}
	done.ReplayStatus = replayCompleted
	if err := record.Set(tx, p.subscription(t.Name, x.ID), done); err != nil {
		return err
	}
	r, ok, err := record.Get[topicRecord](tx, p.topic(t.Name))
	if err != nil || !ok {
		return err
	}
	r.Subscriptions++
	return record.Set(tx, p.topic(t.Name), r)
}

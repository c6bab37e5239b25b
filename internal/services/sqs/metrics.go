package sqs

import (
	"context"
	"log/slog"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/store"
)

// activeFor is how long after its last use a queue still has metrics
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html).
const activeFor = 6 * time.Hour

// meters are what a queue is counted into: what was done with it, and what is in it.
type meters struct{ done, holds *meter.Meter }

// newMeters returns the meters of a queue, in the namespace AWS/SQS (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
func (s *Service) newMeters(p place, name string) meters {
	series := meter.Series{Account: p.account, Region: p.region, Namespace: "AWS/SQS", Sets: [][]meter.Dimension{{{Name: "QueueName", Value: name}}}}
	series.Measures = []meter.Measure{
		{Name: "NumberOfMessagesSent", Unit: "Count"},
		{Name: "SentMessageSize", Unit: "Bytes"},
		{Name: "NumberOfDeduplicatedSentMessages", Unit: "Count"},
		{Name: "NumberOfMessagesReceived", Unit: "Count"},
		{Name: "NumberOfEmptyReceives", Unit: "Count"},
		{Name: "NumberOfMessagesDeleted", Unit: "Count"},
	}
	m := meters{done: s.meters.Meter(series)}
	series.Measures = []meter.Measure{
		{Name: "ApproximateNumberOfMessagesVisible", Unit: "Count"},
		{Name: "ApproximateNumberOfMessagesDelayed", Unit: "Count"},
		{Name: "ApproximateNumberOfMessagesNotVisible", Unit: "Count"},
		{Name: "ApproximateAgeOfOldestMessage", Unit: "Seconds"},
	}
	m.holds = s.meters.Meter(series)
	return m
}

// used notes that a queue is in use.
func (l *live) used(now time.Time) { l.lastUse.Store(now.UnixMilli()) }

// countSent counts a message of size bytes that was added to the queue.
func (l *live) countSent(now time.Time, size int64) {
	l.used(now)
	l.meters.done.Record(now, 1, float64(size))
}

// countRepeated counts a message that the queue had already.
func (l *live) countRepeated(now time.Time) {
	l.used(now)
	l.meters.done.Record(now, meter.Skip, meter.Skip, 1)
}

// countReceived counts a receive that got n messages.
func (l *live) countReceived(now time.Time, n int) {
	l.used(now)
	received := meter.Skip
	if n > 0 {
		received = float64(n)
	}
	l.meters.done.Record(now, meter.Skip, meter.Skip, meter.Skip, received, meter.One(n == 0))
}

// countDeleted counts n handles with which messages were deleted, now or before.
func (l *live) countDeleted(now time.Time, n int) {
	l.used(now)
	if n > 0 {
		l.meters.done.Record(now, meter.Skip, meter.Skip, meter.Skip, meter.Skip, meter.Skip, float64(n))
	}
}

// sample records what the queues hold that were in use lately.
func (s *Service) sample(ctx context.Context, now time.Time) {
	since := now.Add(-activeFor).UnixMilli()
	for _, q := range s.queues.usedSince(since) {
		err := s.store.View(ctx, func(r store.Reader) error {
			c, err := q.count(r, now.UnixMilli())
			if err != nil {
				return err
			}
			age, err := q.oldestAge(r, now.UnixMilli())
			if err == nil {
				q.live.meters.holds.Record(now, float64(c.visible), float64(c.delayed), float64(c.inFlight), age)
			}
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				s.log.WarnContext(ctx, "a queue could not be measured", slog.String("queue", q.arn), slog.Any("error", err))
			}
			return
		}
	}
}

// oldestAge is how long ago the oldest message of the queue was sent, in seconds; 0 when it has none.
func (q *queue) oldestAge(r store.Reader, now int64) (float64, error) {
	span := q.base("ms").Span()
	if oldest := q.live.at().oldest; oldest != nil {
		span.Lo = oldest
	}
	span.Limit = 1
	for p, err := range r.Range(span) {
		if err != nil {
			return 0, err
		}
		return float64(max(0, now-idAt(p.Key).enqueued())) / 1000, nil
	}
	return 0, nil
}

// usedSince returns the queues that were used since a time, in Unix milliseconds.
func (c *queueCache) usedSince(since int64) (used []*queue) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, have := range c.byKey {
		if have.queue != nil && have.queue.live.lastUse.Load() > since {
			used = append(used, have.queue)
		}
	}
	return used
}

package scheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"hash/fnv"
	"log/slog"
	"time"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// runKind is the job of a schedule: it waits for the next time that is due.
const runKind = "scheduler.run"

// due is the payload of a runKind job.
type due struct {
	Account, Region, Group, Name string
	Revision                     int
	// At is the time that the expression names; the job runs within the flexible window behind it.
	At time.Time
}

// next returns the first time after after at which a schedule is due, and false when there is none.
func (r *scheduleRecord) next(after time.Time) (time.Time, bool, error) {
	e, err := schedule.Parse(r.Expression, schedule.Scheduler)
	if err != nil {
		return time.Time{}, false, err
	}
	zone, err := time.LoadLocation(r.Zone)
	if err != nil {
		return time.Time{}, false, err
	}
	anchor := r.Created
	if !e.Once() && !r.Start.IsZero() { // a schedule that runs once has no start and no end
		anchor = r.Start
		if after.Before(r.Start) {
			after = r.Start.Add(-time.Nanosecond)
		}
	}
	at, ok := e.Next(after, anchor, zone)
	if ok && !e.Once() && !r.End.IsZero() && at.After(r.End) {
		ok = false
	}
	return at, ok, nil
}

// arm plans the next run of a schedule after a time, or ends its runs when there is none or it is disabled.
func (s *Service) arm(tx store.Txn, p place, r *scheduleRecord, after time.Time) error {
	at, ok, err := r.next(after)
	if err != nil {
		return err
	}
	if !ok || r.State != api.ScheduleStateEnabled {
		return disarm(tx, p, r)
	}
	arn := p.scheduleARN(r.Group, r.Name)
	b, err := json.Marshal(due{p.account, p.region, r.Group, r.Name, r.Revision, at})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: runKind, Name: arn, Payload: b, NotBefore: at.Add(r.offset(arn, at))})
}

// disarm ends the runs of a schedule.
func disarm(tx store.Txn, p place, r *scheduleRecord) error {
	return events.Cancel(tx, runKind, p.scheduleARN(r.Group, r.Name))
}

// offset returns how far into its flexible window a run is put off.
func (r *scheduleRecord) offset(arn string, at time.Time) time.Duration {
	if r.Window.Mode != api.FlexibleTimeWindowModeFlexible || r.Window.MaximumWindowInMinutes == nil {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(arn + at.UTC().Format(time.RFC3339))) // a hash takes everything
	return time.Duration(h.Sum64()%uint64(*r.Window.MaximumWindowInMinutes*60)) * time.Second
}

// run is the handler of runKind jobs.
func (s *Service) run(ctx context.Context, job events.Job) error {
	var d due
	if err := json.Unmarshal(job.Payload, &d); err != nil {
		return events.Permanent(err)
	}
	p := place{d.Account, d.Region}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[scheduleRecord](tx, p.schedule(d.Group, d.Name))
		if err != nil || !there || r.Revision != d.Revision || r.State != api.ScheduleStateEnabled {
			return err
		}
		now := s.now()
		if late := now.Sub(job.NotBefore); late <= r.retry().Age {
			m, err := s.message(p, &r, d.At, job.ID)
			if err != nil {
				return err
			}
			if err := s.queue.Enqueue(tx, m); err != nil {
				return err
			}
		} else {
			s.deps.Log.WarnContext(ctx, "run of a schedule left out: it is later than the schedule allows", slog.String("schedule", p.scheduleARN(r.Group, r.Name)),
				slog.Time("due", d.At), slog.Duration("late", late))
		}
		after := d.At
		if now.After(after) {
			after = now
		}
		return s.goOn(tx, p, &r, after)
	})
}

// goOn plans the run after a time. A schedule without one ends as it says.
func (s *Service) goOn(tx store.Txn, p place, r *scheduleRecord, after time.Time) error {
	_, more, err := r.next(after)
	if err != nil {
		return err
	}
	if !more && r.After == api.ActionAfterCompletionDelete {
		tx.Delete(p.schedule(r.Group, r.Name))
		return disarm(tx, p, r)
	}
	return s.arm(tx, p, r, after)
}

// The retry policy of a target that has none (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html).
const (
	defaultRetries = 185
	defaultAge     = 86_400 // seconds
)

// retryPolicy returns the retry policy that counts, with the default of what was not given.
func (r *scheduleRecord) retryPolicy() *api.RetryPolicy {
	p := api.RetryPolicy{MaximumRetryAttempts: new(int32(defaultRetries)), MaximumEventAgeInSeconds: new(int32(defaultAge))}
	if given := r.Target.RetryPolicy; given != nil {
		p.MaximumRetryAttempts = cmp.Or(given.MaximumRetryAttempts, p.MaximumRetryAttempts)
		p.MaximumEventAgeInSeconds = cmp.Or(given.MaximumEventAgeInSeconds, p.MaximumEventAgeInSeconds)
	}
	return &p
}

func (r *scheduleRecord) retry() *deliver.Retry {
	p := r.retryPolicy()
	return &deliver.Retry{Attempts: int(*p.MaximumRetryAttempts), Age: time.Duration(*p.MaximumEventAgeInSeconds) * time.Second}
}

// shownTarget is the target as GetSchedule tells it: AWS shows the retry policy also when it was not given.
func (r *scheduleRecord) shownTarget() *api.Target {
	t := r.Target
	t.RetryPolicy = r.retryPolicy()
	return &t
}

// dropped notes a delivery that was given up.
func (s *Service) dropped(ctx context.Context, _ store.Txn, m *deliver.Message, attempts int, cause error) error {
	s.deps.Log.WarnContext(ctx, "target of a schedule not called", slog.String("schedule", m.From.ARN), slog.String("target", m.Target), slog.Int("attempts", attempts),
		slog.Bool("dead_letter_queue", m.DeadLetter != nil), slog.Any("error", cause))
	return nil
}

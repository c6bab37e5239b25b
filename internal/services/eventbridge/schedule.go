package eventbridge

import (
	"context"
	"encoding/json"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// scheduleKind is the job of a rule with a schedule: it waits for the next time that is due.
	scheduleKind = "eventbridge.schedule"
	// maxLate is how late a rule may run, because the platform was down at its time; what is later is left out.
	maxLate = 15 * time.Minute
)

// tick is the payload of a scheduleKind job.
type tick struct {
	Account, Region, Rule string
	// Schedule and Anchor are those of the rule that the job belongs to: a rule that was changed has another job.
	Schedule string
	Anchor   time.Time
	At       time.Time
}

func tickName(p place, rule string) string { return p.account + "/" + p.region + "/" + rule }

// arm plans the next run of a rule after a time, or ends its runs when it has no schedule or is disabled.
func (s *Service) arm(tx store.Txn, p place, r *ruleRecord, after time.Time) error {
	name := tickName(p, r.Name)
	if r.Bus != defaultBus {
		return nil
	}
	if r.Schedule == "" || !r.on() {
		return events.Cancel(tx, scheduleKind, name)
	}
	e, err := schedule.Parse(r.Schedule, schedule.Rules)
	if err != nil {
		return err
	}
	at, ok := e.Next(after, r.Anchor, time.UTC)
	if !ok {
		return events.Cancel(tx, scheduleKind, name)
	}
	b, err := json.Marshal(tick{Account: p.account, Region: p.region, Rule: r.Name, Schedule: r.Schedule, Anchor: r.Anchor, At: at})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: scheduleKind, Name: name, Payload: b, NotBefore: at})
}

// run is the handler of scheduleKind jobs.
func (s *Service) run(_ context.Context, job events.Job) error {
	var t tick
	if err := json.Unmarshal(job.Payload, &t); err != nil {
		return events.Permanent(err)
	}
	p := place{t.Account, t.Region}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[ruleRecord](tx, p.rule(defaultBus, t.Rule))
		if err != nil || !there || r.Schedule != t.Schedule || !r.Anchor.Equal(t.Anchor) || !r.on() {
			return err
		}
		now := s.now()
		if late := now.Sub(t.At); late <= maxLate {
			if err := s.scheduled(p, &r, t.At).enqueue(tx); err != nil {
				return err
			}
		}
		after := t.At
		if now.After(after) {
			after = now
		}
		return s.arm(tx, p, &r, after)
	})
}

// scheduled returns the job that hands the event of a due time to the targets of a rule.
func (s *Service) scheduled(p place, r *ruleRecord, at time.Time) *routeJob {
	arn := p.ruleARN(defaultBus, r.Name)
	e := &event{
		ID: uuid.Of("scheduled", arn, at.Format(time.RFC3339)), Source: "aws.events", DetailType: "Scheduled Event", Account: p.account, Region: p.region,
		Time: at, Ingested: s.now(), Resources: []string{arn},
	}
	e.seal("{}", "")
	return &routeJob{Account: p.account, Region: p.region, Bus: defaultBus, Event: e, Rules: []string{r.Name}}
}

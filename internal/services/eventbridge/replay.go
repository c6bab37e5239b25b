package eventbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// replayKind is the job that sends the next events of a replay.
	replayKind = "eventbridge.replay"
	// replaySize is how many events one job of a replay sends.
	replaySize = 100
	// maxReplays is how many replays run at the same time in an account and region (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html).
	maxReplays = 10
)

// replayRecord is a replay.
type replayRecord struct {
	Name, Archive, Source string
	Description           string `json:",omitempty"`
	State                 string
	Destination           api.ReplayDestination
	Bus                   string
	// Rules are the names of the rules that take part; none means all.
	Rules         []string `json:",omitempty"`
	From, To      time.Time
	Started       time.Time
	Ended, LastAt time.Time `json:",omitzero"`
	// Next is the key of the event to go on with, behind that of the archive.
	Next []byte `json:",omitempty"`
}

// running tells whether events are still to be sent.
func (r *replayRecord) running() bool {
	return r.State == api.ReplayStateStarting || r.State == api.ReplayStateRunning
}

func noReplay(name string) error { return notFound("Replay %s does not exist.", name) }

func (s *Service) startReplay(ctx context.Context, in *api.StartReplayInput) (*api.StartReplayOutput, error) {
	p := placeOf(ctx)
	r, err := s.newReplay(ctx, p, in)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		running := 0
		for row, err := range record.Range[replayRecord](tx, p.replays().Span()) {
			if err != nil {
				return err
			}
			if row.Value.Name == in.ReplayName {
				return exists("Replay %s already exists.", in.ReplayName)
			}
			if row.Value.running() {
				running++
			}
		}
		if running >= maxReplays {
			return overLimit()
		}
		if err := r.goOn(tx, p); err != nil {
			return err
		}
		return record.Set(tx, p.replay(in.ReplayName), r)
	})
	return &api.StartReplayOutput{ReplayArn: new(p.arn("replay/" + in.ReplayName)), State: api.ReplayStateStarting, ReplayStartTime: &r.Started}, storeError(err)
}

// newReplay checks a call and returns the replay that it asks for.
func (s *Service) newReplay(ctx context.Context, p place, in *api.StartReplayInput) (*replayRecord, error) {
	if in.Destination == nil {
		return nil, invalid("Parameter Destination is not valid. Reason: it must be given.")
	}
	busName, err := sourceBus(in.Destination.Arn)
	if err != nil {
		return nil, invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
	}
	source, err := arn.Parse(in.EventSourceArn)
	archive, ok := strings.CutPrefix(source.Resource, "archive/")
	if err != nil || !ok {
		return nil, invalid("Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.")
	}
	if _, err := s.viewBus(ctx, p, busName); err != nil {
		return nil, err
	}
	a, err := view[archiveRecord](ctx, s, p.archive(archive), invalid("Parameter EventSourceArn is not valid. Reason: Archive %s does not exist.", archive))
	if err != nil {
		return nil, err
	}
	switch {
	case !in.EventStartTime.Before(in.EventEndTime):
		return nil, invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
	case a.Source != in.Destination.Arn:
		return nil, invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
	}
	r := &replayRecord{
		Name: in.ReplayName, Archive: archive, Source: in.EventSourceArn, Description: opt.Value(in.Description), State: api.ReplayStateStarting, Destination: *in.Destination,
		Bus: busName, From: in.EventStartTime, To: in.EventEndTime, Started: s.now(),
	}
	for _, name := range in.Destination.FilterArns {
		f, err := arn.Parse(name)
		rest, ok := strings.CutPrefix(f.Resource, "rule/")
		if err != nil || !ok {
			return nil, invalid("Parameter Destination.FilterArns is not valid. Reason: %s is not the ARN of a rule.", name)
		}
		r.Rules = append(r.Rules, strings.TrimPrefix(rest, busName+"/"))
	}
	return r, nil
}

// goOn writes the job that sends the next events.
func (r *replayRecord) goOn(tx store.Txn, p place) error {
	b, err := json.Marshal(tick{Account: p.account, Region: p.region, Rule: r.Name})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: replayKind, Name: tickName(p, r.Name), Payload: b})
}

func (s *Service) cancelReplay(ctx context.Context, in *api.CancelReplayInput) (*api.CancelReplayOutput, error) {
	p := placeOf(ctx)
	err := change(ctx, s, p.replay(in.ReplayName), noReplay(in.ReplayName), func(tx store.Txn, r *replayRecord) error {
		if !r.running() {
			return service.Errorf(codeState, "Replay %s is not in a valid state for this operation.", in.ReplayName).WithStatus(400)
		}
		r.State, r.Ended = api.ReplayStateCancelled, s.now()
		return events.Cancel(tx, replayKind, tickName(p, r.Name))
	})
	return &api.CancelReplayOutput{ReplayArn: new(p.arn("replay/" + in.ReplayName)), State: api.ReplayStateCancelling}, err
}

func (s *Service) describeReplay(ctx context.Context, in *api.DescribeReplayInput) (*api.DescribeReplayOutput, error) {
	p := placeOf(ctx)
	r, err := view[replayRecord](ctx, s, p.replay(in.ReplayName), noReplay(in.ReplayName))
	if err != nil {
		return nil, err
	}
	return &api.DescribeReplayOutput{
		ReplayName: &r.Name, ReplayArn: new(p.arn("replay/" + r.Name)), Description: opt.Of(r.Description), State: r.State, EventSourceArn: &r.Source, Destination: &r.Destination,
		EventStartTime: &r.From, EventEndTime: &r.To, EventLastReplayedTime: shownTime(r.LastAt), ReplayStartTime: &r.Started, ReplayEndTime: shownTime(r.Ended),
	}, nil
}

func (s *Service) listReplays(ctx context.Context, in *api.ListReplaysInput) (*api.ListReplaysOutput, error) {
	p := placeOf(ctx)
	out := &api.ListReplaysOutput{Replays: []api.Replay{}}
	next, err := list(ctx, s, p.replays(), in.NamePrefix, in.NextToken, in.Limit, func(_ string, r replayRecord) bool {
		if in.State != "" && in.State != r.State || in.EventSourceArn != nil && *in.EventSourceArn != r.Source {
			return false
		}
		out.Replays = append(out.Replays, api.Replay{
			ReplayName: &r.Name, EventSourceArn: &r.Source, State: r.State, EventStartTime: &r.From, EventEndTime: &r.To, EventLastReplayedTime: shownTime(r.LastAt),
			ReplayStartTime: &r.Started, ReplayEndTime: shownTime(r.Ended),
		})
		return true
	})
	out.NextToken = next
	return out, err
}

// replayNext is the handler of replayKind jobs: it leaves the next events to jobs and notes how far it came, in one commit.
func (s *Service) replayNext(ctx context.Context, job events.Job) error {
	var t tick
	if err := json.Unmarshal(job.Payload, &t); err != nil {
		return events.Permanent(err)
	}
	p := place{t.Account, t.Region}
	known, err := view[replayRecord](ctx, s, p.replay(t.Rule), noReplay(t.Rule))
	if err != nil {
		return err
	}
	o, err := s.routers.get(ctx, busKey{p, known.Bus})
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[replayRecord](tx, p.replay(t.Rule))
		if err != nil || !there || !r.running() {
			return err
		}
		more, err := r.batch(tx, o)
		if err != nil {
			return err
		}
		if r.State = api.ReplayStateRunning; !more {
			r.State, r.Ended = api.ReplayStateCompleted, s.now()
		} else if err := r.goOn(tx, p); err != nil {
			return err
		}
		return record.Set(tx, p.replay(r.Name), r)
	})
}

// batch leaves the next events of a replay to jobs, and reports whether there are more.
func (r *replayRecord) batch(tx store.Txn, o *router) (more bool, err error) {
	prefix := o.place.archived(r.Archive)
	span := store.Span{Lo: prefix.Time(r.From), Hi: prefix.Time(r.To), Limit: replaySize + 1}
	if r.Next != nil {
		span.Lo = prefix.Raw(r.Next)
	}
	n, size := 0, 0
	for row, err := range tx.Range(span) {
		if err != nil {
			return false, err
		}
		size += len(row.Value)
		if n++; n > replaySize || n > 1 && size > maxDeliveryBytes {
			r.Next = bytes.Clone(row.Key[len(prefix):])
			return true, nil
		}
		e, err := decodeEvent(row.Value)
		if err != nil {
			return false, err
		}
		r.LastAt = key.Decode(row.Key).Skip(prefix).Time()
		e.seal(e.detail(), r.Name)
		e.Forwarded = false
		if err := r.send(tx, o, e); err != nil {
			return false, err
		}
	}
	return false, nil
}

// send leaves an event to a job that brings it to the rules of the replay. Archives do not take it again.
func (r *replayRecord) send(tx store.Txn, o *router, e *event) error {
	found, err := o.rules.matches(e)
	if err != nil {
		return err
	}
	var names []string
	for _, x := range found {
		if r.Rules == nil || slices.Contains(r.Rules, x.name) {
			names = append(names, x.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return (&routeJob{Account: o.account, Region: o.region, Bus: r.Bus, Event: e, Rules: names}).enqueue(tx)
}

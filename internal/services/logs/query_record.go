package logs

import (
	"cmp"
	"context"
	"encoding/base64"
	"math"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/logs/insights"
	"lambent.dev/lambent/internal/services/logs/transform"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// seer shows the events of a group as queries see them.
type seer struct {
	s     scope
	group group
	t     *transform.Transformer
	since int64
}

func (l *Logs) newSeer(r store.Reader, s scope, g *group) (*seer, error) {
	rules, err := rulesOf(r, s)
	if err != nil {
		return nil, err
	}
	t, since, err := l.transformerOf(g, &rules)
	return &seer{s, *g, t, since}, err
}

// event shows an event, with the fields that the group's transformer makes of it when it came since that was last changed.
func (v *seer) event(e *event) *insights.Event {
	out := &insights.Event{
		Time: e.ms, Ingested: e.ingested, Message: e.message, Stream: e.stream, Log: v.s.account + ":" + v.group.Name,
		Pointer: base64.RawURLEncoding.EncodeToString(e.append(key.New(v.group.Name))),
	}
	if v.t != nil && e.ingested >= v.since {
		out.Transformed, _ = v.t.Apply(transform.Event{Account: v.s.account, Region: v.s.region, Group: v.group.Name, Stream: e.stream, Message: e.message})
	}
	return out
}

// everyStream wants the events of all streams.
func everyStream(string) bool { return true }

func (l *Logs) getLogRecord(ctx context.Context, in *api.GetLogRecordInput) (*api.GetLogRecordOutput, error) {
	if opt.Value(in.Unmask) {
		return nil, service.Unsupported("InvalidParameterException", "GetLogRecord", "unmask")
	}
	raw, err := base64.RawURLEncoding.DecodeString(in.LogRecordPointer)
	d := key.Decode(raw)
	name, at := d.Str(), position{d.Int(), d.Str(), d.Uint()}
	if err != nil || d.Done() != nil {
		return nil, invalid("The logRecordPointer %q is none: use the value of @ptr in the result of a query.", in.LogRecordPointer)
	}
	s := scopeOf(ctx)
	out := &api.GetLogRecordOutput{}
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, name)
		if err != nil {
			return err
		}
		shows, err := l.newSeer(r, s, &g)
		if err != nil {
			return err
		}
		for e, err := range inStream(r, s, g.ID, at.stream, at, position{at.ms, at.stream, at.seq + 1}, false) {
			if err != nil {
				return err
			}
			out.LogRecord = shows.event(&e).Fields()
			return nil
		}
		return notFound("log record")
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxSample bounds the events in which fields are counted.
const maxSample = 10_000

func (l *Logs) getLogGroupFields(ctx context.Context, in *api.GetLogGroupFieldsInput) (*api.GetLogGroupFieldsOutput, error) {
	if (in.LogGroupName == nil) == (in.LogGroupIdentifier == nil) {
		return nil, invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
	}
	if err := l.sink.Flush(ctx); err != nil {
		return nil, unavailable(err)
	}
	lo, hi := position{ms: l.nowMS() - (15 * time.Minute).Milliseconds()}, position{ms: l.nowMS() + 1}
	if in.Time != nil {
		lo.ms, hi.ms = (*in.Time-8*60)*1000, (*in.Time+8*60)*1000+1
	}
	s, seen, counts := scopeOf(ctx), 0, map[string]int{}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, either(in.LogGroupName, in.LogGroupIdentifier))
		if err != nil {
			return err
		}
		shows, err := l.newSeer(r, s, &g)
		if err != nil {
			return err
		}
		for e, err := range inGroup(r, s, g.ID, lo, hi, everyStream) {
			if err != nil {
				return err
			}
			if seen++; seen > maxSample {
				seen = maxSample
				return nil
			}
			for name := range shows.event(&e).Fields() {
				counts[name]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	delete(counts, "@ptr")
	out := &api.GetLogGroupFieldsOutput{LogGroupFields: []api.LogGroupField{}}
	for name, n := range counts {
		out.LogGroupFields = append(out.LogGroupFields, api.LogGroupField{Name: &name, Percent: ptr(int32(math.Round(100 * float64(n) / float64(seen))))})
	}
	order.Sort(out.LogGroupFields, func(a, b api.LogGroupField) int {
		return cmp.Or(cmp.Compare(*b.Percent, *a.Percent), cmp.Compare(*a.Name, *b.Name))
	})
	return out, nil
}

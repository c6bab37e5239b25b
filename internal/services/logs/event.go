package logs

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// Limits of PutLogEvents and of the reading calls, in bytes and events
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html).
const (
	maxBatchEvents = 10_000
	maxBatchBytes  = 1 << 20
	eventOverhead  = 26
	maxEventBytes  = 1 << 20
	maxPageEvents  = 10_000
	maxPageBytes   = 1 << 20
	tooOld         = 14 * 24 * time.Hour
	tooNew         = 2 * time.Hour
	maxBatchSpan   = 24 * time.Hour
)

func sequenceToken(st stream) string {
	return fmt.Sprintf("%056d", st.Seq+1)
}

func (l *Logs) putLogEvents(ctx context.Context, in *api.PutLogEventsInput) (*api.PutLogEventsOutput, error) {
	if err := checkBatch(in.LogEvents); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.PutLogEventsOutput{}
	err := l.ingest(ctx, func(into *intake) error {
		g, err := getGroup(into.tx, s, in.LogGroupName)
		if err != nil {
			return err
		}
		st, err := getStream(into.tx, s, g.ID, in.LogStreamName)
		if err != nil {
			return err
		}
		lines, rejected := sift(in.LogEvents, into.now, g.Retention)
		if st, err = l.record(ctx, into, s, &g, st, lines); err != nil {
			return err
		}
		out.NextSequenceToken, out.RejectedLogEventsInfo = ptr(sequenceToken(st)), rejected
		return nil
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

func checkBatch(batch []api.InputLogEvent) error {
	size := 0
	for i, e := range batch {
		size += len(e.Message) + eventOverhead
		switch {
		case e.Message == "":
			return invalid("1 validation error detected: Value '' at 'logEvents.%d.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1", i+1)
		case len(e.Message)+eventOverhead > maxEventBytes:
			return invalid("Log event too large: %d bytes exceeds limit of %d", len(e.Message)+eventOverhead, maxEventBytes)
		case i > 0 && e.Timestamp < batch[i-1].Timestamp:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if n := len(batch); n > maxBatchEvents || size > maxBatchBytes {
		return invalid("Upload too large: %d bytes in %d events exceeds limit of %d bytes and %d events", size, n, maxBatchBytes, maxBatchEvents)
	}
	if n := len(batch); n > 0 && batch[n-1].Timestamp-batch[0].Timestamp > maxBatchSpan.Milliseconds() {
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// sift leaves out the events that are too old, expired or too new, and reports them as AWS does.
func sift(batch []api.InputLogEvent, now int64, retention int32) ([]line, *api.RejectedLogEventsInfo) {
	oldest, newest := now-tooOld.Milliseconds(), now+tooNew.Milliseconds()
	expired := int64(-1)
	if retention > 0 {
		expired = now - int64(retention)*24*time.Hour.Milliseconds()
	}
	lines := make([]line, 0, len(batch))
	var info api.RejectedLogEventsInfo
	rejected := false
	for i, e := range batch {
		n := int32(i)
		switch {
		case e.Timestamp < expired:
			info.ExpiredLogEventEndIndex, rejected = ptr(n+1), true
		case e.Timestamp < oldest:
			info.TooOldLogEventEndIndex, rejected = ptr(n+1), true
		case e.Timestamp > newest:
			if info.TooNewLogEventStartIndex == nil {
				info.TooNewLogEventStartIndex, rejected = ptr(n), true
			}
		default:
			lines = append(lines, line{e.Timestamp, e.Message})
		}
	}
	if !rejected {
		return lines, nil
	}
	return lines, &info
}

// A token is a direction and a position: where the next page begins (forward) or ends (backward).
func token(direction string, p position) *string {
	return ptr(direction + "/" + base64.RawURLEncoding.EncodeToString(p.append(nil)))
}

func parseToken(t *string) (direction string, p position, err error) {
	if t == nil {
		return "", p, nil
	}
	malformed := invalid("The specified nextToken is invalid.")
	direction, text, ok := strings.Cut(*t, "/")
	if !ok || direction != "f" && direction != "b" {
		return "", p, malformed
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", p, malformed
	}
	d := key.Decode(raw)
	p = position{d.Int(), d.Str(), d.Uint()}
	if d.Done() != nil {
		return "", p, malformed
	}
	return direction, p, nil
}

func (l *Logs) getLogEvents(ctx context.Context, in *api.GetLogEventsInput) (*api.GetLogEventsOutput, error) {
	p := page{stream: in.LogStreamName, limit: limitOf(in.Limit, maxPageEvents)}
	if err := p.bound(in); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.GetLogEventsOutput{Events: []api.OutputLogEvent{}}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, either(in.LogGroupName, in.LogGroupIdentifier))
		if err != nil {
			return err
		}
		if _, err := getStream(r, s, g.ID, in.LogStreamName); err != nil {
			return err
		}
		return p.read(inStream(r, s, g.ID, in.LogStreamName, p.lo, p.hi, !p.forward), out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// page is one page of a stream's events: those at or after lo and before hi.
type page struct {
	stream  string
	lo, hi  position
	limit   int
	forward bool
}

// bound reads the range of time and the token of a call. A token that lies outside of the time range leaves the page empty.
func (p *page) bound(in *api.GetLogEventsInput) error {
	direction, at, err := parseToken(in.NextToken)
	if err != nil {
		return err
	}
	p.lo, p.hi = position{math.MinInt64, p.stream, 0}, position{math.MaxInt64, p.stream, math.MaxUint64}
	if in.StartTime != nil {
		p.lo.ms = *in.StartTime
	}
	if in.EndTime != nil {
		p.hi = position{*in.EndTime, p.stream, 0}
	}
	switch {
	case direction == "f" && at.compare(p.lo) > 0:
		p.lo = at
	case direction == "b" && at.compare(p.hi) < 0:
		p.hi = at
	}
	p.forward = direction == "f" || direction == "" && in.StartFromHead != nil && *in.StartFromHead
	return nil
}

// read fills out with the page, oldest event first, and with the tokens of its neighbours. What comes after an empty page begins where that began.
func (p *page) read(all iter.Seq2[event, error], out *api.GetLogEventsOutput) error {
	before, after := p.lo, p.lo
	if !p.forward {
		before = p.hi
	}
	size := 0
	for e, err := range all {
		if err != nil {
			return err
		}
		if size += len(e.message) + eventOverhead; len(out.Events) == p.limit || size > maxPageBytes && len(out.Events) > 0 {
			break
		}
		if p.forward || len(out.Events) == 0 {
			after = position{e.ms, e.stream, e.seq + 1}
		}
		if !p.forward {
			before = e.position
		}
		out.Events = append(out.Events, api.OutputLogEvent{Timestamp: ptr(e.ms), Message: ptr(e.message), IngestionTime: ptr(e.ingested)})
	}
	if !p.forward {
		slices.Reverse(out.Events)
	}
	out.NextForwardToken, out.NextBackwardToken = token("f", after), token("b", before)
	return nil
}

func (l *Logs) filterLogEvents(ctx context.Context, in *api.FilterLogEventsInput) (*api.FilterLogEventsOutput, error) {
	if in.LogStreamNames != nil && in.LogStreamNamePrefix != nil {
		return nil, invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
	}
	match, err := compilePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	_, at, err := parseToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	lo, hi := position{ms: math.MinInt64}, position{ms: math.MaxInt64}
	if in.StartTime != nil {
		lo.ms = *in.StartTime
	}
	if in.EndTime != nil && *in.EndTime < math.MaxInt64 {
		hi.ms = *in.EndTime + 1
	}
	if in.NextToken != nil {
		lo = at
	}
	s := scopeOf(ctx)
	out := &api.FilterLogEventsOutput{Events: []api.FilteredLogEvent{}, SearchedLogStreams: []api.SearchedLogStream{}}
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, either(in.LogGroupName, in.LogGroupIdentifier))
		if err != nil {
			return err
		}
		return scan(inGroup(r, s, g.ID, lo, hi, streamChoice(in)), limitOf(in.Limit, maxPageEvents), out, match)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxScan bounds the events that one call looks at; the next token goes on from there.
const maxScan = 100_000

func scan(all iter.Seq2[event, error], limit int, out *api.FilterLogEventsOutput, match matcher) error {
	size, seen := 0, 0
	for e, err := range all {
		if err != nil {
			return err
		}
		full := len(out.Events) == limit || size+len(e.message)+eventOverhead > maxPageBytes && len(out.Events) > 0
		if seen++; full || seen > maxScan {
			out.NextToken = token("f", e.position)
			return nil
		}
		if e.message == "" || !match(e.message) {
			continue
		}
		size += len(e.message) + eventOverhead
		out.Events = append(out.Events, api.FilteredLogEvent{
			LogStreamName: ptr(e.stream), Timestamp: ptr(e.ms), Message: ptr(e.message), IngestionTime: ptr(e.ingested), EventId: ptr(eventID(e)),
		})
	}
	return nil
}

// eventID is a number, as on AWS, that no other event of the group has: of the time, the stream and the place in it. Streams of a group have events in the same
// millisecond with the same sequence as a rule, since functions begin their logs alike.
func eventID(e event) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.stream))
	return fmt.Sprintf("%d%020d%020d", e.ms, h.Sum64(), e.seq)
}

func streamChoice(in *api.FilterLogEventsInput) func(string) bool {
	switch {
	case in.LogStreamNames != nil:
		set := make(map[string]bool, len(in.LogStreamNames))
		for _, n := range in.LogStreamNames {
			set[n] = true
		}
		return func(n string) bool { return set[n] }
	case in.LogStreamNamePrefix != nil:
		prefix := *in.LogStreamNamePrefix
		return func(n string) bool { return len(n) >= len(prefix) && n[:len(prefix)] == prefix }
	}
	return func(string) bool { return true }
}

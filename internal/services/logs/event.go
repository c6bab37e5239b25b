package logs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
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

// line is one event on its way into the store.
type line struct {
	ms      int64
	message string
}

// The stored value of an event is its ingestion time (8 bytes, big endian) and its message.
func eventValue(ingested int64, message string) []byte {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(message)), uint64(ingested))
	return append(v, message...)
}

// event is one stored event.
type event struct {
	ms, ingested int64
	stream       string
	seq          uint64
	message      string
}

func decodeEvent(prefix key.Key, p store.Pair) (event, error) {
	d := key.Decode(p.Key).Skip(prefix)
	e := event{ms: d.Int(), stream: d.Str(), seq: d.Uint()}
	if err := d.Done(); err != nil {
		return e, fmt.Errorf("event key: %w", err)
	}
	if len(p.Value) < 8 {
		return e, errors.New("event value is cut off")
	}
	e.ingested, e.message = int64(binary.BigEndian.Uint64(p.Value)), string(p.Value[8:])
	return e, nil
}

// indexed returns the time and sequence in a key of a stream's index.
func indexed(prefix key.Key, k []byte) (ms int64, seq uint64, err error) {
	d := key.Decode(k).Skip(prefix)
	ms, seq = d.Int(), d.Uint()
	return ms, seq, d.Done()
}

// write adds events to a stream inside a transaction and updates the stream's record.
func write(tx store.Txn, s scope, groupID string, st stream, lines []line, now int64) (stream, error) {
	for _, e := range lines {
		tx.Set(s.event(groupID, e.ms, st.Name, st.Seq), eventValue(now, e.message))
		tx.Set(s.indexAt(groupID, st.Name, e.ms, st.Seq), nil)
		st.Seq++
		if st.First == 0 || e.ms < st.First {
			st.First = e.ms
		}
		st.Last = max(st.Last, e.ms)
	}
	st.LastIngested = now
	return st, record.Set(tx, s.stream(groupID, st.Name), st)
}

func sequenceToken(st stream) string {
	return fmt.Sprintf("%056d", st.Seq+1)
}

func (l *Logs) putLogEvents(ctx context.Context, in *api.PutLogEventsInput) (*api.PutLogEventsOutput, error) {
	if err := checkBatch(in.LogEvents); err != nil {
		return nil, err
	}
	s, now := scopeOf(ctx), l.nowMS()
	out := &api.PutLogEventsOutput{}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := getGroup(tx, s, in.LogGroupName)
		if err != nil {
			return err
		}
		st, err := getStream(tx, s, g.ID, in.LogStreamName)
		if err != nil {
			return err
		}
		lines, rejected := sift(in.LogEvents, now, g.Retention)
		if st, err = write(tx, s, g.ID, st, lines, now); err != nil {
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

// A token is a direction and a key suffix: where the next page begins (forward) or ends (backward).
func token(direction string, suffix []byte) *string {
	return ptr(direction + "/" + base64.RawURLEncoding.EncodeToString(suffix))
}

func parseToken(t *string) (direction string, suffix []byte, err error) {
	if t == nil {
		return "", nil, nil
	}
	if len(*t) < 2 || (*t)[1] != '/' {
		return "", nil, invalid("The specified nextToken is invalid.")
	}
	suffix, err = base64.RawURLEncoding.DecodeString((*t)[2:])
	if err != nil || (*t)[0] != 'f' && (*t)[0] != 'b' {
		return "", nil, invalid("The specified nextToken is invalid.")
	}
	return (*t)[:1], suffix, nil
}

func (l *Logs) getLogEvents(ctx context.Context, in *api.GetLogEventsInput) (*api.GetLogEventsOutput, error) {
	direction, at, err := parseToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.GetLogEventsOutput{Events: []api.OutputLogEvent{}}
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, either(in.LogGroupName, in.LogGroupIdentifier))
		if err != nil {
			return err
		}
		if _, err := getStream(r, s, g.ID, in.LogStreamName); err != nil {
			return err
		}
		p := page{index: s.index(g.ID, in.LogStreamName), limit: limitOf(in.Limit, maxPageEvents)}
		p.forward = direction == "f" || direction == "" && in.StartFromHead != nil && *in.StartFromHead
		p.bound(in.StartTime, in.EndTime, direction, at)
		return p.read(r, out, func(ms int64, seq uint64) (event, error) {
			k := s.event(g.ID, ms, in.LogStreamName, seq)
			v, err := r.Get(k)
			if err != nil {
				return event{}, err
			}
			return decodeEvent(s.events(g.ID), store.Pair{Key: k, Value: v})
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// page is one page of a stream's events.
type page struct {
	index   key.Key
	span    store.Span
	limit   int
	forward bool
}

func (p *page) bound(start, end *int64, direction string, at []byte) {
	p.span = p.index.Span()
	if start != nil {
		p.span.Lo = p.index.Int(*start)
	}
	if end != nil {
		p.span.Hi = p.index.Int(*end)
	}
	// A token that lies outside of the asked time range leaves the page empty.
	switch k := p.index.Raw(at); direction {
	case "f":
		if string(k) > string(p.span.Lo) {
			p.span.Lo = k
		}
	case "b":
		if string(k) < string(p.span.Hi) {
			p.span.Hi = k
		}
	}
	p.span.Reverse = !p.forward
}

// read fills out with the page, oldest event first, and with the tokens of its neighbours.
func (p *page) read(r store.Reader, out *api.GetLogEventsOutput, load func(ms int64, seq uint64) (event, error)) error {
	lo, hi := p.span.Lo, p.span.Lo
	if p.span.Reverse {
		lo, hi = p.span.Hi, p.span.Hi
	}
	size := 0
	if string(p.span.Lo) < string(p.span.Hi) {
		for pair, err := range r.Range(p.span) {
			if err != nil {
				return err
			}
			ms, seq, err := indexed(p.index, pair.Key)
			if err != nil {
				return err
			}
			e, err := load(ms, seq)
			if err != nil {
				return err
			}
			if size += len(e.message) + eventOverhead; len(out.Events) == p.limit || size > maxPageBytes && len(out.Events) > 0 {
				break
			}
			if p.forward {
				hi = append(append([]byte(nil), pair.Key...), 0)
			} else {
				if len(out.Events) == 0 {
					hi = append(append([]byte(nil), pair.Key...), 0)
				}
				lo = append([]byte(nil), pair.Key...)
			}
			out.Events = append(out.Events, api.OutputLogEvent{Timestamp: ptr(e.ms), Message: ptr(e.message), IngestionTime: ptr(e.ingested)})
		}
	}
	if !p.forward {
		for i, j := 0, len(out.Events)-1; i < j; i, j = i+1, j-1 {
			out.Events[i], out.Events[j] = out.Events[j], out.Events[i]
		}
	}
	out.NextForwardToken, out.NextBackwardToken = token("f", trim(hi, p.index)), token("b", trim(lo, p.index))
	return nil
}

// trim returns what k has behind the prefix; a bound that lies past the prefix stands for its end.
func trim(k []byte, prefix key.Key) []byte {
	if len(k) < len(prefix) || string(k[:len(prefix)]) != string(prefix) {
		return []byte{0xff}
	}
	return k[len(prefix):]
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
	s := scopeOf(ctx)
	out := &api.FilterLogEventsOutput{Events: []api.FilteredLogEvent{}, SearchedLogStreams: []api.SearchedLogStream{}}
	wanted := streamChoice(in)
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, either(in.LogGroupName, in.LogGroupIdentifier))
		if err != nil {
			return err
		}
		prefix := s.events(g.ID)
		span := prefix.Span()
		if in.StartTime != nil {
			span.Lo = s.eventsAt(g.ID, *in.StartTime)
		}
		if in.EndTime != nil {
			span.Hi = s.eventsAt(g.ID, *in.EndTime+1)
		}
		if at != nil {
			span.Lo = prefix.Raw(at)
		}
		if string(span.Lo) >= string(span.Hi) {
			return nil
		}
		return l.scan(r, span, prefix, limitOf(in.Limit, maxPageEvents), out, func(e event) bool { return wanted(e.stream) && match(e.message) })
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxScan bounds the events that one call looks at; the next token goes on from there.
const maxScan = 100_000

func (l *Logs) scan(r store.Reader, span store.Span, prefix key.Key, limit int, out *api.FilterLogEventsOutput, want func(event) bool) error {
	size, seen := 0, 0
	for pair, err := range r.Range(span) {
		if err != nil {
			return err
		}
		e, err := decodeEvent(prefix, pair)
		if err != nil {
			return err
		}
		full := len(out.Events) == limit || size+len(e.message)+eventOverhead > maxPageBytes && len(out.Events) > 0
		if seen++; full || seen > maxScan {
			out.NextToken = token("f", pair.Key[len(prefix):])
			return nil
		}
		if !want(e) {
			continue
		}
		size += len(e.message) + eventOverhead
		out.Events = append(out.Events, api.FilteredLogEvent{
			LogStreamName: ptr(e.stream), Timestamp: ptr(e.ms), Message: ptr(e.message), IngestionTime: ptr(e.ingested), EventId: ptr(eventID(e)),
		})
	}
	return nil
}

// eventID returns a decimal id that is unique within its group and stream and grows with time.
func eventID(e event) string { return strconv.FormatInt(e.ms, 10) + fmt.Sprintf("%020d", e.seq) }

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

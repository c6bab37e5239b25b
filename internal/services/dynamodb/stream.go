package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// streamKeep is for how long a record stays in a stream, and a stream after it was disabled
	// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html).
	streamKeep = 24 * time.Hour
	// shardLife is for how long a shard takes records, from the first one on. AWS's live for about as long.
	shardLife = 4 * time.Hour
	// labelLayout is the form of a stream's label: the time at which it was enabled.
	labelLayout = "2006-01-02T15:04:05.000"
)

// The messages of a stream that is as it was asked to be, before the table's name.
const (
	msgStreamEnabled = "Table already has an enabled stream: TableName: "
	msgNoStream      = "Table has no stream to disable: TableName: "
)

// streamState is what a write needs to know of the table's stream.
type streamState struct {
	Label string `json:"label"`
	View  string `json:"view"`
	// Shard is the number of the shard that takes records.
	Shard uint64 `json:"shard"`
	// Begun is when the shard may have got its first record; zero for an empty shard, which needs no timer.
	Begun time.Time `json:"begun,omitzero"`
}

// streamRecord is a stream as it is stored. It outlives its table.
type streamRecord struct {
	Table    string                 `json:"table"`
	Label    string                 `json:"label"`
	View     string                 `json:"view"`
	Keys     []ddb.KeySchemaElement `json:"keys"`
	Created  time.Time              `json:"created"`
	Disabled time.Time              `json:"disabled,omitzero"`
	Policy   *policyRecord          `json:"policy,omitempty"`
	// Shards are those that are kept, oldest first. Only the last may be open.
	Shards []shardRecord `json:"shards"`
}

// shardRecord is a part of a stream: its records of some hours.
type shardRecord struct {
	Number  uint64    `json:"number"`
	Parent  string    `json:"parent,omitempty"`
	Created time.Time `json:"created"`
	Closed  time.Time `json:"closed,omitzero"`
}

// id returns the shard's id in the API. It ends with the number.
func (sh *shardRecord) id() string {
	return fmt.Sprintf("shardId-%020d-%08x", sh.Created.UnixMilli(), sh.Number)
}

func streamARN(p place, table, label string) string { return tableARN(p, table) + "/stream/" + label }

// parseStreamARN returns what a stream's ARN consists of.
func parseStreamARN(arn string) (p place, table, label string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:dynamodb:")
	if !ok {
		return p, "", "", false
	}
	p.region, rest, _ = strings.Cut(rest, ":")
	p.account, rest, _ = strings.Cut(rest, ":table/")
	table, label, ok = strings.Cut(rest, "/stream/")
	return p, table, label, ok && table != "" && label != ""
}

// checkStream checks a StreamSpecification, which may be absent.
func checkStream(spec *ddb.StreamSpecification) error {
	switch {
	case spec == nil:
		return nil
	case spec.StreamEnabled && spec.StreamViewType == "":
		return invalidValue("StreamSpecification.StreamViewType must be specified when StreamEnabled is true")
	case !spec.StreamEnabled && spec.StreamViewType != "":
		return invalidValue("StreamViewType must not be specified when StreamEnabled is false")
	}
	return nil
}

// alterStream enables or disables the table's stream.
func (r *tableRecord) alterStream(tx store.Txn, p place, spec *ddb.StreamSpecification, now time.Time) error {
	switch {
	case spec.StreamEnabled && r.Stream != nil:
		return invalid(msgStreamEnabled+"%s", r.Name)
	case spec.StreamEnabled:
		return r.openStream(tx, p, spec.StreamViewType, now)
	case r.Stream == nil:
		return invalid(msgNoStream+"%s", r.Name)
	}
	return r.closeStream(tx, p, now)
}

// openStream gives the table a new stream.
func (r *tableRecord) openStream(tx store.Txn, p place, view string, now time.Time) error {
	at := now.UTC()
	for { // a label is used once
		taken, err := record.Has(tx, p.stream(r.Name, at.Format(labelLayout)))
		if err != nil {
			return err
		}
		if !taken {
			break
		}
		at = at.Add(time.Millisecond)
	}
	label := at.Format(labelLayout)
	r.Stream, r.LastStream = &streamState{Label: label, View: view}, label
	sr := &streamRecord{Table: r.Name, Label: label, View: view, Keys: r.Keys, Created: now}
	sr.addShard(tx, p, now)
	return record.Set(tx, p.stream(r.Name, label), sr)
}

// closeStream disables the table's stream, when it has one. What is in it stays for its time.
func (r *tableRecord) closeStream(tx store.Txn, p place, now time.Time) error {
	if r.Stream == nil {
		return nil
	}
	k := p.stream(r.Name, r.Stream.Label)
	sr, ok, err := record.Get[streamRecord](tx, k)
	if err != nil || !ok {
		return err
	}
	r.Stream = nil
	sr.Disabled = now
	sr.closeShard(tx, p, now)
	if err := record.Set(tx, k, sr); err != nil {
		return err
	}
	return sr.setTimer(tx, p, time.Time{})
}

// addShard adds an open shard after the last one. Its log begins with a mark, whose stamp is the shard's starting sequence number.
func (sr *streamRecord) addShard(tx store.Txn, p place, now time.Time) {
	sh := shardRecord{Created: now}
	if n := len(sr.Shards); n > 0 {
		last := &sr.Shards[n-1]
		sh.Number, sh.Parent = last.Number+1, last.id()
	}
	sr.Shards = append(sr.Shards, sh)
	tx.Append(p.shard(sr.Table, sr.Label, sh.Number), streamRow{kind: rowOpened, at: now}.encode())
}

// closeShard ends the last shard. The mark in its log wakes who waits for records.
func (sr *streamRecord) closeShard(tx store.Txn, p place, now time.Time) {
	last := &sr.Shards[len(sr.Shards)-1]
	last.Closed = now
	tx.Append(p.shard(sr.Table, sr.Label, last.Number), streamRow{kind: rowClosed, at: now}.encode())
}

// beginShard notes that the stream's empty shard gets its first record, and sets the timer that will close it. It returns the table as it is then.
func (t *table) beginShard(tx store.Txn, now time.Time) (*table, error) {
	if t.Stream == nil || !t.Stream.Begun.IsZero() {
		return t, nil
	}
	r := *t.tableRecord
	state := *t.Stream
	state.Begun = now
	r.Stream = &state
	if err := saveTable(tx, t.place, &r); err != nil {
		return nil, err
	}
	sr, ok, err := record.Get[streamRecord](tx, t.place.stream(t.Name, state.Label))
	if err != nil || !ok {
		return newTable(t.place, &r), err
	}
	return newTable(t.place, &r), sr.setTimer(tx, t.place, now)
}

// setTimer makes runStream run when the next shard is to be closed or dropped. begun is when the open shard got its first record.
func (sr *streamRecord) setTimer(tx store.Txn, p place, begun time.Time) error {
	var next time.Time
	if len(sr.Shards) > 0 && !sr.Shards[0].Closed.IsZero() {
		next = sr.Shards[0].Closed.Add(streamKeep)
	}
	if at := begun.Add(shardLife); !begun.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	name := streamARN(p, sr.Table, sr.Label)
	if next.IsZero() {
		return events.Cancel(tx, jobStream, name)
	}
	b, err := json.Marshal(streamJob{p.account, p.region, sr.Table, sr.Label})
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: jobStream, Name: name, Payload: b, NotBefore: next})
}

// streamJob is the payload of jobStream.
type streamJob struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Table   string `json:"table"`
	Label   string `json:"label"`
}

// runStream closes the open shard of a stream when its time is over, drops shards that nobody may read any more, and finally the stream.
func (s *Service) runStream(ctx context.Context, job events.Job) error {
	var j streamJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(fmt.Errorf("read job %s: %w", job.ID, err))
	}
	p, now := place{j.Account, j.Region}, s.clock.Now().UTC()
	return s.store.Update(ctx, func(tx store.Txn) error {
		k := p.stream(j.Table, j.Label)
		sr, ok, err := record.Get[streamRecord](tx, k)
		if err != nil || !ok {
			return err
		}
		begun, err := s.rollShard(tx, p, &sr, now)
		if err != nil {
			return err
		}
		sr.trim(tx, p, now)
		if len(sr.Shards) == 0 {
			tx.Delete(k)
			return nil
		}
		if err := record.Set(tx, k, sr); err != nil {
			return err
		}
		return sr.setTimer(tx, p, begun)
	})
}

// rollShard closes the open shard when it has taken records for its time, and opens the next. It returns when the open shard got its first record.
func (s *Service) rollShard(tx store.Txn, p place, sr *streamRecord, now time.Time) (begun time.Time, err error) {
	if !sr.Disabled.IsZero() {
		return time.Time{}, nil
	}
	t, err := s.findTable(tx, p, sr.Table)
	if err != nil || t == nil || t.Stream == nil || t.Stream.Label != sr.Label {
		return time.Time{}, err
	}
	if begun = t.Stream.Begun; begun.IsZero() || now.Before(begun.Add(shardLife)) {
		return begun, nil
	}
	sr.closeShard(tx, p, now)
	sr.addShard(tx, p, now)
	r := *t.tableRecord
	r.Stream = &streamState{Label: sr.Label, View: sr.View, Shard: sr.Shards[len(sr.Shards)-1].Number}
	return time.Time{}, saveTable(tx, p, &r)
}

// trim drops the shards whose last record is older than the stream keeps them.
func (sr *streamRecord) trim(tx store.Txn, p place, now time.Time) {
	for len(sr.Shards) > 0 {
		sh := sr.Shards[0]
		if sh.Closed.IsZero() || now.Before(sh.Closed.Add(streamKeep)) {
			return
		}
		rows := p.shard(sr.Table, sr.Label, sh.Number)
		tx.DeleteRange(rows, rows.End())
		sr.Shards = sr.Shards[1:]
	}
}

// findStream returns the stream of an ARN.
func findStream(r store.Reader, p place, arn string) (*streamRecord, error) {
	at, table, label, ok := parseStreamARN(arn)
	if !ok {
		return nil, invalid("Invalid StreamArn: %s is not the ARN of a stream", arn)
	}
	if at == p {
		sr, found, err := record.Get[streamRecord](r, p.stream(table, label))
		if err != nil || found {
			return &sr, err
		}
	}
	return nil, service.Errorf(codeNotFound, "Requested resource not found: Stream: %s not found", arn)
}

// shard returns the shard with an id, and the one after it.
func (sr *streamRecord) shard(id string) (*shardRecord, error) {
	for i := range sr.Shards {
		if sr.Shards[i].id() == id {
			return &sr.Shards[i], nil
		}
	}
	return nil, service.Errorf(codeNotFound, "Requested resource not found: Shard: %s not found in stream %s", id, sr.Label)
}

// Arrivals implements [port.Arrivals] for the ARNs of streams. A name that is no stream's gets a channel that stays empty.
func (s *Service) Arrivals(source string) (arrived <-chan struct{}, stop func()) {
	p, table, label, ok := parseStreamARN(source)
	if !ok {
		return make(chan struct{}), func() {}
	}
	w := s.store.Watch(p.log(table, label))
	return w.C(), w.Close
}

// lastStamp returns the stamp of the last row of a shard.
func lastStamp(r store.Reader, log key.Key) (stamp, error) {
	span := log.Span()
	span.Reverse, span.Limit = true, 1
	for pair, err := range r.Range(span) {
		return stampOf(pair.Key), err
	}
	return stamp{}, nil
}

// firstStamp returns the stamp of the mark with which a shard begins.
func firstStamp(r store.Reader, log key.Key) (stamp, error) {
	span := log.Span()
	span.Limit = 1
	for pair, err := range r.Range(span) {
		return stampOf(pair.Key), err
	}
	return stamp{}, nil
}

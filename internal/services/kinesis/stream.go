package kinesis

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of streams (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html).
const (
	// maxShards is how many open shards an account has in a region.
	maxShards = 20_000
	// maxOnDemand is how many streams on demand an account has in a region.
	maxOnDemand = 50
	// onDemandShards is with how many shards a stream on demand begins.
	onDemandShards = 4
	minRetention   = 24   // hours
	maxRetention   = 8760 // hours
	defaultRecord  = 1024 // KiB
	// maxRecord is the greatest size of a record's data that a stream can allow, in bytes.
	maxRecord = 10 << 20
)

// streamRef names a stream; it holds all that keys need.
type streamRef struct {
	place place
	name  string
	id    uint64
}

// streamRecord is a stream as it is stored.
type streamRecord struct {
	Name      string            `json:"name"`
	ID        uint64            `json:"id"`
	Created   time.Time         `json:"created"`
	OnDemand  bool              `json:"onDemand,omitempty"`
	Retention int32             `json:"retention"` // hours
	MaxRecord int32             `json:"maxRecord"` // KiB
	Warm      int32             `json:"warm,omitempty"`
	Key       string            `json:"key,omitempty"` // of the encryption; empty means none
	Metrics   []string          `json:"metrics,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Policy    string            `json:"policy,omitempty"`
	// Next is the number of the next shard.
	Next uint64 `json:"next"`
	// Open is how many shards are open.
	Open int `json:"open"`
	// Layout grows with every change of the shards, so that every put conflicts with it.
	Layout uint64 `json:"layout"`
}

// stream is a stream with its open shards, in order of their hash keys. It is shared and must not be changed.
type stream struct {
	streamRecord
	place place
	raw   []byte // the record as it is stored
	open  []shardRecord
}

func (st *stream) ref() streamRef { return streamRef{st.place, st.Name, st.ID} }
func (st *stream) arn() string    { return st.place.arn(st.Name) }

// keeps is for how long the stream gives a record out.
func (st *stream) keeps() time.Duration { return time.Duration(st.Retention) * time.Hour }

func (st *stream) encryption() string {
	if st.Key != "" {
		return api.EncryptionTypeKms
	}
	return api.EncryptionTypeNone
}

func (st *stream) mode() *api.StreamModeDetails {
	if st.OnDemand {
		return &api.StreamModeDetails{StreamMode: api.StreamModeOnDemand}
	}
	return &api.StreamModeDetails{StreamMode: api.StreamModeProvisioned}
}

// target is how a request names its stream.
type target struct {
	name, arn, id *string
}

// locate returns the place and the name of the stream that a request means.
func (t target) locate(ctx context.Context) (p place, name string, err error) {
	p = placeOf(ctx)
	switch {
	case t.id != nil:
		return p, "", service.Unsupported(codeInvalid, service.RequestFrom(ctx).Operation, "StreamId")
	case t.arn != nil:
		at, name, ok := parseARN(*t.arn)
		switch {
		case !ok || at.region != p.region:
			return p, "", invalid("StreamARN %s is not the ARN of a stream in %s.", *t.arn, p.region)
		case t.name != nil && *t.name != name:
			return p, "", invalid("StreamName %s and StreamARN %s name different streams. Give one of them.", *t.name, *t.arn)
		}
		return at, name, nil
	case t.name != nil:
		return p, *t.name, nil
	}
	return p, "", invalid("Either StreamName or StreamARN must be specified.")
}

// parseARN returns the place and the name of the stream of an ARN.
func parseARN(text string) (p place, name string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "kinesis" {
		return p, "", false
	}
	name, ok = strings.CutPrefix(a.Resource, "stream/")
	return place{a.Account, a.Region}, name, ok && name != "" && !strings.Contains(name, "/")
}

// loadStream returns the stream of a name, or nil.
func loadStream(r store.Reader, p place, name string) (*stream, error) {
	raw, err := r.Get(p.stream(name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st := &stream{place: p, raw: bytes.Clone(raw)}
	if err := json.Unmarshal(raw, &st.streamRecord); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	for row, err := range record.Range[shardRecord](r, st.ref().shards().Span()) {
		if err != nil {
			return nil, err
		}
		if row.Value.Closed.IsZero() {
			st.open = append(st.open, row.Value)
		}
	}
	order.Sort(st.open, func(a, b shardRecord) int { return a.Start.compare(b.Start) })
	return st, nil
}

// known returns the stream that a request means, as it is after the last acknowledged change.
func (s *Service) known(ctx context.Context, t target) (*stream, error) {
	p, name, err := t.locate(ctx)
	if err != nil {
		return nil, err
	}
	return s.named(ctx, p, name)
}

// named is known for the place and name of a stream.
func (s *Service) named(ctx context.Context, p place, name string) (*stream, error) {
	st, err := s.streams.Get(ctx, p, name, func(r store.Reader) (*stream, error) { return loadStream(r, p, name) })
	if err != nil {
		return nil, storeError(err)
	}
	if st == nil {
		return nil, noStream(p, name)
	}
	return st, nil
}

// within returns a stream as the transaction sees it. cached saves reading its shards when nothing has changed; it may be nil.
func within(r store.Reader, p place, name string, cached *stream) (*stream, error) {
	if cached != nil {
		raw, err := r.Get(p.stream(name))
		if err == nil && bytes.Equal(raw, cached.raw) {
			return cached, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	st, err := loadStream(r, p, name)
	if err == nil && st == nil {
		err = noStream(p, name)
	}
	return st, err
}

// change changes the stream that a request means in one transaction: fn changes the record, which is then written.
func (s *Service) change(ctx context.Context, t target, fn func(tx store.Txn, st *stream) error) error {
	p, name, err := t.locate(ctx)
	if err != nil {
		return err
	}
	return storeError(s.store.Update(ctx, func(tx store.Txn) error {
		st, err := within(tx, p, name, nil)
		if err != nil {
			return err
		}
		if err := fn(tx, st); err != nil {
			return err
		}
		return record.Set(tx, p.stream(name), st.streamRecord)
	}))
}

func (s *Service) createStream(ctx context.Context, in *api.CreateStreamInput) (*api.CreateStreamOutput, error) {
	p, now := placeOf(ctx), s.clock.Now().UTC()
	st := &stream{place: p, streamRecord: streamRecord{
		Name: in.StreamName, Created: now, Retention: minRetention, MaxRecord: defaultRecord, Tags: in.Tags,
	}}
	st.OnDemand = in.ShardCount == nil
	if m := in.StreamModeDetails; m != nil {
		st.OnDemand = m.StreamMode == api.StreamModeOnDemand
	}
	shards := onDemandShards
	switch {
	case st.OnDemand && in.ShardCount != nil:
		return nil, service.Errorf(codeValidation, "ShardCount must not be provided for a stream in the ON_DEMAND mode.")
	case !st.OnDemand && in.ShardCount == nil:
		return nil, service.Errorf(codeValidation, "ShardCount must be provided for a stream in the PROVISIONED mode.")
	case !st.OnDemand && in.WarmThroughputMiBps != nil:
		return nil, service.Errorf(codeValidation, "WarmThroughputMiBps is only for streams in the ON_DEMAND mode.")
	case in.ShardCount != nil:
		shards = int(*in.ShardCount)
	}
	if in.WarmThroughputMiBps != nil {
		st.Warm = *in.WarmThroughputMiBps
	}
	if in.MaxRecordSizeInKiB != nil {
		st.MaxRecord = *in.MaxRecordSizeInKiB
	}
	if err := checkTags(st, in.Tags); err != nil {
		return nil, err
	}
	var id [8]byte
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		return nil, err
	}
	st.ID = binary.BigEndian.Uint64(id[:])
	return &api.CreateStreamOutput{}, storeError(s.store.Update(ctx, func(tx store.Txn) error {
		fresh := *st
		return s.make(tx, &fresh, shards)
	}))
}

// make writes a new stream.
func (s *Service) make(tx store.Txn, st *stream, shards int) error {
	taken, err := record.Has(tx, st.place.stream(st.Name))
	if err != nil {
		return err
	}
	if taken {
		return service.Errorf(codeInUse, "Stream %s under account %s already exists.", st.Name, st.place.account)
	}
	if err := checkRoom(tx, st, shards); err != nil {
		return err
	}
	starts := evenStarts(shards)
	for i, start := range starts {
		end := maxHash
		if i+1 < len(starts) {
			end = starts[i+1].previous()
		}
		if _, err := st.addShard(tx, shardRecord{Start: start, End: end, Created: st.Created}); err != nil {
			return err
		}
	}
	if err := st.setTimer(tx, st.Created.Add(st.keeps())); err != nil {
		return err
	}
	return record.Set(tx, st.place.stream(st.Name), st.streamRecord)
}

// checkRoom refuses shards, or a stream on demand, above the account's limits.
func checkRoom(r store.Reader, st *stream, more int) error {
	open, onDemand := 0, 0
	for row, err := range record.Range[streamRecord](r, st.place.streams().Span()) {
		if err != nil {
			return err
		}
		open += row.Value.Open
		if row.Value.OnDemand && row.Value.Name != st.Name {
			onDemand++
		}
	}
	if open+more > maxShards {
		return service.Errorf(codeLimit, "This request would exceed the shard limit for the account %s in %s. Current shard count for the account: %d. Limit: %d. "+
			"Number of additional shards that would have resulted from this request: %d.", st.place.account, st.place.region, open, maxShards, more)
	}
	if st.OnDemand && onDemand >= maxOnDemand {
		return service.Errorf(codeLimit, "This request would exceed the limit of %d streams in the ON_DEMAND mode for the account %s in %s.", maxOnDemand, st.place.account, st.place.region)
	}
	return nil
}

func (s *Service) deleteStream(ctx context.Context, in *api.DeleteStreamInput) (*api.DeleteStreamOutput, error) {
	p, name, err := target{in.StreamName, in.StreamARN, in.StreamId}.locate(ctx)
	if err != nil {
		return nil, err
	}
	return &api.DeleteStreamOutput{}, storeError(s.store.Update(ctx, func(tx store.Txn) error {
		st, err := within(tx, p, name, nil)
		if err != nil {
			return err
		}
		ref := st.ref()
		n, err := countConsumers(tx, ref)
		if err != nil {
			return err
		}
		if n > 0 && (in.EnforceConsumerDeletion == nil || !*in.EnforceConsumerDeletion) {
			return service.Errorf(codeInUse, "Stream %s under account %s has %d registered consumers. Deregister them, or set EnforceConsumerDeletion.", name, p.account, n)
		}
		tx.Delete(p.stream(name))
		for _, kind := range []string{"h", "l", "c"} {
			all := ref.of(kind)
			tx.DeleteRange(all, all.End())
		}
		return st.deleteAll(tx)
	}))
}

func (s *Service) listStreams(ctx context.Context, in *api.ListStreamsInput) (*api.ListStreamsOutput, error) {
	p := placeOf(ctx)
	limit := 100
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	span := p.streams().Span()
	behind := in.ExclusiveStartStreamName
	if in.NextToken != nil {
		t, err := s.readToken(*in.NextToken, "ListStreams")
		if err != nil {
			return nil, err
		}
		behind = &t.After
	}
	if behind != nil {
		span.Lo = append(p.stream(*behind), 0)
	}
	out := &api.ListStreamsOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		out = &api.ListStreamsOutput{StreamNames: []string{}, StreamSummaries: []api.StreamSummary{}}
		for row, err := range record.Range[streamRecord](r, span) {
			if err != nil {
				return err
			}
			if len(out.StreamNames) == limit {
				out.HasMoreStreams = true
				out.NextToken = s.token(pageToken{List: "ListStreams", After: out.StreamNames[limit-1]})
				break
			}
			st := &stream{streamRecord: row.Value, place: p}
			out.StreamNames = append(out.StreamNames, st.Name)
			out.StreamSummaries = append(out.StreamSummaries, api.StreamSummary{
				StreamName: st.Name, StreamARN: st.arn(), StreamStatus: api.StreamStatusActive, StreamModeDetails: st.mode(), StreamCreationTimestamp: &st.Created,
			})
		}
		return nil
	})
	return out, storeError(err)
}

func (s *Service) describeStream(ctx context.Context, in *api.DescribeStreamInput) (*api.DescribeStreamOutput, error) {
	st, err := s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	limit := 100
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	d := &api.StreamDescription{
		StreamName: st.Name, StreamARN: st.arn(), StreamStatus: api.StreamStatusActive, StreamModeDetails: st.mode(), RetentionPeriodHours: st.Retention,
		StreamCreationTimestamp: st.Created, EnhancedMonitoring: st.monitoring(), EncryptionType: st.encryption(), KeyId: st.keyID(),
	}
	d.Shards, d.HasMoreShards, err = s.pageOfShards(ctx, st, in.ExclusiveStartShardId, limit, nil)
	return &api.DescribeStreamOutput{StreamDescription: d}, err
}

func (s *Service) describeStreamSummary(ctx context.Context, in *api.DescribeStreamSummaryInput) (*api.DescribeStreamSummaryOutput, error) {
	st, err := s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	d := &api.StreamDescriptionSummary{
		StreamName: st.Name, StreamARN: st.arn(), StreamStatus: api.StreamStatusActive, StreamModeDetails: st.mode(), RetentionPeriodHours: st.Retention,
		StreamCreationTimestamp: st.Created, EnhancedMonitoring: st.monitoring(), EncryptionType: st.encryption(), KeyId: st.keyID(),
		OpenShardCount: int32(st.Open), MaxRecordSizeInKiB: &st.MaxRecord, WarmThroughput: st.warmth(),
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		n, err := countConsumers(r, st.ref())
		d.ConsumerCount = new(int32(n))
		return err
	})
	return &api.DescribeStreamSummaryOutput{StreamDescriptionSummary: d}, storeError(err)
}

func (st *stream) keyID() *string {
	if st.Key == "" {
		return nil
	}
	return &st.Key
}

// monitoring is how answers show the metrics of single shards.
func (st *stream) monitoring() []api.EnhancedMetrics {
	metrics := st.Metrics
	if metrics == nil {
		metrics = []string{}
	}
	return []api.EnhancedMetrics{{ShardLevelMetrics: metrics}}
}

// warmth is how answers show the warm throughput of a stream on demand.
func (st *stream) warmth() *api.WarmThroughputObject {
	if st.Warm == 0 {
		return nil
	}
	return &api.WarmThroughputObject{TargetMiBps: &st.Warm, CurrentMiBps: &st.Warm}
}

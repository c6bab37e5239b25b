package kinesis

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
)

const (
	// jobTrim deletes what a stream does not keep any more.
	jobTrim = "kinesis.trim"
	// trimEvery is the least time between two runs for one stream. Readers do not see what it will delete.
	trimEvery = 10 * time.Minute
	// trimBatch is how many bodies one transaction gives up.
	trimBatch = 500
)

func (s *Service) jobs() []events.Kind {
	return []events.Kind{{Name: jobTrim, Handle: s.trim, MakesRoom: true}}
}

// trimJob is the payload of jobTrim. All means that the stream is deleted.
type trimJob struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Stream  string `json:"stream"`
	ID      uint64 `json:"id"`
	All     bool   `json:"all,omitempty"`
}

func (j *trimJob) ref() streamRef { return streamRef{place{j.Account, j.Region}, j.Stream, j.ID} }

func (st *stream) enqueueTrim(tx store.Txn, at time.Time, all bool) error {
	b, err := json.Marshal(trimJob{st.place.account, st.place.region, st.Name, st.ID, all})
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: jobTrim, Name: st.arn() + "/" + strconv.FormatUint(st.ID, 10), Payload: b, NotBefore: at})
}

// setTimer makes the stream's trim run at a time; an earlier one that waits is replaced.
func (st *stream) setTimer(tx store.Txn, at time.Time) error { return st.enqueueTrim(tx, at, false) }

// deleteAll makes the large records of a deleted stream go.
func (st *stream) deleteAll(tx store.Txn) error { return st.enqueueTrim(tx, time.Time{}, true) }

// trim deletes records and shards that are older than the stream keeps them, and plans its next run: when the oldest record that is left gets too old, or
// when a record that is put now would.
func (s *Service) trim(ctx context.Context, job events.Job) error {
	var j trimJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(fmt.Errorf("read job %s: %w", job.ID, err))
	}
	ref, now := j.ref(), s.clock.Now().UTC()
	if j.All {
		return s.trimBodies(ctx, ref, nil)
	}
	st, err := s.streams.Get(ctx, ref.place, ref.name, func(r store.Reader) (*stream, error) { return loadStream(r, ref.place, ref.name) })
	if err != nil || st == nil || st.ID != ref.id {
		return err
	}
	horizon := now.Add(-st.keeps())
	if err := s.trimBodies(ctx, ref, &horizon); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx store.Txn) error {
		st, err := loadStream(tx, ref.place, ref.name)
		if err != nil || st == nil || st.ID != ref.id {
			return err
		}
		next, err := st.trimShards(tx, horizon)
		if err != nil {
			return err
		}
		if next = next.Add(st.keeps()); next.Before(now.Add(trimEvery)) {
			next = now.Add(trimEvery)
		}
		return st.setTimer(tx, next)
	})
}

// trimShards deletes rows before horizon, and the shards that were closed before it. It returns the time of the oldest row that is left, which is not before horizon.
func (st *stream) trimShards(tx store.Txn, horizon time.Time) (oldest time.Time, err error) {
	oldest = horizon.Add(st.keeps())
	for found, err := range record.Range[shardRecord](tx, st.ref().shards().Span()) {
		if err != nil {
			return oldest, err
		}
		sh := &found.Value
		log := st.ref().log(sh.Number)
		if !sh.openSince(horizon) {
			tx.DeleteRange(log, log.End())
			tx.Delete(found.Key)
			continue
		}
		left, err := trimLog(tx, log, horizon)
		if err != nil {
			return oldest, err
		}
		if !left.IsZero() && left.Before(oldest) {
			oldest = left
		}
		if !sh.Closed.IsZero() && sh.Closed.Before(oldest) {
			oldest = sh.Closed
		}
	}
	return oldest, nil
}

// trimLog deletes the records of a log that arrived before horizon, but for the mark with which it begins. It returns when the oldest record that is left
// arrived; zero means that there is none.
func trimLog(tx store.Txn, log key.Key, horizon time.Time) (left time.Time, err error) {
	first, _, err := edge(tx, log, false)
	if err != nil {
		return left, err
	}
	begin := after(first)
	cut, err := seek(tx, log, horizon)
	if err != nil {
		return left, err
	}
	span := log.Span()
	span.Lo = log.Raw(begin[:])
	if string(cut[:]) > string(begin[:]) {
		span.Lo = log.Raw(cut[:])
	}
	// What is between cut and horizon is a few seconds of records; the last of a batch ends it.
	span.Limit = maxRows
	keep := span.Lo
	for pair, err := range tx.Range(span) {
		if err != nil {
			return left, err
		}
		found, err := decodeRow(pair.Value)
		if err != nil {
			return left, err
		}
		if found.kind != rowRecord || !found.at.Before(horizon) {
			if found.kind == rowRecord {
				left = found.at
			}
			break
		}
		keep = append(pair.Key[:len(pair.Key):len(pair.Key)], 0)
	}
	if lo := log.Raw(begin[:]); string(lo) < string(keep) {
		tx.DeleteRange(lo, keep)
	}
	return left, nil
}

// trimBodies deletes the large records of a stream that arrived before horizon; nil means all.
func (s *Service) trimBodies(ctx context.Context, ref streamRef, horizon *time.Time) error {
	for {
		var gone []blob.ID
		err := s.store.Update(ctx, func(tx store.Txn) error {
			gone = nil
			span := ref.bodies().Span()
			span.Limit = trimBatch
			for pair, err := range tx.Range(span) {
				if err != nil {
					return err
				}
				if horizon != nil && !decodeTime(pair.Value).Before(*horizon) {
					return nil
				}
				id := blob.ID(key.Decode(pair.Key).Skip(ref.bodies()).Str())
				gone = append(gone, id)
				tx.Delete(pair.Key)
				tx.Delete(holdKey(id))
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range gone {
			s.dropBody(ctx, id)
		}
		if len(gone) < trimBatch {
			return nil
		}
	}
}

// dropBody deletes a body that nothing refers to. What it misses is swept.
func (s *Service) dropBody(ctx context.Context, id blob.ID) {
	if err := s.blobs.Delete(context.WithoutCancel(ctx), id); err != nil {
		s.log.WarnContext(ctx, "a body was not deleted; it is swept later", slog.Any("error", err))
	}
}

// holdsBody tells whether a record refers to a body.
func (s *Service) holdsBody(ctx context.Context, id blob.ID) (held bool, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		held, err = record.Has(r, holdKey(id))
		return err
	})
	return held, err
}

func encodeTime(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())) }

// decodeTime is the inverse of encodeTime; what is malformed is long ago.
func decodeTime(b []byte) time.Time {
	if len(b) != 8 {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
}

// checkRetention checks a retention period in hours.
func checkRetention(hours int32) error {
	switch {
	case hours < minRetention:
		return invalid("Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.", minRetention, hours)
	case hours > maxRetention:
		return invalid("Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", maxRetention, hours)
	}
	return nil
}

func (s *Service) increaseStreamRetentionPeriod(ctx context.Context, in *api.IncreaseStreamRetentionPeriodInput) (*api.IncreaseStreamRetentionPeriodOutput, error) {
	hours := in.RetentionPeriodHours
	return &api.IncreaseStreamRetentionPeriodOutput{}, s.change(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(_ store.Txn, st *stream) error {
		if err := checkRetention(hours); err != nil {
			return err
		}
		if hours < st.Retention {
			return invalid("Requested retention period (%d hours) for stream %s can not be shorter than existing retention period (%d hours). Use DecreaseRetentionPeriod API.",
				hours, st.Name, st.Retention)
		}
		st.Retention = hours
		return nil
	})
}

func (s *Service) decreaseStreamRetentionPeriod(ctx context.Context, in *api.DecreaseStreamRetentionPeriodInput) (*api.DecreaseStreamRetentionPeriodOutput, error) {
	hours := in.RetentionPeriodHours
	return &api.DecreaseStreamRetentionPeriodOutput{}, s.change(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(tx store.Txn, st *stream) error {
		if err := checkRetention(hours); err != nil {
			return err
		}
		if hours > st.Retention {
			return invalid("Requested retention period (%d hours) for stream %s can not be longer than existing retention period (%d hours). Use IncreaseRetentionPeriod API.",
				hours, st.Name, st.Retention)
		}
		st.Retention = hours
		return st.setTimer(tx, s.clock.Now().Add(trimEvery)) // some of it may be too old now
	})
}

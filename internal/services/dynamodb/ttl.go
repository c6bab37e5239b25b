package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
)

func (s *Service) updateTimeToLive(ctx context.Context, in *ddb.UpdateTimeToLiveInput) (*ddb.UpdateTimeToLiveOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	if spec.AttributeName == "" {
		return nil, invalid("TimeToLiveSpecification.AttributeName must not be empty")
	}
	_, err := s.changeTable(ctx, placeOf(ctx), in.TableName, func(tx store.Txn, t *table, r *tableRecord) error {
		switch {
		case spec.Enabled && r.TTLAttribute != "":
			return invalid("TimeToLive is already enabled")
		case !spec.Enabled && r.TTLAttribute == "":
			return invalid("TimeToLive is already disabled")
		case !spec.Enabled && r.TTLAttribute != spec.AttributeName:
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", r.TTLAttribute)
		}
		if err := r.setTTL(tx, t.place, spec); err != nil {
			return err
		}
		var failed error
		err := s.eachReplica(tx, t.place, r, func(p place, other *tableRecord) { failed = errors.Join(failed, other.setTTL(tx, p, spec)) })
		return errors.Join(err, failed)
	})
	if err != nil {
		return nil, err
	}
	return &ddb.UpdateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
}

// setTTL changes the time to live of a table. When it is enabled, the items that are there are indexed by it.
func (r *tableRecord) setTTL(tx store.Txn, p place, spec *ddb.TimeToLiveSpecification) error {
	if !spec.Enabled {
		rows := p.expiry(r.ID)
		tx.DeleteRange(rows, rows.End())
		r.TTLAttribute, r.TTLCursor, r.TTLFilling = "", nil, false
		return events.Cancel(tx, jobExpire, r.ID)
	}
	r.TTLAttribute, r.TTLCursor, r.TTLFilling = spec.AttributeName, nil, true
	return enqueue(tx, p, jobFill, r.Name, "", time.Time{})
}

func (s *Service) describeTimeToLive(ctx context.Context, in *ddb.DescribeTimeToLiveInput) (*ddb.DescribeTimeToLiveOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	d := &ddb.TimeToLiveDescription{TimeToLiveStatus: ddb.TimeToLiveStatusDisabled}
	if t.TTLAttribute != "" {
		d.TimeToLiveStatus, d.AttributeName = ddb.TimeToLiveStatusEnabled, &t.TTLAttribute
	}
	return &ddb.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

const (
	sweepBatch = 100 // items deleted in one transaction
	// maxOverdue is how long ago an item may have become due to be deleted still: what is older is taken for a mistake
	// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html).
	maxOverdue = 5 * 365 * 24 * time.Hour
	// lastDue is the last time for which a timer is set, in Unix seconds: the year 2200.
	lastDue = 7258118400
)

// runExpire deletes the items of a table that are due, and leaves a timer for the next one.
func (s *Service) runExpire(ctx context.Context, p place, name string) error {
	now := s.clock.Now()
	for {
		done := 0
		err := s.store.Update(ctx, func(tx store.Txn) error {
			done = 0
			t, err := s.findTable(tx, p, name)
			if err != nil || t == nil || t.TTLAttribute == "" {
				return err
			}
			if t, err = t.beginShard(tx, now); err != nil {
				return err
			}
			done, err = s.expire(tx, t, now)
			return err
		})
		if err != nil || done < sweepBatch {
			return err
		}
	}
}

// expire deletes up to a batch of items that are due. When it deletes fewer, it sets the timer for the first that is left.
func (s *Service) expire(tx store.Txn, t *table, now time.Time) (done int, err error) {
	prefix := t.place.expiry(t.ID)
	span := prefix.Span()
	span.Lo = prefix.Uint(oldestDue(now))
	span.Limit = sweepBatch + 1
	var due [][]byte
	var next int64
	for pair, err := range tx.Range(span) {
		if err != nil {
			return 0, err
		}
		if next = expiryOf(pair.Key[len(prefix):]); next > now.Unix() || len(due) == sweepBatch {
			break
		}
		due = append(due, append([]byte(nil), pair.Value...))
		next = 0
	}
	for _, itemKey := range due {
		item, err := readItem(tx, itemKey)
		if err != nil {
			return 0, err
		}
		if item == nil {
			continue // another region came first
		}
		item = item.Clone()
		if err := t.store(tx, itemKey, item, nil, origin{at: now, expired: true, to: s.dataStreams}); err != nil {
			return 0, err
		}
		if err := s.replicate(tx, t, item, nil, origin{at: now, to: s.dataStreams}); err != nil {
			return 0, err
		}
	}
	if len(due) < sweepBatch && next > 0 {
		err = t.setTimer(tx, next)
	}
	return len(due), err
}

// oldestDue returns the first second of expiry that is not too long ago, in Unix seconds.
func oldestDue(now time.Time) uint64 { return uint64(max(0, now.Add(-maxOverdue).Unix())) }

// setTimer makes the table's items be swept at a time in Unix seconds.
func (t *table) setTimer(tx store.Txn, at int64) error {
	if at > lastDue {
		return nil
	}
	return enqueue(tx, t.place, jobExpire, t.Name, t.ID, time.Unix(at, 0))
}

// setExpiry writes an expiry row, and sets the timer when it is the first that is due. Rows that are too long overdue have no timer and need none.
func (t *table) setExpiry(tx store.Txn, row, itemKey []byte, now time.Time) error {
	tx.Set(row, itemKey)
	prefix := t.place.expiry(t.ID)
	span := store.Span{Lo: prefix.Uint(oldestDue(now)), Hi: row, Limit: 1}
	if bytes.Compare(row, span.Lo) < 0 {
		return nil
	}
	for _, err := range tx.Range(span) {
		return err // another comes first, or this failed
	}
	return t.setTimer(tx, expiryOf(row[len(prefix):]))
}

// fillTTL writes the expiry rows of items that were there before the time to live was enabled, a batch at a time.
func (s *Service) fillTTL(ctx context.Context, p place, name string) error {
	return s.fill(ctx, p, name,
		func(r *tableRecord) (cursor *[]byte, filling *bool) { return &r.TTLCursor, &r.TTLFilling },
		func(tx store.Txn, t *table, itemKey []byte, item attr.Map) error {
			if k := t.expiryKey(itemKey, item); k != nil {
				return t.setExpiry(tx, k, itemKey, s.clock.Now())
			}
			return nil
		})
}

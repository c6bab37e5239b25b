package dynamodb

import (
	"context"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
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
		case !spec.Enabled:
			rows := t.place.expiry(t.ID)
			tx.DeleteRange(rows, rows.End())
			r.TTLAttribute, r.TTLCursor, r.TTLFilling = "", nil, false
		default:
			r.TTLAttribute, r.TTLCursor, r.TTLFilling = spec.AttributeName, nil, true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.worker.wake()
	return &ddb.UpdateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
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

const sweepBatch = 100 // items deleted in one transaction

// sweep deletes items of a table that are due at now, in Unix seconds. It returns when the next one is due, 0 for never.
func (s *Service) sweep(ctx context.Context, p place, name string, now int64) (next int64, err error) {
	for {
		done, due := 0, int64(0)
		err := s.store.Update(ctx, func(tx store.Txn) error {
			done, due = 0, 0
			t, err := s.findTable(tx, p, name)
			if err != nil || t == nil || t.TTLAttribute == "" {
				return err
			}
			done, due, err = t.expire(tx, now)
			return err
		})
		if err != nil || done < sweepBatch {
			return due, err
		}
	}
}

// expire deletes up to a batch of items that are due, and tells when the first that is left is due.
func (t *table) expire(tx store.Txn, now int64) (done int, next int64, err error) {
	prefix := t.place.expiry(t.ID)
	span := prefix.Span()
	span.Limit = sweepBatch + 1
	var due [][]byte
	for pair, err := range tx.Range(span) {
		if err != nil {
			return 0, 0, err
		}
		at := expiryOf(pair.Key[len(prefix):])
		if at > now || len(due) == sweepBatch {
			next = at
			break
		}
		due = append(due, append([]byte(nil), pair.Value...))
	}
	for _, itemKey := range due {
		item, err := readItem(tx, itemKey)
		if err != nil {
			return 0, 0, err
		}
		t.store(tx, itemKey, item, nil)
	}
	return len(due), next, nil
}

// fillTTL writes the expiry rows of items that were there before the time to live was enabled, a batch at a time.
func (s *Service) fillTTL(ctx context.Context, p place, name string) error {
	return s.fill(ctx, p, name,
		func(r *tableRecord) (cursor *[]byte, filling *bool) { return &r.TTLCursor, &r.TTLFilling },
		func(tx store.Txn, t *table, itemKey []byte, item attr.Map) {
			if k := t.expiryKey(itemKey, item); k != nil {
				tx.Set(k, itemKey)
			}
		})
}

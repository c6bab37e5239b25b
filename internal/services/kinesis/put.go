package kinesis

import (
	"context"
	"fmt"
	"unicode/utf8"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// inlineData is up to which size the data of a record is kept in its row, in bytes.
	inlineData = 512 << 10
	// commitSize is how many bytes of records one transaction takes.
	commitSize = 2 << 20
	// maxRequest is how many bytes of data and partition keys one PutRecords takes
	// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html).
	maxRequest = 10 << 20
)

// incoming is a record to be put.
type incoming struct {
	hash  hashKey
	row   row
	shard uint64
	stamp *stamp
	// refused tells why the record was not taken, while others of its request may have been.
	refused *service.Error
}

// measure is what the record counts against limits of throughput and of requests, in bytes.
func (e *incoming) measure() int { return e.row.size + len(e.row.partition) }

func newIncoming(data []byte, partition string, explicit *string) (*incoming, error) {
	e := &incoming{row: row{kind: rowRecord, partition: partition, data: data, size: len(data)}}
	if n := utf8.RuneCountInString(partition); n == 0 || n > 256 {
		return nil, service.Errorf(codeValidation, "A partition key has 1 to 256 characters; this one has %d.", n)
	}
	if explicit == nil {
		e.hash = hashOf(partition)
		return e, nil
	}
	var ok bool
	if e.hash, ok = parseHash(*explicit); !ok {
		return nil, invalid("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", *explicit)
	}
	return e, nil
}

func (s *Service) putRecord(ctx context.Context, in *api.PutRecordInput) (*api.PutRecordOutput, error) {
	st, err := s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	if in.SequenceNumberForOrdering != nil {
		if _, _, ok := parseSequence(*in.SequenceNumberForOrdering, st.Created); !ok {
			return nil, invalid("ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.", *in.SequenceNumberForOrdering, st.Name, st.place.account)
		}
	}
	e, err := newIncoming(in.Data, in.PartitionKey, in.ExplicitHashKey)
	if err != nil {
		return nil, err
	}
	if err := st.checkSize(e); err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, st, keycheck.Write); err != nil {
		return nil, err
	}
	if err := s.put(ctx, st, []*incoming{e}); err != nil {
		return nil, err
	}
	if e.refused != nil {
		return nil, e.refused
	}
	out := &api.PutRecordOutput{ShardId: shardID(e.shard), SequenceNumber: sequence(st.Created, e.shard, *e.stamp)}
	if e.row.encrypted {
		out.EncryptionType = api.EncryptionTypeKms
	}
	return out, nil
}

func (s *Service) putRecords(ctx context.Context, in *api.PutRecordsInput) (*api.PutRecordsOutput, error) {
	st, err := s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	entries, total := make([]*incoming, len(in.Records)), 0
	for i := range in.Records {
		r := &in.Records[i]
		if entries[i], err = newIncoming(r.Data, r.PartitionKey, r.ExplicitHashKey); err != nil {
			return nil, err
		}
		if err := st.checkSize(entries[i]); err != nil {
			return nil, err
		}
		if total += entries[i].measure(); total > maxRequest {
			return nil, invalid("Records size exceeds 10 MB limit")
		}
	}
	if err := s.checkKey(ctx, st, keycheck.Write); err != nil {
		return nil, err
	}
	for rest := entries; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+rest[n].inline() <= commitSize) {
			size += rest[n].inline()
			n++
		}
		if err := s.put(ctx, st, rest[:n]); err != nil {
			if len(rest) == len(entries) {
				return nil, err
			}
			// What was put before is acknowledged: the failure is that of the rest.
			for _, e := range rest {
				e.refused = service.Errorf("InternalFailure", "The record was not stored: %s", service.Code(err))
			}
			break
		}
		rest = rest[n:]
	}
	return st.results(entries), nil
}

// results returns the answer of PutRecords.
func (st *stream) results(entries []*incoming) *api.PutRecordsOutput {
	out := &api.PutRecordsOutput{FailedRecordCount: new(int32(0)), Records: make([]api.PutRecordsResultEntry, len(entries))}
	for i, e := range entries {
		r := &out.Records[i]
		if e.refused != nil {
			*out.FailedRecordCount++
			r.ErrorCode, r.ErrorMessage = &e.refused.Code, &e.refused.Message
			continue
		}
		if e.row.encrypted {
			out.EncryptionType = api.EncryptionTypeKms
		}
		r.ShardId, r.SequenceNumber = new(shardID(e.shard)), new(sequence(st.Created, e.shard, *e.stamp))
	}
	return out
}

// inline is how many bytes the record takes in its transaction.
func (e *incoming) inline() int {
	if e.row.size > inlineData {
		return len(e.row.partition)
	}
	return e.measure()
}

// checkSize refuses a record that is larger than its stream allows.
func (st *stream) checkSize(e *incoming) error {
	if limit := int(st.MaxRecord) << 10; e.row.size > limit {
		return invalid("The data of a record has %d bytes, and stream %s under account %s takes at most %d. UpdateMaxRecordSize raises the limit up to 10240 KiB.",
			e.row.size, st.Name, st.place.account, limit)
	}
	return nil
}

// put writes records in one transaction. Records that are not taken say so in refused.
func (s *Service) put(ctx context.Context, st *stream, entries []*incoming) error {
	for _, e := range entries {
		e.refused = s.admitWrite(st, st.shardOf(e.hash), e.measure())
	}
	if err := s.keepLarge(ctx, entries); err != nil {
		return storeError(err)
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		now, err := within(tx, st.place, st.Name, st)
		if err != nil {
			return err
		}
		if now.ID != st.ID { // it was made again meanwhile
			return noStream(st.place, st.Name)
		}
		for _, e := range entries {
			if e.refused == nil {
				s.append(tx, now, e)
			}
		}
		return nil
	})
	if err != nil {
		return storeError(err) // bodies that nothing refers to are swept: whether a failed transaction is on disk may be unknown
	}
	s.grow(ctx, st, entries)
	return nil
}

// append adds a record to the shard that takes it.
func (s *Service) append(tx store.Txn, st *stream, e *incoming) {
	sh := st.shardOf(e.hash)
	e.shard = sh.Number
	e.row.at, e.row.encrypted = s.clock.Now(), st.Key != ""
	e.stamp = tx.Append(st.ref().log(sh.Number), e.row.encode())
	if e.row.body != "" {
		tx.Set(holdKey(e.row.body), nil)
		tx.Set(st.ref().body(e.row.body), encodeTime(e.row.at))
	}
}

// keepLarge writes the data of large records as bodies.
func (s *Service) keepLarge(ctx context.Context, entries []*incoming) error {
	for _, e := range entries {
		if e.row.size <= inlineData || e.refused != nil {
			continue
		}
		id, err := s.keepBody(ctx, e.row.data)
		if err != nil {
			return fmt.Errorf("write the data of a record: %w", err)
		}
		e.row.body, e.row.data = id, nil
	}
	return nil
}

func (s *Service) keepBody(ctx context.Context, data []byte) (blob.ID, error) {
	w, err := s.blobs.Create(ctx)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	return w.Commit(ctx)
}

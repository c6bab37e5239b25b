package firehose

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits of records (https://docs.aws.amazon.com/firehose/latest/dev/limits.html).
const (
	maxRecord = 1000 << 10 // bytes
	maxBatch  = 4 << 20    // bytes
	// commitSize is how many bytes of records one transaction takes.
	commitSize = 2 << 20
)

// row is a row of a delivery stream's log.
type row struct {
	at   time.Time
	data []byte
}

func (r row) encode() []byte {
	b := make([]byte, 0, 8+len(r.data))
	return append(binary.BigEndian.AppendUint64(b, uint64(r.at.UnixMilli())), r.data...)
}

// decodeRow reads a row. Its data shares the memory of b. One that is malformed is an empty record of long ago.
func decodeRow(b []byte) row {
	if len(b) < 8 {
		return row{}
	}
	return row{time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC(), b[8:]}
}

// recordID returns the id of a record that was put: text that tells nothing.
func (r ref) recordID(at *store.Stamp) string {
	b := binary.BigEndian.AppendUint64(nil, r.id)
	return base64.RawURLEncoding.EncodeToString(append(b, at[:]...))
}

// writable returns the stream of a put.
func (s *Service) writable(ctx context.Context, name string) (*stream, error) {
	st, err := s.known(ctx, placeOf(ctx), name)
	if err == nil && st.Source != "" {
		err = errSource()
	}
	return st, err
}

// put appends records to a stream's log in one transaction.
func (s *Service) put(ctx context.Context, st *stream, records []api.Record) (stamps []*store.Stamp, err error) {
	err = s.store.Update(ctx, func(tx store.Txn) error {
		stamps = stamps[:0]
		now, err := find(tx, st.place, st.Name)
		if err != nil {
			return err
		}
		for _, r := range records {
			stamps = append(stamps, tx.Append(now.ref().log(), row{s.clock.Now(), r.Data}.encode()))
		}
		return nil
	})
	return stamps, storeError(err)
}

func (s *Service) putRecord(ctx context.Context, in *api.PutRecordInput) (*api.PutRecordOutput, error) {
	st, err := s.writable(ctx, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	if len(in.Record.Data) > maxRecord {
		return nil, invalid("A record has at most %d bytes; this one has %d.", maxRecord, len(in.Record.Data))
	}
	stamps, err := s.put(ctx, st, []api.Record{*in.Record})
	if err != nil {
		return nil, err
	}
	return &api.PutRecordOutput{RecordId: st.ref().recordID(stamps[0]), Encrypted: new(st.Encryption != nil)}, nil
}

func (s *Service) putRecordBatch(ctx context.Context, in *api.PutRecordBatchInput) (*api.PutRecordBatchOutput, error) {
	st, err := s.writable(ctx, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	total := 0
	for i := range in.Records {
		n := len(in.Records[i].Data)
		if n > maxRecord {
			return nil, invalid("A record has at most %d bytes; number %d has %d.", maxRecord, i+1, n)
		}
		if total += n; total > maxBatch {
			return nil, invalid("The records of a batch have at most %d bytes together.", maxBatch)
		}
	}
	out := &api.PutRecordBatchOutput{Encrypted: new(st.Encryption != nil)}
	for rest := in.Records; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+len(rest[n].Data) <= commitSize) {
			size += len(rest[n].Data)
			n++
		}
		stamps, err := s.put(ctx, st, rest[:n])
		if err != nil && len(out.RequestResponses) == 0 {
			return nil, err
		}
		for i := range n {
			if err != nil {
				out.FailedPutCount++
				out.RequestResponses = append(out.RequestResponses, api.PutRecordBatchResponseEntry{ErrorCode: new(codeUnavailable), ErrorMessage: new("The record was not stored: " + service.Code(err))})
				continue
			}
			out.RequestResponses = append(out.RequestResponses, api.PutRecordBatchResponseEntry{RecordId: new(st.ref().recordID(stamps[i]))})
		}
		rest = rest[n:]
	}
	return out, nil
}

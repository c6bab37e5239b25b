package kinesis

import (
	"context"
	"errors"
	"io"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxRecords is how many records an answer has at most, maxAnswer how many bytes
	// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html).
	maxRecords = 10_000
	maxAnswer  = 10 << 20
	// maxRows bounds the rows that one call looks at.
	maxRows = 2 * maxRecords
)

// page is what is read from a shard in one go.
type page struct {
	rows []numbered
	// behind is how long ago the last row arrived, when there are more behind it.
	behind time.Duration
	// ended tells that the shard is closed and was read to its end; children are then those that go on.
	ended    bool
	children []api.ChildShard
	bytes    int
}

// numbered is a row with its place.
type numbered struct {
	row
	at stamp
}

func (s *Service) getRecords(ctx context.Context, in *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	it, err := parseIterator(in.ShardIterator)
	if err != nil {
		return nil, err
	}
	if in.StreamId != nil {
		return nil, service.Unsupported(codeInvalid, "GetRecords", "StreamId")
	}
	if in.StreamARN != nil && *in.StreamARN != it.stream {
		return nil, invalid("StreamARN %s is not that of the ShardIterator.", *in.StreamARN)
	}
	now := s.clock.Now()
	if now.Sub(it.issued) > iteratorLife {
		return nil, errExpired(it.issued, now)
	}
	st, err := s.known(ctx, target{arn: &it.stream})
	if err != nil {
		return nil, err
	}
	if st.ID != it.id {
		return nil, noStream(st.place, st.Name)
	}
	if err := s.checkKey(ctx, st, keycheck.Read); err != nil {
		return nil, err
	}
	if err := s.admitRead(st, it.shard); err != nil {
		return nil, err
	}
	limit := maxRecords
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	p, err := s.read(ctx, st, &it.cursor, limit)
	if err != nil {
		return nil, err
	}
	s.spendRead(st, it.shard, p.bytes)
	out := &api.GetRecordsOutput{MillisBehindLatest: new(p.behind.Milliseconds()), ChildShards: p.children}
	if out.Records, err = s.records(ctx, st, it.shard, p.rows); err != nil {
		return nil, err
	}
	if !p.ended {
		it.issued = now
		out.NextShardIterator = new(it.String())
	}
	return out, nil
}

// read returns the next records at a cursor, and moves it behind them.
func (s *Service) read(ctx context.Context, st *stream, c *cursor, limit int) (p page, err error) {
	began := *c
	err = s.store.View(ctx, func(r store.Reader) error {
		*c, p = began, page{}
		log := st.ref().log(c.shard)
		span := log.Span()
		span.Lo, span.Limit = log.Raw(c.from[:]), maxRows
		now := s.clock.Now()
		var last time.Time
		rows := 0
		for pair, err := range r.Range(span) {
			if err != nil {
				return err
			}
			found, err := decodeRow(pair.Value)
			if err != nil {
				return err
			}
			at := stampOf(pair.Key)
			if found.kind == rowClosed {
				p.ended = true
				p.children, err = st.children(r, c.shard)
				return err
			}
			if rows++; rows == maxRows {
				p.behind = max(now.Sub(last), 0)
			}
			if found.kind == rowRecord && found.at.UnixMilli() >= c.since && now.Sub(found.at) <= st.keeps() {
				size := found.size + len(found.partition)
				if len(p.rows) == limit || len(p.rows) > 0 && p.bytes+size > maxAnswer {
					p.behind = max(now.Sub(last), 0)
					return nil
				}
				p.bytes += size
				found.data = append([]byte{}, found.data...) // the row's memory is the transaction's
				p.rows = append(p.rows, numbered{found, at})
			}
			c.from, last = after(at), found.at
		}
		return s.gone(r, st, c, rows, &p)
	})
	return p, storeError(err)
}

// gone ends the reading of a shard that is not there any more: all that it had is too old.
func (s *Service) gone(r store.Reader, st *stream, c *cursor, rows int, p *page) error {
	if rows > 0 {
		return nil
	}
	_, err := st.shard(r, shardID(c.shard))
	if service.Code(err) == codeNotFound {
		p.ended = true
		p.children, err = st.children(r, c.shard)
	}
	return err
}

// records returns rows as the API shows them. A body that has been deleted meanwhile was too old.
func (s *Service) records(ctx context.Context, st *stream, shard uint64, rows []numbered) ([]api.Record, error) {
	out := make([]api.Record, 0, len(rows))
	for i := range rows {
		n := &rows[i]
		if n.body != "" {
			data, err := s.readBody(ctx, n.body)
			if errors.Is(err, blob.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, storeError(err)
			}
			n.data = data
		}
		r := api.Record{SequenceNumber: sequence(st.Created, shard, n.at), ApproximateArrivalTimestamp: &n.row.at, Data: n.data, PartitionKey: n.partition}
		if n.encrypted {
			r.EncryptionType = api.EncryptionTypeKms
		}
		out = append(out, r)
	}
	return out, nil
}

func (s *Service) readBody(ctx context.Context, id blob.ID) ([]byte, error) {
	body, err := s.blobs.Open(ctx, id, blob.Whole())
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

package kinesis

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// shardRecord is a shard as it is stored: a range of hash keys.
type shardRecord struct {
	Number uint64  `json:"number"`
	Start  hashKey `json:"start"`
	End    hashKey `json:"end"`
	// Parent and Adjacent are the shards that it was made of.
	Parent   *uint64   `json:"parent,omitempty"`
	Adjacent *uint64   `json:"adjacent,omitempty"`
	Created  time.Time `json:"created"`
	Closed   time.Time `json:"closed,omitzero"`
}

const shardPrefix = "shardId-"

// shardID returns the name of a shard in the API.
func shardID(n uint64) string { return fmt.Sprintf("%s%012d", shardPrefix, n) }

// parseShardID is the inverse of shardID.
func parseShardID(id string) (n uint64, ok bool) {
	digits, ok := strings.CutPrefix(id, shardPrefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && shardID(n) == id
}

// openDuring tells whether the shard was open at a time.
func (sh *shardRecord) openAt(t time.Time) bool { return !sh.Created.After(t) && sh.openSince(t) }

// openSince tells whether the shard was open at a time or later.
func (sh *shardRecord) openSince(t time.Time) bool { return sh.Closed.IsZero() || sh.Closed.After(t) }

// addShard adds an open shard. Its log begins with a mark, whose stamp is the shard's starting sequence number. The caller writes the stream's record.
func (st *stream) addShard(tx store.Txn, sh shardRecord) (shardRecord, error) {
	sh.Number = st.Next
	st.Next++
	st.Open++
	st.Layout++
	tx.Append(st.ref().log(sh.Number), (&row{kind: rowOpened, at: sh.Created}).encode())
	return sh, record.Set(tx, st.ref().shard(sh.Number), sh)
}

// closeShard ends an open shard. The mark in its log wakes who waits for records. The caller writes the stream's record.
func (st *stream) closeShard(tx store.Txn, sh shardRecord, now time.Time) error {
	sh.Closed = now
	st.Open--
	st.Layout++
	tx.Append(st.ref().log(sh.Number), (&row{kind: rowClosed, at: now}).encode())
	return record.Set(tx, st.ref().shard(sh.Number), sh)
}

// shardOf returns the open shard of a hash key.
func (st *stream) shardOf(h hashKey) *shardRecord {
	i, found := slices.BinarySearchFunc(st.open, h, func(sh shardRecord, h hashKey) int { return sh.Start.compare(h) })
	if !found {
		i-- // the shard before the place where one that begins at h would be
	}
	return &st.open[i]
}

// shard returns a shard that is left of the stream.
func (st *stream) shard(r store.Reader, id string) (shardRecord, error) {
	n, ok := parseShardID(id)
	if !ok {
		return shardRecord{}, noShard(st, id)
	}
	sh, found, err := record.Get[shardRecord](r, st.ref().shard(n))
	if err == nil && !found {
		err = noShard(st, id)
	}
	return sh, err
}

// describe returns a shard as the API shows it.
func (st *stream) describe(r store.Reader, sh *shardRecord) (api.Shard, error) {
	log := st.ref().log(sh.Number)
	out := api.Shard{
		ShardId: shardID(sh.Number), HashKeyRange: sh.hashRange(), SequenceNumberRange: &api.SequenceNumberRange{},
	}
	if sh.Parent != nil {
		out.ParentShardId = new(shardID(*sh.Parent))
	}
	if sh.Adjacent != nil {
		out.AdjacentParentShardId = new(shardID(*sh.Adjacent))
	}
	first, _, err := edge(r, log, false)
	if err != nil {
		return out, err
	}
	out.SequenceNumberRange.StartingSequenceNumber = sequence(st.Created, sh.Number, first)
	if !sh.Closed.IsZero() {
		last, _, err := edge(r, log, true)
		if err != nil {
			return out, err
		}
		out.SequenceNumberRange.EndingSequenceNumber = new(sequence(st.Created, sh.Number, last))
	}
	return out, nil
}

func (sh *shardRecord) hashRange() *api.HashKeyRange {
	return &api.HashKeyRange{StartingHashKey: sh.Start.String(), EndingHashKey: sh.End.String()}
}

// edge returns the stamp and the row at the beginning of a log, or at its end.
func edge(r store.Reader, log key.Key, end bool) (stamp, row, error) {
	span := log.Span()
	span.Reverse, span.Limit = end, 1
	for pair, err := range r.Range(span) {
		if err != nil {
			return stamp{}, row{}, err
		}
		found, err := decodeRow(pair.Value)
		return stampOf(pair.Key), found, err
	}
	return stamp{}, row{}, nil
}

// children returns the shards that were made of a closed one.
func (st *stream) children(r store.Reader, n uint64) ([]api.ChildShard, error) {
	var out []api.ChildShard
	span := st.ref().shards().Span()
	span.Lo = st.ref().shard(n + 1)
	for found, err := range record.Range[shardRecord](r, span) {
		if err != nil {
			return nil, err
		}
		sh := &found.Value
		var parents []string
		of := false
		for _, parent := range []*uint64{sh.Parent, sh.Adjacent} {
			if parent != nil {
				parents = append(parents, shardID(*parent))
				of = of || *parent == n
			}
		}
		if of {
			out = append(out, api.ChildShard{ShardId: shardID(sh.Number), ParentShards: parents, HashKeyRange: sh.hashRange()})
		}
	}
	return out, nil
}

// pageOfShards returns up to limit shards behind an id for which wanted holds; nil takes all. more tells that there is another.
func (s *Service) pageOfShards(ctx context.Context, st *stream, behind *string, limit int, wanted func(sh *shardRecord) bool) (out []api.Shard, more bool, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		out, more = []api.Shard{}, false
		horizon := s.clock.Now().Add(-st.keeps())
		for found, err := range record.Range[shardRecord](r, st.ref().shards().Span()) {
			if err != nil {
				return err
			}
			sh := &found.Value
			if behind != nil && shardID(sh.Number) <= *behind || !sh.openSince(horizon) || wanted != nil && !wanted(sh) {
				continue
			}
			if len(out) == limit {
				more = true
				return nil
			}
			described, err := st.describe(r, sh)
			if err != nil {
				return err
			}
			out = append(out, described)
		}
		return nil
	})
	return out, more, storeError(err)
}

// shardFilter is a filter of ListShards in the form that page tokens hold.
type shardFilter struct {
	Type  string    `json:"t,omitempty"`
	Shard string    `json:"s,omitempty"`
	Time  time.Time `json:"m,omitzero"`
}

func newFilter(in *api.ShardFilter) (f shardFilter, err error) {
	if in == nil {
		return f, nil
	}
	f.Type = in.Type
	switch byTime := in.Type == api.ShardFilterTypeAtTimestamp || in.Type == api.ShardFilterTypeFromTimestamp; {
	case (in.Type == api.ShardFilterTypeAfterShardId) != (in.ShardId != nil):
		return f, invalid("ShardFilter needs ShardId if and only if its Type is AFTER_SHARD_ID; its Type is %s.", in.Type)
	case byTime != (in.Timestamp != nil):
		return f, invalid("ShardFilter needs Timestamp if and only if its Type is AT_TIMESTAMP or FROM_TIMESTAMP; its Type is %s.", in.Type)
	case in.ShardId != nil:
		f.Shard = *in.ShardId
	case in.Timestamp != nil:
		f.Time = *in.Timestamp
	}
	return f, nil
}

// matcher returns what a filter asks of a shard
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html).
func (f shardFilter) matcher(st *stream, now time.Time) func(sh *shardRecord) bool {
	at := f.Time
	if f.Type == api.ShardFilterTypeAtTrimHorizon || f.Type == api.ShardFilterTypeFromTrimHorizon {
		at = now.Add(-st.keeps())
	}
	if at.Before(st.Created) {
		at = st.Created
	}
	switch f.Type {
	case api.ShardFilterTypeAfterShardId:
		return func(sh *shardRecord) bool { return shardID(sh.Number) > f.Shard }
	case api.ShardFilterTypeAtLatest:
		return func(sh *shardRecord) bool { return sh.Closed.IsZero() }
	case api.ShardFilterTypeAtTrimHorizon, api.ShardFilterTypeAtTimestamp:
		return func(sh *shardRecord) bool { return sh.openAt(at) }
	case api.ShardFilterTypeFromTrimHorizon, api.ShardFilterTypeFromTimestamp:
		return func(sh *shardRecord) bool { return sh.openSince(at) }
	}
	return nil
}

func (s *Service) listShards(ctx context.Context, in *api.ListShardsInput) (*api.ListShardsOutput, error) {
	named := in.StreamName != nil || in.StreamARN != nil || in.StreamId != nil
	limit := 1000
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	var st *stream
	var err error
	t := pageToken{List: "ListShards"}
	if in.NextToken != nil {
		if named || in.ExclusiveStartShardId != nil || in.StreamCreationTimestamp != nil || in.ShardFilter != nil {
			return nil, invalid("NextToken and StreamName, StreamARN, ExclusiveStartShardId, StreamCreationTimestamp or ShardFilter cannot be provided together.")
		}
		if t, err = s.readToken(*in.NextToken, "ListShards"); err != nil {
			return nil, err
		}
		if st, err = s.ofToken(ctx, t); err != nil {
			return nil, err
		}
	} else {
		if st, err = s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId}); err != nil {
			return nil, err
		}
		if in.StreamCreationTimestamp != nil && in.StreamCreationTimestamp.Unix() != st.Created.Unix() {
			return nil, noStream(st.place, st.Name)
		}
		if t.Filter, err = newFilter(in.ShardFilter); err != nil {
			return nil, err
		}
		t.Stream, t.ID = st.arn(), st.ID
		if in.ExclusiveStartShardId != nil {
			t.After = *in.ExclusiveStartShardId
		}
	}
	var behind *string
	if t.After != "" {
		behind = &t.After
	}
	shards, more, err := s.pageOfShards(ctx, st, behind, limit, t.Filter.matcher(st, s.clock.Now()))
	out := &api.ListShardsOutput{Shards: shards}
	if more {
		t.After = shards[len(shards)-1].ShardId
		out.NextToken = s.token(t)
	}
	return out, err
}

// tokenLife is how long a page token can be used
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html).
const tokenLife = 300 * time.Second

// pageToken says where the next page of a list begins. Clients hold it as text.
type pageToken struct {
	List   string      `json:"l"`
	Stream string      `json:"a,omitempty"` // ARN
	ID     uint64      `json:"i,omitempty"` // of the stream
	After  string      `json:"n"`
	Filter shardFilter `json:"f,omitzero"`
	Issued int64       `json:"t"` // Unix milliseconds
}

// token returns the text of t, issued now.
func (s *Service) token(t pageToken) *string {
	t.Issued = s.clock.Now().UnixMilli()
	b, err := json.Marshal(t)
	if err != nil {
		return nil // its members can all be written
	}
	return new(base64.RawURLEncoding.EncodeToString(b))
}

// readToken is the inverse of token, for the list that a token was made for.
func (s *Service) readToken(text, list string) (t pageToken, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &t) != nil || t.List != list || t.After == "" {
		return t, invalid("The NextToken is not one that %s gave. Start the list again without it.", list)
	}
	if s.clock.Now().Sub(time.UnixMilli(t.Issued)) > tokenLife {
		return t, service.Errorf(codeExpiredToken, "The NextToken has expired: it can be used for %d seconds. Start the list again without it.", int(tokenLife.Seconds()))
	}
	return t, nil
}

// ofToken returns the stream of a page token.
func (s *Service) ofToken(ctx context.Context, t pageToken) (*stream, error) {
	st, err := s.known(ctx, target{arn: &t.Stream})
	if err == nil && st.ID != t.ID {
		err = noStream(st.place, st.Name)
	}
	return st, err
}

package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stream is the record of a log stream. Times are Unix milliseconds, 0 when there is no event.
type stream struct {
	Name         string
	Created      int64
	First        int64  `json:",omitempty"`
	Last         int64  `json:",omitempty"`
	LastIngested int64  `json:",omitempty"`
	Seq          uint64 `json:",omitempty"` // of the next event
}

func (l *Logs) createLogStream(ctx context.Context, in *api.CreateLogStreamInput) (*api.CreateLogStreamOutput, error) {
	if strings.ContainsAny(in.LogStreamName, ":*") {
		return nil, invalid("1 validation error detected: Value '%s' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*", in.LogStreamName)
	}
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := getGroup(tx, s, in.LogGroupName)
		if err != nil {
			return err
		}
		if _, ok, err := record.Get[stream](tx, s.stream(g.ID, in.LogStreamName)); err != nil || ok {
			return orExists(err, "log stream")
		}
		return record.Set(tx, s.stream(g.ID, in.LogStreamName), stream{Name: in.LogStreamName, Created: l.nowMS()})
	})
	return &api.CreateLogStreamOutput{}, unavailable(err)
}

// getStream returns a stream, or ResourceNotFoundException.
func getStream(r store.Reader, s scope, groupID, name string) (stream, error) {
	st, ok, err := record.Get[stream](r, s.stream(groupID, name))
	if err == nil && !ok {
		err = notFound("log stream")
	}
	return st, err
}

func (l *Logs) deleteLogStream(ctx context.Context, in *api.DeleteLogStreamInput) (*api.DeleteLogStreamOutput, error) {
	s := scopeOf(ctx)
	if err := l.sink.Flush(ctx); err != nil {
		return nil, unavailable(err)
	}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := getGroup(tx, s, in.LogGroupName)
		if err != nil {
			return err
		}
		if _, err := getStream(tx, s, g.ID, in.LogStreamName); err != nil {
			return err
		}
		if err := deleteBlocks(tx, s, g.ID, in.LogStreamName); err != nil {
			return err
		}
		tx.Delete(s.stream(g.ID, in.LogStreamName))
		return nil
	})
	return &api.DeleteLogStreamOutput{}, unavailable(err)
}

func (l *Logs) describeLogStreams(ctx context.Context, in *api.DescribeLogStreamsInput) (*api.DescribeLogStreamsOutput, error) {
	if in.OrderBy == "LastEventTime" && in.LogStreamNamePrefix != nil {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	if in.LogGroupName == nil && in.LogGroupIdentifier == nil {
		return nil, invalid("At least one of logGroupName or logGroupIdentifier must be provided.")
	}
	s := scopeOf(ctx)
	var g group
	var all []stream
	err := l.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if g, err = getGroup(r, s, either(in.LogGroupName, in.LogGroupIdentifier)); err != nil {
			return err
		}
		span := s.streams(g.ID).Span()
		if in.LogStreamNamePrefix != nil {
			span = s.streams(g.ID).StrPrefix(*in.LogStreamNamePrefix).Span()
		}
		all, err = record.List[stream](r, span)
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.OrderBy == "LastEventTime" {
		order.Stable(all, func(a, b stream) int { return cmp.Compare(a.Last, b.Last) })
	}
	if in.Descending != nil && *in.Descending {
		slices.Reverse(all)
	}
	if in.NextToken != nil {
		i := slices.IndexFunc(all, func(st stream) bool { return st.Name == *in.NextToken })
		if i < 0 {
			return nil, invalid("The specified nextToken is invalid.")
		}
		all = all[i+1:]
	}
	out := &api.DescribeLogStreamsOutput{LogStreams: []api.LogStream{}}
	limit := limitOf(in.Limit, 50)
	for i, st := range all {
		if i == limit {
			out.NextToken = ptr(all[i-1].Name)
			break
		}
		out.LogStreams = append(out.LogStreams, describeStream(s, g, st))
	}
	return out, nil
}

func describeStream(s scope, g group, st stream) api.LogStream {
	out := api.LogStream{
		LogStreamName: ptr(st.Name), CreationTime: ptr(st.Created), StoredBytes: ptr(int64(0)),
		Arn: ptr(groupARN(s, g.Name) + ":log-stream:" + st.Name),
	}
	if st.LastIngested > 0 {
		out.UploadSequenceToken = ptr(sequenceToken(st))
		out.FirstEventTimestamp, out.LastEventTimestamp, out.LastIngestionTime = ptr(st.First), ptr(st.Last), ptr(st.LastIngested)
	}
	return out
}

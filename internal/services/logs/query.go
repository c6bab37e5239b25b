package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/logs/insights"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of queries
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html): the log groups of one, the rows of its result, how many go on at a time, and how long
// one may take and its result is kept.
const (
	maxQueryGroups   = 50
	maxQueryRows     = 10_000
	maxActiveQueries = 100
	queryFor         = time.Hour
	keepQueries      = 7 * 24 * time.Hour
)

// What a query does.
const (
	queryScheduled = "Scheduled"
	queryRunning   = "Running"
	queryComplete  = "Complete"
	queryFailed    = "Failed"
	queryCancelled = "Cancelled"
	queryTimeout   = "Timeout"
)

// query is the record of a query. Its result lies in parts beside it.
type query struct {
	ID         string
	Text       string
	Groups     []string // names
	Start, End int64    // Unix seconds, both of them in the range
	Limit      int
	Status     string
	Created    int64 // Unix milliseconds
	Duration   int64 // milliseconds, once it has ended
	Parts      int   // of the result
	Statistics queryStatistics
	Run        *runID `json:",omitempty"` // of the scheduled query that started it
}

// queryStatistics is what a query looked at and found.
type queryStatistics struct{ Matched, Scanned, Bytes, Groups float64 }

// active tells whether a query has not ended.
func (q *query) active() bool { return q.Status == queryScheduled || q.Status == queryRunning }

func (l *Logs) startQuery(ctx context.Context, in *api.StartQueryInput) (*api.StartQueryOutput, error) {
	q, err := l.newQuery(in)
	if err != nil {
		return nil, err
	}
	q.scheduled(ctx)
	s := scopeOf(ctx)
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, s.query(q.ID)); err != nil || there {
			return err // a run of a scheduled query begins once, however often it is tried
		}
		for _, name := range q.Groups {
			if _, err := getGroup(tx, s, name); err != nil {
				return err
			}
		}
		if err := room(tx, s.activeQueries(), maxActiveQueries, "queries that have not ended"); err != nil {
			return err
		}
		tx.Set(s.activeQuery(q.ID), nil)
		if err := record.Set(tx, s.query(q.ID), q); err != nil {
			return err
		}
		return events.Enqueue(tx, events.Job{Kind: queryKind, Payload: key.New(s.account, s.region, q.ID)})
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.StartQueryOutput{QueryId: &q.ID}, nil
}

// newQuery checks what a query is made of.
func (l *Logs) newQuery(in *api.StartQueryInput) (*query, error) {
	if in.QueryLanguage != "" && in.QueryLanguage != "CWLI" {
		return nil, service.Unsupported("InvalidParameterException", "StartQuery", "queryLanguage "+in.QueryLanguage)
	}
	given := 0
	for _, yes := range []bool{in.LogGroupName != nil, len(in.LogGroupNames) > 0, len(in.LogGroupIdentifiers) > 0} {
		if yes {
			given++
		}
	}
	q := &query{Text: in.QueryString, Start: in.StartTime, End: in.EndTime, Limit: maxQueryRows, Status: queryScheduled, Created: l.nowMS()}
	for _, name := range slices.Concat(in.LogGroupNames, in.LogGroupIdentifiers) {
		q.Groups = append(q.Groups, groupName(name))
	}
	if in.LogGroupName != nil {
		q.Groups = []string{*in.LogGroupName}
	}
	switch {
	case given != 1:
		return nil, invalid("A query needs exactly one of logGroupName, logGroupNames and logGroupIdentifiers.")
	case len(q.Groups) > maxQueryGroups:
		return nil, invalid("A query has at most %d log groups.", maxQueryGroups)
	case in.StartTime > in.EndTime:
		return nil, invalid("The startTime of a query must not be after its endTime. Both are in seconds since 1970.")
	}
	if in.Limit != nil {
		if q.Limit = int(*in.Limit); q.Limit > maxQueryRows {
			return nil, service.Unsupported("InvalidParameterException", "StartQuery", "a limit of more than "+strconv.Itoa(maxQueryRows))
		}
	}
	slices.Sort(q.Groups)
	q.Groups = slices.Compact(q.Groups)
	if _, err := insights.Parse(q.Text); err != nil {
		return nil, malformedQuery(err)
	}
	var err error
	q.ID, err = uuid.New(l.deps.Random)
	return q, err
}

// malformedQuery tells where a query is malformed.
func malformedQuery(err error) error {
	e := service.Errorf("MalformedQueryException", "Malformed query: %v.", err)
	var where *insights.Error
	if errors.As(err, &where) {
		e.Detail = &api.MalformedQueryException{QueryCompileError: &api.QueryCompileError{
			Location: &api.QueryCompileErrorLocation{StartCharOffset: ptr(int32(where.From)), EndCharOffset: ptr(int32(where.To))}, Message: ptr(where.Message),
		}}
	}
	return e
}

// getQuery returns a query, or ResourceNotFoundException.
func getQuery(r store.Reader, s scope, id string) (query, error) {
	q, ok, err := record.Get[query](r, s.query(id))
	if err == nil && !ok {
		err = service.Errorf("ResourceNotFoundException", "The query %s does not exist. Results are kept for seven days.", id)
	}
	return q, err
}

func (l *Logs) stopQuery(ctx context.Context, in *api.StopQueryInput) (*api.StopQueryOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		q, err := getQuery(tx, s, in.QueryId)
		if err != nil {
			return err
		}
		if !q.active() {
			return invalid("The query %s is not running: it is %s.", q.ID, q.Status)
		}
		return l.endQuery(tx, s, &q, queryCancelled)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.StopQueryOutput{Success: ptr(true)}, nil
}

// endQuery ends a query, and schedules the end of its result.
func (l *Logs) endQuery(tx store.Txn, s scope, q *query, status string) error {
	q.Status, q.Duration = status, l.nowMS()-q.Created
	tx.Delete(s.activeQuery(q.ID))
	if err := record.Set(tx, s.query(q.ID), q); err != nil {
		return err
	}
	if q.Run != nil {
		if err := events.Enqueue(tx, events.Job{Kind: resultKind, Payload: q.Run.payload(s)}); err != nil {
			return err
		}
	}
	return events.Enqueue(tx, events.Job{Kind: forgetKind, Payload: key.New(s.account, s.region, q.ID), NotBefore: l.deps.Clock.Now().Add(keepQueries)})
}

func (l *Logs) getQueryResults(ctx context.Context, in *api.GetQueryResultsInput) (*api.GetQueryResultsOutput, error) {
	s, from := scopeOf(ctx), 0
	if in.NextToken != nil {
		var err error
		if from, err = strconv.Atoi(*in.NextToken); err != nil || from < 0 {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	most := maxQueryRows
	if in.MaxItems != nil && *in.MaxItems > 0 {
		most = int(*in.MaxItems)
	}
	out := &api.GetQueryResultsOutput{QueryLanguage: "CWLI", Results: [][]api.ResultField{}}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		q, err := getQuery(r, s, in.QueryId)
		if err != nil {
			return err
		}
		out.Status, out.Statistics = q.Status, q.Statistics.shown()
		at := 0
		for fields, err := range resultOf(r, s, &q) {
			if err != nil {
				return err
			}
			if at++; at <= from {
				continue
			}
			if len(out.Results) == most {
				out.NextToken = ptr(strconv.Itoa(from + most))
				return nil
			}
			out.Results = append(out.Results, shownFields(fields))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func shownFields(fields []insights.Field) []api.ResultField {
	out := make([]api.ResultField, len(fields))
	for i := range fields {
		out[i] = api.ResultField{Field: &fields[i].Name, Value: &fields[i].Value}
	}
	return out
}

func (q queryStatistics) shown() *api.QueryStatistics {
	return &api.QueryStatistics{
		RecordsMatched: &q.Matched, RecordsScanned: &q.Scanned, BytesScanned: &q.Bytes, LogGroupsScanned: &q.Groups, EstimatedBytesSkipped: ptr(0.0), EstimatedRecordsSkipped: ptr(0.0),
	}
}

func (l *Logs) describeQueries(ctx context.Context, in *api.DescribeQueriesInput) (*api.DescribeQueriesOutput, error) {
	s := scopeOf(ctx)
	var all []query
	err := l.deps.Store.View(ctx, func(r store.Reader) (err error) {
		all, err = record.List[query](r, s.queries().Span())
		return err
	})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(q query) bool {
		return in.Status != "" && in.Status != q.Status || in.LogGroupName != nil && !slices.Contains(q.Groups, *in.LogGroupName) || in.QueryLanguage != "" && in.QueryLanguage != "CWLI"
	})
	order.Sort(all, func(a, b query) int { return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID)) })
	if in.NextToken != nil {
		i := slices.IndexFunc(all, func(q query) bool { return q.ID == *in.NextToken })
		if i < 0 {
			return nil, invalid("The specified nextToken is invalid.")
		}
		all = all[i+1:]
	}
	out := &api.DescribeQueriesOutput{Queries: []api.QueryInfo{}}
	if limit := limitOf(in.MaxResults, 1000); len(all) > limit {
		all = all[:limit]
		out.NextToken = &all[limit-1].ID
	}
	for _, q := range all {
		out.Queries = append(out.Queries, api.QueryInfo{
			QueryLanguage: "CWLI", QueryId: &q.ID, QueryString: &q.Text, Status: q.Status, CreateTime: &q.Created, LogGroupName: opt.Of(q.Groups[0]), QueryDuration: &q.Duration, BytesScanned: &q.Statistics.Bytes,
		})
	}
	return out, nil
}

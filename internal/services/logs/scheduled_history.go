package logs

import (
	"context"
	"slices"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// getScheduledQueryHistory tells of the runs of a scheduled query, the latest first. They are kept as long as the results of queries.
func (l *Logs) getScheduledQueryHistory(ctx context.Context, in *api.GetScheduledQueryHistoryInput) (*api.GetScheduledQueryHistoryOutput, error) {
	from, to := seconds(&in.StartTime), seconds(&in.EndTime)
	if from > to {
		return nil, badSchedule("The startTime must not be after the endTime.")
	}
	if in.NextToken != nil {
		before, err := strconv.ParseInt(*in.NextToken, 10, 64)
		if err != nil {
			return nil, badSchedule("The specified nextToken is invalid.")
		}
		to = min(to, before-1)
	}
	s, limit := scopeOf(ctx), limitOf(in.MaxResults, 1000)
	out := &api.GetScheduledQueryHistoryOutput{TriggerHistory: []api.TriggerHistoryRecord{}}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		q, err := getScheduledQuery(r, s, in.Identifier)
		if err != nil {
			return err
		}
		out.Name, out.ScheduledQueryArn = &q.Name, ptr(q.arn(s))
		span := store.Span{Lo: s.scheduledRun(runID{q.ID, from}), Hi: s.scheduledRun(runID{q.ID, to + 1}), Reverse: true}
		for row, err := range record.Range[scheduledRun](r, span) {
			if err != nil {
				return err
			}
			run := row.Value
			if len(in.ExecutionStatuses) > 0 && !slices.Contains(in.ExecutionStatuses, run.Status) {
				continue
			}
			if len(out.TriggerHistory) == limit {
				out.NextToken = ptr(strconv.FormatInt(*out.TriggerHistory[limit-1].TriggeredTimestamp, 10))
				return nil
			}
			out.TriggerHistory = append(out.TriggerHistory, run.shown(&q))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (run scheduledRun) shown(q *scheduledQuery) api.TriggerHistoryRecord {
	out := api.TriggerHistoryRecord{QueryId: &run.Query, ExecutionStatus: run.Status, TriggeredTimestamp: &run.At, ErrorMessage: opt.Of(run.Message)}
	if run.Result != nil && q.Destination != nil {
		out.Destinations = []api.ScheduledQueryDestination{{
			DestinationType: api.ScheduledQueryDestinationTypeS3, DestinationIdentifier: &q.Destination.DestinationIdentifier, Status: run.Result.Status,
			ProcessedIdentifier: opt.Of(run.Result.Processed), ErrorMessage: opt.Of(run.Result.Message),
		}}
	}
	return out
}

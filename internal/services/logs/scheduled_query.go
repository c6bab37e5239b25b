package logs

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // time zones do not depend on what the machine has

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/logs/insights"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxScheduledQueries is how many an account has in a region.
const maxScheduledQueries = 1000

// scheduledQuery is the record of a query that is run at the times of a cron expression
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateScheduledQuery.html). Its times are Unix seconds.
type scheduledQuery struct {
	ID, Name         string
	Description      string `json:",omitempty"`
	Text             string
	Groups           []string // names or ARNs, as they were given
	Expression       string
	Zone             string
	Offset           int64                `json:",omitempty"` // how many seconds a run looks back; 0 is as far as it is to the next one
	Destination      *api.S3Configuration `json:",omitempty"`
	Start, End       int64                `json:",omitempty"` // no run is before or after; 0 is no bound
	Role             string               // runs the query
	State            string
	Tags             map[string]string `json:",omitempty"`
	Created, Updated int64
	// Triggered is the time of the last run, and Status how that went.
	Triggered int64  `json:",omitempty"`
	Status    string `json:",omitempty"`
}

func (q *scheduledQuery) arn(s scope) string { return scheduledQueryARN(s, q.ID) }

func scheduledQueryARN(s scope, id string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":scheduled-query:" + id
}

// scheduledQueryID returns the id in the ARN of a scheduled query.
func scheduledQueryID(arn string) (string, bool) {
	_, id, ok := strings.Cut(arn, ":scheduled-query:")
	return id, ok && strings.HasPrefix(arn, "arn:aws:logs:")
}

func badSchedule(format string, args ...any) *service.Error {
	return service.Errorf("ValidationException", format, args...)
}

// getScheduledQuery returns a scheduled query by its name or ARN, or ResourceNotFoundException.
func getScheduledQuery(r store.Reader, s scope, identifier string) (scheduledQuery, error) {
	name := identifier
	if id, ok := scheduledQueryID(identifier); ok {
		b, err := r.Get(s.scheduledQueryName(id))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return scheduledQuery{}, err
		}
		name = string(b)
	}
	q, ok, err := record.Get[scheduledQuery](r, s.scheduledQuery(name))
	if err == nil && !ok {
		err = service.Errorf("ResourceNotFoundException", "The scheduled query %s does not exist. ListScheduledQueries lists those that do.", identifier)
	}
	return q, err
}

// keepScheduledQuery writes a scheduled query and plans its next run.
func (l *Logs) keepScheduledQuery(tx store.Txn, s scope, q *scheduledQuery) error {
	tx.Set(s.scheduledQueryName(q.ID), []byte(q.Name))
	if err := record.Set(tx, s.scheduledQuery(q.Name), *q); err != nil {
		return err
	}
	return l.armScheduledQuery(tx, s, q, l.deps.Clock.Now())
}

func (l *Logs) createScheduledQuery(ctx context.Context, in *api.CreateScheduledQueryInput) (*api.CreateScheduledQueryOutput, error) {
	q, err := l.defineQuery(ctx, "CreateScheduledQuery", reshape.To[api.UpdateScheduledQueryInput](in))
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > maxTags {
		return nil, badSchedule("A scheduled query has at most %d tags.", maxTags)
	}
	if q.ID, err = uuid.New(l.deps.Random); err != nil {
		return nil, err
	}
	q.Name, q.Created, q.Tags = in.Name, q.Updated, in.Tags
	s := scopeOf(ctx)
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		there, err := record.Has(tx, s.scheduledQuery(q.Name))
		if err == nil && there {
			err = service.Errorf("ConflictException", "A scheduled query with the name %s exists already.", q.Name)
		}
		if err == nil {
			err = room(tx, s.scheduledQueries(), maxScheduledQueries, "scheduled queries")
		}
		if service.Code(err) == "LimitExceededException" {
			err = service.Errorf("ServiceQuotaExceededException", "There are at most %d scheduled queries in a region: delete one first.", maxScheduledQueries)
		}
		if err == nil {
			err = groupsExist(tx, s, q.Groups)
		}
		if err != nil {
			return err
		}
		return l.keepScheduledQuery(tx, s, q)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.CreateScheduledQueryOutput{ScheduledQueryArn: ptr(q.arn(s)), State: q.State}, nil
}

// groupsExist refuses log groups that are not there.
func groupsExist(r store.Reader, s scope, identifiers []string) error {
	for _, g := range identifiers {
		if _, err := getGroup(r, s, g); err != nil {
			return err
		}
	}
	return nil
}

// bucketURI is the destination of results: a bucket, and what the keys of the objects begin with.
var bucketURI = regexp.MustCompile(`^s3://([a-z0-9][.\-a-z0-9]{1,61}[a-z0-9])(?:/(.*))?$`)

// defineQuery checks what a scheduled query is made of; operation is by which it is given.
func (l *Logs) defineQuery(ctx context.Context, operation string, in *api.UpdateScheduledQueryInput) (*scheduledQuery, error) {
	q := &scheduledQuery{
		Description: opt.Value(in.Description), Text: in.QueryString, Groups: in.LogGroupIdentifiers, Expression: in.ScheduleExpression, Zone: cmp.Or(opt.Value(in.Timezone), "UTC"),
		Offset: opt.Value(in.StartTimeOffset), Start: seconds(in.ScheduleStartTime), End: seconds(in.ScheduleEndTime), Role: in.ExecutionRoleArn,
		State: cmp.Or(in.State, api.ScheduledQueryStateEnabled), Updated: l.deps.Clock.Now().Unix(),
	}
	if in.DestinationConfiguration != nil {
		q.Destination = in.DestinationConfiguration.S3Configuration
	}
	e, err := schedule.Parse(q.Expression, schedule.Rules)
	switch {
	case in.QueryLanguage != "CWLI":
		return nil, service.Unsupported("ValidationException", operation, "queryLanguage "+in.QueryLanguage)
	case err != nil || !strings.HasPrefix(e.String(), "cron("):
		return nil, badSchedule("The scheduleExpression %q is no cron expression: expected cron(minutes hours day-of-month month day-of-week year).", q.Expression)
	case len(q.Groups) == 0:
		return nil, badSchedule("A scheduled query in the language CWLI needs logGroupIdentifiers.")
	case q.Offset < 0:
		return nil, badSchedule("The startTimeOffset must not be negative: it is how many seconds a run looks back.")
	case q.Start != 0 && q.End != 0 && q.Start >= q.End:
		return nil, badSchedule("The scheduleStartTime must come before the scheduleEndTime.")
	case q.Destination != nil && !bucketURI.MatchString(q.Destination.DestinationIdentifier):
		return nil, badSchedule("The destinationIdentifier %q is not of the form s3://bucket/prefix.", q.Destination.DestinationIdentifier)
	}
	if _, err := time.LoadLocation(q.Zone); err != nil || q.Zone == "Local" {
		return nil, badSchedule("The timezone %q is not in the IANA database.", q.Zone)
	}
	if _, err := insights.Parse(q.Text); err != nil {
		return nil, badSchedule("Malformed query: %v.", err)
	}
	return q, l.passRoles(ctx, q)
}

// passRoles tells whether the caller may give a scheduled query its roles.
func (l *Logs) passRoles(ctx context.Context, q *scheduledQuery) error {
	if err := l.options.Roles.CheckPassRole(ctx, q.Role, servicePrincipal); err != nil || q.Destination == nil {
		return err
	}
	return l.options.Roles.CheckPassRole(ctx, q.Destination.RoleArn, servicePrincipal)
}

// seconds returns a time in Unix seconds; one that only milliseconds can mean is brought to them.
func seconds(t *int64) int64 {
	const year5138 = 100_000_000_000
	v := opt.Value(t)
	if v >= year5138 {
		v /= 1000
	}
	return v
}

func (l *Logs) updateScheduledQuery(ctx context.Context, in *api.UpdateScheduledQueryInput) (*api.UpdateScheduledQueryOutput, error) {
	q, err := l.defineQuery(ctx, "UpdateScheduledQuery", in)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		old, err := getScheduledQuery(tx, s, in.Identifier)
		if err == nil {
			err = groupsExist(tx, s, q.Groups)
		}
		if err != nil {
			return err
		}
		q.ID, q.Name, q.Tags, q.Created, q.Triggered, q.Status = old.ID, old.Name, old.Tags, old.Created, old.Triggered, old.Status
		return l.keepScheduledQuery(tx, s, q)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return reshape.To[api.UpdateScheduledQueryOutput](q.shown(s)), nil
}

// shown is what GetScheduledQuery tells, and with it the other operations.
func (q *scheduledQuery) shown(s scope) *api.GetScheduledQueryOutput {
	out := &api.GetScheduledQueryOutput{
		ScheduledQueryArn: ptr(q.arn(s)), Name: &q.Name, Description: opt.Of(q.Description), QueryLanguage: "CWLI", QueryString: &q.Text, LogGroupIdentifiers: q.Groups, ScheduleExpression: &q.Expression,
		Timezone: &q.Zone, StartTimeOffset: opt.Of(q.Offset), State: q.State, ScheduleStartTime: opt.Of(q.Start), ScheduleEndTime: opt.Of(q.End), ExecutionRoleArn: &q.Role,
		CreationTime: &q.Created, LastUpdatedTime: &q.Updated, LastTriggeredTime: opt.Of(q.Triggered), LastExecutionStatus: q.Status,
	}
	if q.Destination != nil {
		out.DestinationConfiguration = &api.DestinationConfiguration{S3Configuration: q.Destination}
	}
	return out
}

func (l *Logs) getScheduledQuery(ctx context.Context, in *api.GetScheduledQueryInput) (*api.GetScheduledQueryOutput, error) {
	s := scopeOf(ctx)
	var q scheduledQuery
	err := l.deps.Store.View(ctx, func(r store.Reader) (err error) {
		q, err = getScheduledQuery(r, s, in.Identifier)
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.shown(s), nil
}

func (l *Logs) listScheduledQueries(ctx context.Context, in *api.ListScheduledQueriesInput) (*api.ListScheduledQueriesOutput, error) {
	s := scopeOf(ctx)
	out := &api.ListScheduledQueriesOutput{ScheduledQueries: []api.ScheduledQuerySummary{}}
	next, err := record.Page(ctx, l.deps.Store, s.scheduledQueries(), record.Paging{Token: in.NextToken, Limit: limitOf(in.MaxResults, 1000)}, func(_ string, q scheduledQuery) bool {
		if in.State != "" && in.State != q.State {
			return false
		}
		out.ScheduledQueries = append(out.ScheduledQueries, *reshape.To[api.ScheduledQuerySummary](q.shown(s)))
		return true
	})
	if errors.Is(err, record.ErrToken) {
		err = badSchedule("The specified nextToken is invalid.")
	}
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	return out, nil
}

func (l *Logs) deleteScheduledQuery(ctx context.Context, in *api.DeleteScheduledQueryInput) (*api.DeleteScheduledQueryOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		q, err := getScheduledQuery(tx, s, in.Identifier)
		if err != nil {
			return err
		}
		tx.Delete(s.scheduledQuery(q.Name))
		tx.Delete(s.scheduledQueryName(q.ID))
		tx.DeleteRange(s.scheduledRuns(q.ID), s.scheduledRuns(q.ID).End())
		return events.Cancel(tx, triggerKind, q.arn(s))
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.DeleteScheduledQueryOutput{}, nil
}

// scheduledTarget returns what a caller must be allowed who names a scheduled query.
func (l *Logs) scheduledTarget(ctx context.Context, identifier string) ([]service.Target, error) {
	s, id := scopeOf(ctx), "*"
	if given, ok := scheduledQueryID(identifier); ok {
		return []service.Target{{ARN: scheduledQueryARN(s, given)}}, nil
	}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		q, ok, err := record.Get[scheduledQuery](r, s.scheduledQuery(identifier))
		if ok {
			id = q.ID
		}
		return err
	})
	return []service.Target{{ARN: scheduledQueryARN(s, id)}}, err
}

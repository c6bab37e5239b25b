package logs

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// group is the record of a log group.
type group struct {
	ID        string
	Name      string
	Created   int64             // Unix milliseconds
	Retention int32             `json:",omitempty"` // days; 0 keeps events for ever
	Class     string            `json:",omitempty"`
	Tags      map[string]string `json:",omitempty"`
	Protected bool              `json:",omitempty"`
	// Subscriptions are the subscription filters by name.
	Subscriptions []subscription `json:",omitempty"`
	// MetricFilters are the metric filters by name.
	MetricFilters []metricFilter `json:",omitempty"`
	Transformer   *transformer   `json:",omitempty"`
	// Policy opens the group to services and other accounts.
	Policy *groupPolicy `json:",omitempty"`
}

// retentions are the values that AWS accepts, in days
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html).
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// expireKind is the job that removes the events of one group that are past their retention.
const expireKind = "logs.expire"

// expireEvery is how often a group with a retention is swept.
const expireEvery = time.Hour

func (l *Logs) createLogGroup(ctx context.Context, in *api.CreateLogGroupInput) (*api.CreateLogGroupOutput, error) {
	if in.KmsKeyId != nil {
		return nil, service.Unsupported("InvalidParameterException", "CreateLogGroup", "kmsKeyId")
	}
	if in.LogGroupClass != "" && in.LogGroupClass != "STANDARD" {
		return nil, service.Unsupported("InvalidParameterException", "CreateLogGroup", "logGroupClass "+in.LogGroupClass)
	}
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, ok, err := record.Get[group](tx, s.group(in.LogGroupName)); err != nil || ok {
			return orExists(err, "log group")
		}
		g, err := l.newGroup(in.LogGroupName)
		if err != nil {
			return err
		}
		g.Tags = in.Tags
		g.Protected = in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled
		return record.Set(tx, s.group(g.Name), g)
	})
	return &api.CreateLogGroupOutput{}, unavailable(err)
}

func (l *Logs) newGroup(name string) (group, error) {
	var id [8]byte
	if _, err := io.ReadFull(l.deps.Random, id[:]); err != nil {
		return group{}, err
	}
	return group{ID: hex.EncodeToString(id[:]), Name: name, Created: l.nowMS(), Class: "STANDARD"}, nil
}

func orExists(err error, what string) error {
	if err != nil {
		return err
	}
	return exists(what)
}

// getGroup returns a group, or ResourceNotFoundException.
func getGroup(r store.Reader, s scope, name string) (group, error) {
	g, ok, err := record.Get[group](r, s.group(groupName(name)))
	if err == nil && !ok {
		err = notFound("log group")
	}
	return g, err
}

func (l *Logs) deleteLogGroup(ctx context.Context, in *api.DeleteLogGroupInput) (*api.DeleteLogGroupOutput, error) {
	s := scopeOf(ctx)
	if err := l.sink.Flush(ctx); err != nil {
		return nil, unavailable(err)
	}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := getGroup(tx, s, in.LogGroupName)
		if err != nil {
			return err
		}
		if g.Protected {
			return service.Errorf("ValidationException", "The log group %s has deletion protection. Turn it off first.", g.Name)
		}
		tx.Delete(s.group(g.Name))
		for _, k := range []key.Key{s.streams(g.ID), s.blocks(g.ID), s.indexes(g.ID)} {
			tx.DeleteRange(k, k.End())
		}
		return nil
	})
	return &api.DeleteLogGroupOutput{}, unavailable(err)
}

func (l *Logs) describeLogGroups(ctx context.Context, in *api.DescribeLogGroupsInput) (*api.DescribeLogGroupsOutput, error) {
	switch {
	case in.AccountIdentifiers != nil || in.IncludeLinkedAccounts != nil && *in.IncludeLinkedAccounts:
		return nil, service.Unsupported("InvalidParameterException", "DescribeLogGroups", "accountIdentifiers and includeLinkedAccounts")
	case in.LogGroupNamePattern != nil && in.LogGroupNamePrefix != nil:
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	s := scopeOf(ctx)
	limit := limitOf(in.Limit, 50)
	span := s.groups().Span()
	if in.LogGroupNamePrefix != nil {
		span = s.groups().StrPrefix(*in.LogGroupNamePrefix).Span()
	}
	if in.NextToken != nil {
		span.Lo = append(s.group(*in.NextToken), 0)
	}
	out := &api.DescribeLogGroupsOutput{LogGroups: []api.LogGroup{}}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[group](r, span) {
			if err != nil {
				return err
			}
			g := row.Value
			if in.LogGroupNamePattern != nil && !strings.Contains(strings.ToLower(g.Name), strings.ToLower(*in.LogGroupNamePattern)) ||
				in.LogGroupClass != "" && in.LogGroupClass != g.Class ||
				in.LogGroupIdentifiers != nil && !slices.ContainsFunc(in.LogGroupIdentifiers, func(id string) bool { return groupName(id) == g.Name }) {
				continue
			}
			if len(out.LogGroups) == limit {
				out.NextToken = out.LogGroups[limit-1].LogGroupName
				return nil
			}
			out.LogGroups = append(out.LogGroups, describe(s, g))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func describe(s scope, g group) api.LogGroup {
	out := api.LogGroup{
		LogGroupName: ptr(g.Name), CreationTime: ptr(g.Created), MetricFilterCount: ptr(int32(len(g.MetricFilters))), StoredBytes: ptr(int64(0)),
		Arn: ptr(groupARN(s, g.Name) + ":*"), LogGroupArn: ptr(groupARN(s, g.Name)), LogGroupClass: g.Class,
		DeletionProtectionEnabled: ptr(g.Protected),
	}
	if g.Retention > 0 {
		out.RetentionInDays = ptr(g.Retention)
	}
	return out
}

func limitOf(limit *int32, most int) int {
	if limit == nil || int(*limit) > most {
		return most
	}
	return int(*limit)
}

// changeGroup runs change on a group's record in one transaction.
func (l *Logs) changeGroup(ctx context.Context, name string, change func(tx store.Txn, s scope, g *group) error) error {
	s := scopeOf(ctx)
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := getGroup(tx, s, name)
		if err != nil {
			return err
		}
		if err := change(tx, s, &g); err != nil {
			return err
		}
		return record.Set(tx, s.group(g.Name), g)
	}))
}

func (l *Logs) putRetentionPolicy(ctx context.Context, in *api.PutRetentionPolicyInput) (*api.PutRetentionPolicyOutput, error) {
	if !slices.Contains(retentions, in.RetentionInDays) {
		return nil, invalid("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", in.RetentionInDays, retentions)
	}
	err := l.changeGroup(ctx, in.LogGroupName, func(tx store.Txn, s scope, g *group) error {
		swept := g.Retention > 0
		g.Retention = in.RetentionInDays
		if swept {
			return nil
		}
		return l.scheduleExpiry(tx, s, g)
	})
	return &api.PutRetentionPolicyOutput{}, err
}

func (l *Logs) deleteRetentionPolicy(ctx context.Context, in *api.DeleteRetentionPolicyInput) (*api.DeleteRetentionPolicyOutput, error) {
	err := l.changeGroup(ctx, in.LogGroupName, func(_ store.Txn, _ scope, g *group) error {
		g.Retention = 0
		return nil
	})
	return &api.DeleteRetentionPolicyOutput{}, err
}

func (l *Logs) putLogGroupDeletionProtection(ctx context.Context, in *api.PutLogGroupDeletionProtectionInput) (*api.PutLogGroupDeletionProtectionOutput, error) {
	err := l.changeGroup(ctx, in.LogGroupIdentifier, func(_ store.Txn, _ scope, g *group) error {
		g.Protected = in.DeletionProtectionEnabled
		return nil
	})
	return &api.PutLogGroupDeletionProtectionOutput{}, err
}

// scheduleExpiry enqueues the next sweep of a group.
func (l *Logs) scheduleExpiry(tx store.Txn, s scope, g *group) error {
	return events.Enqueue(tx, events.Job{
		Kind: expireKind, Payload: expirePayload(s, g), NotBefore: l.deps.Clock.Now().Add(expireEvery),
	})
}

func expirePayload(s scope, g *group) []byte { return key.New(s.account, s.region, g.Name, g.ID) }

// expire removes what is past a group's retention, and schedules the next sweep while the group has one.
func (l *Logs) expire(ctx context.Context, job events.Job) error {
	d := key.Decode(job.Payload)
	s := scope{d.Str(), d.Str()}
	name, id := d.Str(), d.Str()
	if err := d.Done(); err != nil {
		return events.Permanent(err)
	}
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := getGroup(tx, s, name)
		var missing *service.Error
		if errors.As(err, &missing) || err == nil && (g.ID != id || g.Retention == 0) {
			return nil
		}
		if err != nil {
			return err
		}
		cutoff := l.nowMS() - int64(g.Retention)*24*time.Hour.Milliseconds()
		if err := deleteBefore(tx, s, g.ID, cutoff); err != nil {
			return err
		}
		return l.scheduleExpiry(tx, s, &g)
	})
}

package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// scheduledQueryProperties are the properties of AWS::Logs::ScheduledQuery
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-scheduledquery.html).
type scheduledQueryProperties struct {
	Name                     string                     `cfn:"Name,required,createOnly"`
	Description              *string                    `cfn:"Description"`
	QueryLanguage            string                     `cfn:"QueryLanguage,required"`
	QueryString              string                     `cfn:"QueryString,required"`
	LogGroupIdentifiers      []string                   `cfn:"LogGroupIdentifiers"`
	ScheduleExpression       string                     `cfn:"ScheduleExpression,required"`
	Timezone                 *string                    `cfn:"Timezone"`
	StartTimeOffset          *int64                     `cfn:"StartTimeOffset"`
	DestinationConfiguration *scheduledOutputProperties `cfn:"DestinationConfiguration"`
	ScheduleStartTime        *int64                     `cfn:"ScheduleStartTime"`
	ScheduleEndTime          *int64                     `cfn:"ScheduleEndTime"`
	ExecutionRoleArn         string                     `cfn:"ExecutionRoleArn,required"`
	State                    *string                    `cfn:"State"`
	Tags                     []tag                      `cfn:"Tags"`
}

type scheduledOutputProperties struct {
	S3Configuration *scheduledBucketProperties `cfn:"S3Configuration"`
}

type scheduledBucketProperties struct {
	DestinationIdentifier string `cfn:"DestinationIdentifier,required"`
	RoleArn               string `cfn:"RoleArn,required"`
}

func (l *Logs) scheduledQueryType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::ScheduledQuery", service.ResourceSpec[scheduledQueryProperties]{
		Attributes: []string{"ScheduledQueryArn", "CreationTime", "LastUpdatedTime", "LastTriggeredTime", "LastExecutionStatus"},
		Changing:   []string{"LastUpdatedTime", "LastTriggeredTime", "LastExecutionStatus"},
		Create:     l.createScheduledQueryResource, Update: l.updateScheduledQueryResource, Delete: l.deleteScheduledQueryResource,
		Identifier: []string{"ScheduledQueryArn"}, Read: l.readScheduledQueryResource, List: l.listScheduledQueryResources, Missing: []string{"ResourceNotFoundException"},
	})
}

func scheduledQueryResource(out *api.GetScheduledQueryOutput) service.Resource {
	return service.Resource{PhysicalID: *out.ScheduledQueryArn, Attributes: map[string]any{
		"ScheduledQueryArn": *out.ScheduledQueryArn, "CreationTime": opt.Value(out.CreationTime), "LastUpdatedTime": opt.Value(out.LastUpdatedTime),
		"LastTriggeredTime": opt.Value(out.LastTriggeredTime), "LastExecutionStatus": out.LastExecutionStatus,
	}}
}

func (l *Logs) createScheduledQueryResource(ctx context.Context, c service.ResourceCall, p *scheduledQueryProperties) (service.Resource, error) {
	in := reshape.To[api.CreateScheduledQueryInput](p)
	in.Tags = tagsOf(c, p.Tags)
	out, err := ask[api.CreateScheduledQueryOutput](ctx, l, "CreateScheduledQuery", in)
	if err != nil {
		return service.Resource{}, err
	}
	return l.shownScheduledQuery(ctx, *out.ScheduledQueryArn)
}

func (l *Logs) shownScheduledQuery(ctx context.Context, arn string) (service.Resource, error) {
	out, err := ask[api.GetScheduledQueryOutput](ctx, l, "GetScheduledQuery", &api.GetScheduledQueryInput{Identifier: arn})
	if err != nil {
		return service.Resource{}, err
	}
	return scheduledQueryResource(out), nil
}

func (l *Logs) updateScheduledQueryResource(ctx context.Context, c service.ResourceCall, old, p *scheduledQueryProperties) (service.Resource, error) {
	in := reshape.To[api.UpdateScheduledQueryInput](p)
	in.Identifier = c.PhysicalID
	if err := l.call(ctx, "UpdateScheduledQuery", in); err != nil {
		return service.Resource{}, err
	}
	if err := l.setTags(ctx, c.PhysicalID, tagsOf(c, old.Tags), tagsOf(c, p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return l.shownScheduledQuery(ctx, c.PhysicalID)
}

func (l *Logs) deleteScheduledQueryResource(ctx context.Context, c service.ResourceCall, _ *scheduledQueryProperties) error {
	return service.Unless(l.call(ctx, "DeleteScheduledQuery", &api.DeleteScheduledQueryInput{Identifier: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readScheduledQueryResource(ctx context.Context, id service.Identifier) (*scheduledQueryProperties, service.Resource, error) {
	out, err := ask[api.GetScheduledQueryOutput](ctx, l, "GetScheduledQuery", &api.GetScheduledQueryInput{Identifier: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := ask[api.ListTagsForResourceOutput](ctx, l, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[scheduledQueryProperties](out, tags), scheduledQueryResource(out), nil
}

func (l *Logs) listScheduledQueryResources(ctx context.Context, _ *scheduledQueryProperties, next string) (service.Page, error) {
	out, err := ask[api.ListScheduledQueriesOutput](ctx, l, "ListScheduledQueries", &api.ListScheduledQueriesInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.ScheduledQueries, out.NextToken, func(q *api.ScheduledQuerySummary) service.Identifier {
		return service.Identifier{opt.Value(q.ScheduledQueryArn)}
	}), nil
}

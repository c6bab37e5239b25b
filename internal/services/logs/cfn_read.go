package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func ask[Out any](ctx context.Context, l *Logs, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, l.deps.Door, "logs", operation, in)
}

func (l *Logs) readGroupResource(ctx context.Context, id service.Identifier) (*groupProperties, service.Resource, error) {
	out, err := ask[api.DescribeLogGroupsOutput](ctx, l, "DescribeLogGroups", &api.DescribeLogGroupsInput{LogGroupNamePrefix: &id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	// The first group with the prefix is the one that is the prefix, if it is there.
	if len(out.LogGroups) == 0 || opt.Value(out.LogGroups[0].LogGroupName) != id[0] {
		return nil, service.Resource{}, service.ErrGone
	}
	tags, err := ask[api.ListTagsForResourceOutput](ctx, l, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: groupARN(scopeOf(ctx), id[0])})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[groupProperties](out.LogGroups[0], tags)
	policy, err := ask[api.DescribeResourcePoliciesOutput](ctx, l, "DescribeResourcePolicies", &api.DescribeResourcePoliciesInput{ResourceArn: ptr(groupARN(scopeOf(ctx), id[0]))})
	if err == nil && len(policy.ResourcePolicies) > 0 {
		p.ResourcePolicyDocument = reshape.Document(*policy.ResourcePolicies[0].PolicyDocument)
	}
	return p, groupResource(ctx, id[0]), err
}

func (l *Logs) listGroupResources(ctx context.Context, _ *groupProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeLogGroupsOutput](ctx, l, "DescribeLogGroups", &api.DescribeLogGroupsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.LogGroups, out.NextToken, func(g *api.LogGroup) service.Identifier { return service.Identifier{opt.Value(g.LogGroupName)} }), nil
}

func (l *Logs) readStreamResource(ctx context.Context, id service.Identifier) (*streamProperties, service.Resource, error) {
	out, err := ask[api.DescribeLogStreamsOutput](ctx, l, "DescribeLogStreams", &api.DescribeLogStreamsInput{LogGroupName: &id[0], LogStreamNamePrefix: &id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if len(out.LogStreams) == 0 || opt.Value(out.LogStreams[0].LogStreamName) != id[1] {
		return nil, service.Resource{}, service.ErrGone
	}
	return &streamProperties{LogGroupName: id[0], LogStreamName: &id[1]}, service.Resource{PhysicalID: id[1]}, nil
}

func (l *Logs) listStreamResources(ctx context.Context, p *streamProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeLogStreamsOutput](ctx, l, "DescribeLogStreams", &api.DescribeLogStreamsInput{LogGroupName: &p.LogGroupName, NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.LogStreams, out.NextToken, func(s *api.LogStream) service.Identifier {
		return service.Identifier{p.LogGroupName, opt.Value(s.LogStreamName)}
	}), nil
}

package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// destinationProperties are the properties of AWS::Logs::Destination
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-destination.html).
type destinationProperties struct {
	DestinationName   string  `cfn:"DestinationName,required,createOnly"`
	TargetArn         string  `cfn:"TargetArn,required"`
	RoleArn           string  `cfn:"RoleArn,required"`
	DestinationPolicy *string `cfn:"DestinationPolicy"`
	Tags              []tag   `cfn:"Tags"`
}

func (l *Logs) destinationType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::Destination", service.ResourceSpec[destinationProperties]{
		Attributes: []string{"Arn"},
		Create: func(ctx context.Context, c service.ResourceCall, p *destinationProperties) (service.Resource, error) {
			return l.putDestinationResource(ctx, c, &destinationProperties{}, p)
		},
		Update: l.putDestinationResource, Delete: l.deleteDestinationResource,
		Identifier: []string{"DestinationName"}, Read: l.readDestinationResource, List: l.listDestinationResources, Missing: []string{"ResourceNotFoundException"},
	})
}

func (l *Logs) putDestinationResource(ctx context.Context, c service.ResourceCall, old, p *destinationProperties) (service.Resource, error) {
	if old.DestinationPolicy != nil && p.DestinationPolicy == nil { // a policy is taken away with the destination alone
		if err := l.call(ctx, "DeleteDestination", &api.DeleteDestinationInput{DestinationName: p.DestinationName}); err != nil {
			return service.Resource{}, err
		}
	}
	if err := l.call(ctx, "PutDestination", &api.PutDestinationInput{DestinationName: p.DestinationName, TargetArn: p.TargetArn, RoleArn: p.RoleArn}); err != nil {
		return service.Resource{}, err
	}
	if p.DestinationPolicy != nil {
		in := &api.PutDestinationPolicyInput{DestinationName: p.DestinationName, AccessPolicy: *p.DestinationPolicy, ForceUpdate: new(true)}
		if err := l.call(ctx, "PutDestinationPolicy", in); err != nil {
			return service.Resource{}, err
		}
	}
	arn := destinationARN(scopeOf(ctx), p.DestinationName)
	return service.Resource{PhysicalID: p.DestinationName, Attributes: map[string]any{"Arn": arn}}, l.setTags(ctx, arn, tagsOf(c, old.Tags), tagsOf(c, p.Tags))
}

func (l *Logs) deleteDestinationResource(ctx context.Context, c service.ResourceCall, _ *destinationProperties) error {
	return service.Unless(l.call(ctx, "DeleteDestination", &api.DeleteDestinationInput{DestinationName: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readDestinationResource(ctx context.Context, id service.Identifier) (*destinationProperties, service.Resource, error) {
	out, err := ask[api.DescribeDestinationsOutput](ctx, l, "DescribeDestinations", &api.DescribeDestinationsInput{DestinationNamePrefix: &id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	// The first one with the prefix is the one that is the prefix, if it is there.
	if len(out.Destinations) == 0 || opt.Value(out.Destinations[0].DestinationName) != id[0] {
		return nil, service.Resource{}, service.ErrGone
	}
	d := out.Destinations[0]
	tags, err := ask[api.ListTagsForResourceOutput](ctx, l, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: *d.Arn})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[destinationProperties](d, tags)
	p.DestinationPolicy = d.AccessPolicy
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": *d.Arn}}, nil
}

func (l *Logs) listDestinationResources(ctx context.Context, _ *destinationProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeDestinationsOutput](ctx, l, "DescribeDestinations", &api.DescribeDestinationsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Destinations, out.NextToken, func(d *api.Destination) service.Identifier { return service.Identifier{opt.Value(d.DestinationName)} }), nil
}

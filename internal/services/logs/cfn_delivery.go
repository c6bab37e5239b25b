package logs

import (
	"context"
	"encoding/json"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// deliverySourceProperties are the properties of AWS::Logs::DeliverySource
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-deliverysource.html).
type deliverySourceProperties struct {
	Name        string `cfn:"Name,required,createOnly"`
	ResourceArn string `cfn:"ResourceArn,required"`
	LogType     string `cfn:"LogType,required"`
	Tags        []tag  `cfn:"Tags"`
}

// deliveryDestinationProperties are the properties of AWS::Logs::DeliveryDestination
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-deliverydestination.html).
type deliveryDestinationProperties struct {
	Name                      string                    `cfn:"Name,required,createOnly"`
	DestinationResourceArn    string                    `cfn:"DestinationResourceArn,required,createOnly"`
	DeliveryDestinationType   *string                   `cfn:"DeliveryDestinationType,createOnly"`
	OutputFormat              *string                   `cfn:"OutputFormat,createOnly"`
	DeliveryDestinationPolicy *deliveryPolicyProperties `cfn:"DeliveryDestinationPolicy"`
	Tags                      []tag                     `cfn:"Tags"`
}

type deliveryPolicyProperties struct {
	DeliveryDestinationName   *string `cfn:"DeliveryDestinationName"`
	DeliveryDestinationPolicy any     `cfn:"DeliveryDestinationPolicy"`
}

// deliveryProperties are the properties of AWS::Logs::Delivery
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-delivery.html).
type deliveryProperties struct {
	DeliverySourceName         string   `cfn:"DeliverySourceName,required,createOnly"`
	DeliveryDestinationArn     string   `cfn:"DeliveryDestinationArn,required,createOnly"`
	RecordFields               []string `cfn:"RecordFields"`
	FieldDelimiter             *string  `cfn:"FieldDelimiter"`
	S3SuffixPath               *string  `cfn:"S3SuffixPath"`
	S3EnableHiveCompatiblePath *bool    `cfn:"S3EnableHiveCompatiblePath"`
	Tags                       []tag    `cfn:"Tags"`
}

func (l *Logs) deliveryTypes() []service.ResourceType {
	missing := []string{"ResourceNotFoundException"}
	return []service.ResourceType{
		service.NewResourceType("AWS::Logs::DeliverySource", service.ResourceSpec[deliverySourceProperties]{
			Attributes: []string{"Arn", "ResourceArns", "Service", "Status", "StatusReason"}, Changing: []string{"ResourceArns", "Status", "StatusReason"},
			Create: func(ctx context.Context, c service.ResourceCall, p *deliverySourceProperties) (service.Resource, error) {
				return l.putSourceResource(ctx, c, p, nil)
			},
			Update: func(ctx context.Context, c service.ResourceCall, old, p *deliverySourceProperties) (service.Resource, error) {
				return l.putSourceResource(ctx, c, p, old.Tags)
			},
			Delete: l.deleteSourceResource, Identifier: []string{"Name"}, Read: l.readSourceResource, List: l.listSourceResources, Missing: missing,
		}),
		service.NewResourceType("AWS::Logs::DeliveryDestination", service.ResourceSpec[deliveryDestinationProperties]{
			Attributes: []string{"Arn"},
			Create: func(ctx context.Context, c service.ResourceCall, p *deliveryDestinationProperties) (service.Resource, error) {
				return l.putDeliveryDestinationResource(ctx, c, &deliveryDestinationProperties{}, p)
			},
			Update: l.putDeliveryDestinationResource,
			Delete: l.deleteDeliveryDestinationResource, Identifier: []string{"Name"}, Read: l.readDeliveryDestinationResource, List: l.listDeliveryDestinationResources, Missing: missing,
		}),
		service.NewResourceType("AWS::Logs::Delivery", service.ResourceSpec[deliveryProperties]{
			Attributes: []string{"DeliveryId", "Arn", "DeliveryDestinationType"},
			Create:     l.createDeliveryResource, Update: l.updateDeliveryResource, Delete: l.deleteDeliveryResource,
			Identifier: []string{"DeliveryId"}, Read: l.readDeliveryResource, List: l.listDeliveryResources, Missing: missing,
		}),
	}
}

func sourceResource(d *api.DeliverySource) service.Resource {
	return service.Resource{PhysicalID: *d.Name, Attributes: map[string]any{
		"Arn": *d.Arn, "ResourceArns": d.ResourceArns, "Service": *d.Service, "Status": d.Status, "StatusReason": d.StatusReason,
	}}
}

func (l *Logs) putSourceResource(ctx context.Context, c service.ResourceCall, p *deliverySourceProperties, old []tag) (service.Resource, error) {
	in := reshape.To[api.PutDeliverySourceInput](p)
	in.Tags = tagsOf(c, p.Tags)
	out, err := ask[api.PutDeliverySourceOutput](ctx, l, "PutDeliverySource", in)
	if err != nil {
		return service.Resource{}, err
	}
	return sourceResource(out.DeliverySource), l.setTags(ctx, *out.DeliverySource.Arn, tagsOf(c, old), in.Tags)
}

func (l *Logs) deleteSourceResource(ctx context.Context, c service.ResourceCall, _ *deliverySourceProperties) error {
	return service.Unless(l.call(ctx, "DeleteDeliverySource", &api.DeleteDeliverySourceInput{Name: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readSourceResource(ctx context.Context, id service.Identifier) (*deliverySourceProperties, service.Resource, error) {
	out, err := ask[api.GetDeliverySourceOutput](ctx, l, "GetDeliverySource", &api.GetDeliverySourceInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[deliverySourceProperties](out.DeliverySource)
	p.ResourceArn = out.DeliverySource.ResourceArns[0]
	return p, sourceResource(out.DeliverySource), nil
}

func (l *Logs) listSourceResources(ctx context.Context, _ *deliverySourceProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeDeliverySourcesOutput](ctx, l, "DescribeDeliverySources", &api.DescribeDeliverySourcesInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.DeliverySources, out.NextToken, func(d *api.DeliverySource) service.Identifier { return service.Identifier{*d.Name} }), nil
}

func (l *Logs) putDeliveryDestinationResource(ctx context.Context, c service.ResourceCall, old, p *deliveryDestinationProperties) (service.Resource, error) {
	in := reshape.To[api.PutDeliveryDestinationInput](p)
	in.Tags = tagsOf(c, p.Tags)
	in.DeliveryDestinationConfiguration = &api.DeliveryDestinationConfiguration{DestinationResourceArn: p.DestinationResourceArn}
	out, err := ask[api.PutDeliveryDestinationOutput](ctx, l, "PutDeliveryDestination", in)
	if err != nil {
		return service.Resource{}, err
	}
	r := service.Resource{PhysicalID: p.Name, Attributes: map[string]any{"Arn": *out.DeliveryDestination.Arn}}
	if err := l.setDeliveryPolicy(ctx, old, p); err != nil {
		return r, err
	}
	return r, l.setTags(ctx, *out.DeliveryDestination.Arn, tagsOf(c, old.Tags), in.Tags)
}

// setDeliveryPolicy makes the policy of a destination the one that a template wants.
func (l *Logs) setDeliveryPolicy(ctx context.Context, old, p *deliveryDestinationProperties) error {
	if p.DeliveryDestinationPolicy == nil || p.DeliveryDestinationPolicy.DeliveryDestinationPolicy == nil {
		if old.DeliveryDestinationPolicy == nil {
			return nil
		}
		return service.Unless(l.call(ctx, "DeleteDeliveryDestinationPolicy", &api.DeleteDeliveryDestinationPolicyInput{DeliveryDestinationName: p.Name}), "ResourceNotFoundException")
	}
	document, err := policyText(p.DeliveryDestinationPolicy.DeliveryDestinationPolicy)
	if err != nil {
		return err
	}
	return l.call(ctx, "PutDeliveryDestinationPolicy", &api.PutDeliveryDestinationPolicyInput{DeliveryDestinationName: p.Name, DeliveryDestinationPolicy: document})
}

// policyText is a policy of a template, which is an object or a text, as operations take it; "" is none.
func policyText(document any) (string, error) {
	switch d := document.(type) {
	case nil:
		return "", nil
	case string:
		return d, nil
	}
	b, err := json.Marshal(document)
	return string(b), err
}

func (l *Logs) deleteDeliveryDestinationResource(ctx context.Context, c service.ResourceCall, _ *deliveryDestinationProperties) error {
	return service.Unless(l.call(ctx, "DeleteDeliveryDestination", &api.DeleteDeliveryDestinationInput{Name: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readDeliveryDestinationResource(ctx context.Context, id service.Identifier) (*deliveryDestinationProperties, service.Resource, error) {
	out, err := ask[api.GetDeliveryDestinationOutput](ctx, l, "GetDeliveryDestination", &api.GetDeliveryDestinationInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	d := out.DeliveryDestination
	p := reshape.To[deliveryDestinationProperties](d)
	p.DestinationResourceArn = d.DeliveryDestinationConfiguration.DestinationResourceArn
	policy, err := ask[api.GetDeliveryDestinationPolicyOutput](ctx, l, "GetDeliveryDestinationPolicy", &api.GetDeliveryDestinationPolicyInput{DeliveryDestinationName: id[0]})
	if err == nil {
		p.DeliveryDestinationPolicy = &deliveryPolicyProperties{&id[0], reshape.Document(opt.Value(policy.Policy.DeliveryDestinationPolicy))}
	}
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": *d.Arn}}, service.Unless(err, "ResourceNotFoundException")
}

func (l *Logs) listDeliveryDestinationResources(ctx context.Context, _ *deliveryDestinationProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeDeliveryDestinationsOutput](ctx, l, "DescribeDeliveryDestinations", &api.DescribeDeliveryDestinationsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.DeliveryDestinations, out.NextToken, func(d *api.DeliveryDestination) service.Identifier { return service.Identifier{*d.Name} }), nil
}

func deliveryResource(d *api.Delivery) service.Resource {
	return service.Resource{PhysicalID: *d.Id, Attributes: map[string]any{"DeliveryId": *d.Id, "Arn": *d.Arn, "DeliveryDestinationType": d.DeliveryDestinationType}}
}

// objects is what the properties say of objects; nil when they say nothing.
func (p *deliveryProperties) objects() *api.S3DeliveryConfiguration {
	if p.S3SuffixPath == nil && p.S3EnableHiveCompatiblePath == nil {
		return nil
	}
	return &api.S3DeliveryConfiguration{SuffixPath: p.S3SuffixPath, EnableHiveCompatiblePath: p.S3EnableHiveCompatiblePath}
}

func (l *Logs) createDeliveryResource(ctx context.Context, c service.ResourceCall, p *deliveryProperties) (service.Resource, error) {
	in := reshape.To[api.CreateDeliveryInput](p)
	in.S3DeliveryConfiguration, in.Tags = p.objects(), tagsOf(c, p.Tags)
	out, err := ask[api.CreateDeliveryOutput](ctx, l, "CreateDelivery", in)
	if err != nil {
		return service.Resource{}, err
	}
	return deliveryResource(out.Delivery), nil
}

func (l *Logs) updateDeliveryResource(ctx context.Context, c service.ResourceCall, old, p *deliveryProperties) (service.Resource, error) {
	in := &api.UpdateDeliveryConfigurationInput{Id: c.PhysicalID, RecordFields: p.RecordFields, FieldDelimiter: ptr(opt.Value(p.FieldDelimiter)), S3DeliveryConfiguration: p.objects()}
	if in.RecordFields == nil {
		in.RecordFields = []string{}
	}
	if in.S3DeliveryConfiguration == nil && old.objects() != nil {
		in.S3DeliveryConfiguration = &api.S3DeliveryConfiguration{}
	}
	if err := l.call(ctx, "UpdateDeliveryConfiguration", in); err != nil {
		return service.Resource{}, err
	}
	out, err := ask[api.GetDeliveryOutput](ctx, l, "GetDelivery", &api.GetDeliveryInput{Id: c.PhysicalID})
	if err != nil {
		return service.Resource{}, err
	}
	return deliveryResource(out.Delivery), l.setTags(ctx, *out.Delivery.Arn, tagsOf(c, old.Tags), tagsOf(c, p.Tags))
}

func (l *Logs) deleteDeliveryResource(ctx context.Context, c service.ResourceCall, _ *deliveryProperties) error {
	return service.Unless(l.call(ctx, "DeleteDelivery", &api.DeleteDeliveryInput{Id: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readDeliveryResource(ctx context.Context, id service.Identifier) (*deliveryProperties, service.Resource, error) {
	out, err := ask[api.GetDeliveryOutput](ctx, l, "GetDelivery", &api.GetDeliveryInput{Id: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[deliveryProperties](out.Delivery)
	if c := out.Delivery.S3DeliveryConfiguration; c != nil {
		p.S3SuffixPath, p.S3EnableHiveCompatiblePath = c.SuffixPath, c.EnableHiveCompatiblePath
	}
	return p, deliveryResource(out.Delivery), nil
}

func (l *Logs) listDeliveryResources(ctx context.Context, _ *deliveryProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeDeliveriesOutput](ctx, l, "DescribeDeliveries", &api.DescribeDeliveriesInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Deliveries, out.NextToken, func(d *api.Delivery) service.Identifier { return service.Identifier{*d.Id} }), nil
}

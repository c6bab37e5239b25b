package pipes

import (
	"context"
	"encoding/json"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// pipeProperties are the properties of AWS::Pipes::Pipe
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-pipes-pipe.html). The parameters have the members that the API's have.
type pipeProperties struct {
	Name                 *string           `cfn:"Name,createOnly"`
	Description          *string           `cfn:"Description"`
	DesiredState         *string           `cfn:"DesiredState"`
	Source               string            `cfn:"Source,required,createOnly"`
	SourceParameters     any               `cfn:"SourceParameters,writeOnly"`
	Enrichment           *string           `cfn:"Enrichment"`
	EnrichmentParameters any               `cfn:"EnrichmentParameters"`
	Target               string            `cfn:"Target,required"`
	TargetParameters     any               `cfn:"TargetParameters,writeOnly"`
	RoleArn              string            `cfn:"RoleArn,required"`
	LogConfiguration     any               `cfn:"LogConfiguration"`
	KmsKeyIdentifier     *string           `cfn:"KmsKeyIdentifier"`
	Tags                 map[string]string `cfn:"Tags"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::Pipes::Pipe", service.ResourceSpec[pipeProperties]{
			Attributes: []string{"Arn", "CreationTime", "CurrentState", "LastModifiedTime", "StateReason"},
			Create:     s.createPipeResource, Update: s.updatePipeResource, Delete: s.deletePipeResource,
			Identifier: []string{"Name"}, Read: s.readPipeResource, Missing: []string{codeNotFound},
			List: service.Pages(s.deps.Door, "pipes", "ListPipes", func(_ *pipeProperties, next *string) any { return &api.ListPipesInput{NextToken: next} },
				func(o *api.ListPipesOutput) ([]api.Pipe, *string) { return o.Pipes, o.NextToken },
				func(_ *pipeProperties, v *api.Pipe) service.Identifier { return service.Identifier{opt.Value(v.Name)} }),
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "pipes", operation, in)
}

// parameters reads a property that has the form of the API's structure T.
func parameters[T any](name string, v any) (*T, error) {
	if v == nil {
		return nil, nil //nolint:nilnil // what is not given stays so
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(b, out); err != nil {
		return nil, invalid("%s is not what it must be: %s", name, err)
	}
	return out, nil
}

// wanted returns the call that makes a pipe as a template says.
func (p *pipeProperties) wanted(c service.ResourceCall, name string) (*api.CreatePipeInput, error) {
	source, err := parameters[api.PipeSourceParameters]("SourceParameters", p.SourceParameters)
	if err != nil {
		return nil, err
	}
	enrichment, err := parameters[api.PipeEnrichmentParameters]("EnrichmentParameters", p.EnrichmentParameters)
	if err != nil {
		return nil, err
	}
	target, err := parameters[api.PipeTargetParameters]("TargetParameters", p.TargetParameters)
	if err != nil {
		return nil, err
	}
	log, err := parameters[api.PipeLogConfigurationParameters]("LogConfiguration", p.LogConfiguration)
	return &api.CreatePipeInput{
		Name: name, Description: p.Description, DesiredState: opt.Value(p.DesiredState), Source: p.Source, SourceParameters: source, Enrichment: p.Enrichment, EnrichmentParameters: enrichment,
		Target: p.Target, TargetParameters: target, RoleArn: p.RoleArn, Tags: p.tags(c), LogConfiguration: log, KmsKeyIdentifier: p.KmsKeyIdentifier,
	}, err
}

// tags returns the tags of a pipe, those of its stack and its own; nil for none.
func (p *pipeProperties) tags(c service.ResourceCall) map[string]string {
	out := c.UserTags(nil)
	if maps.Copy(out, p.Tags); len(out) == 0 {
		return nil
	}
	return out
}

func (s *Service) createPipeResource(ctx context.Context, c service.ResourceCall, p *pipeProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	in, err := p.wanted(c, name)
	if err != nil {
		return service.Resource{}, err
	}
	if _, err := call[api.CreatePipeOutput](ctx, s, "CreatePipe", in); err != nil && (!c.Retry || service.Code(err) != codeConflict) {
		return service.Resource{}, err
	}
	return s.pipeResource(ctx, name)
}

func (s *Service) pipeResource(ctx context.Context, name string) (service.Resource, error) {
	d, err := call[api.DescribePipeOutput](ctx, s, "DescribePipe", &api.DescribePipeInput{Name: name})
	if err != nil {
		return service.Resource{}, err
	}
	const layout = "2006-01-02T15:04:05Z"
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Arn": *d.Arn, "CurrentState": d.CurrentState, "CreationTime": d.CreationTime.Format(layout), "LastModifiedTime": d.LastModifiedTime.Format(layout), "StateReason": opt.Value(d.StateReason),
	}}, nil
}

func (s *Service) updatePipeResource(ctx context.Context, c service.ResourceCall, old, p *pipeProperties) (service.Resource, error) {
	want, err := p.wanted(c, c.PhysicalID)
	if err != nil {
		return service.Resource{}, err
	}
	source, err := parameters[api.UpdatePipeSourceParameters]("SourceParameters", p.SourceParameters)
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.UpdatePipeInput{
		Name: c.PhysicalID, Description: new(opt.Value(p.Description)), DesiredState: want.DesiredState, SourceParameters: source, Enrichment: new(opt.Value(p.Enrichment)),
		EnrichmentParameters: want.EnrichmentParameters, Target: &p.Target, TargetParameters: want.TargetParameters, RoleArn: p.RoleArn, LogConfiguration: want.LogConfiguration,
		KmsKeyIdentifier: p.KmsKeyIdentifier,
	}
	if in.DesiredState == "" {
		in.DesiredState = running
	}
	if in.EnrichmentParameters == nil {
		in.EnrichmentParameters = &api.PipeEnrichmentParameters{}
	}
	if in.TargetParameters == nil {
		in.TargetParameters = &api.PipeTargetParameters{}
	}
	if _, err := call[api.UpdatePipeOutput](ctx, s, "UpdatePipe", in); err != nil {
		return service.Resource{}, err
	}
	arn := placeOf(ctx).arn(c.PhysicalID)
	err = service.Retag(old.tags(c), p.tags(c), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tags})
		return err
	})
	if err != nil {
		return service.Resource{}, err
	}
	return s.pipeResource(ctx, c.PhysicalID)
}

func (s *Service) deletePipeResource(ctx context.Context, c service.ResourceCall, _ *pipeProperties) error {
	_, err := call[api.DeletePipeOutput](ctx, s, "DeletePipe", &api.DeletePipeInput{Name: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}

package ec2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
)

// resources are the CloudFormation types of the service
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html).
func (s *Service) resources() []service.ResourceType {
	return slices.Concat(s.networkTypes(), s.routeTypes(), s.gatewayTypes(), s.groupTypes(), s.aclTypes(), s.endpointTypes(), s.addressTypes(), s.otherTypes())
}

// make calls a creating operation in a way that makes one thing however often the step of a deploy is tried.
func create[Out any](ctx context.Context, s *Service, c service.ResourceCall, operation string, in any) (*Out, error) {
	return service.Call[Out](service.WithCreateToken(ctx, c.Token), s.deps.Door, "ec2", operation, in)
}

func invoke[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "ec2", operation, in)
}

// tagsFor is the tag specification of what a stack makes. Types that came to CloudFormation late do not show the tags of AWS itself.
func tagsFor(kind string, tags map[string]string) []api.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	return []api.TagSpecification{{ResourceType: kind, Tags: tagList(tags)}}
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for k, v := range tags {
		out = append(out, api.Tag{Key: &k, Value: &v})
	}
	order.Sort(out, func(a, b api.Tag) int {
		if *a.Key < *b.Key {
			return -1
		}
		return 1
	})
	return out
}

// retag brings the tags of an object from those of a template to those of another.
func (s *Service) retag(ctx context.Context, c service.ResourceCall, id string, old, tags map[string]string) error {
	ctx = service.WithCreateToken(ctx, c.Token)
	return service.Retag(old, tags, func(keys []string) error {
		var gone []api.Tag
		for _, k := range keys {
			gone = append(gone, api.Tag{Key: &k})
		}
		_, err := invoke[api.DeleteTagsOutput](ctx, s, "DeleteTags", &api.DeleteTagsInput{Resources: []string{id}, Tags: gone})
		return err
	}, func(tags map[string]string) error {
		_, err := invoke[api.CreateTagsOutput](ctx, s, "CreateTags", &api.CreateTagsInput{Resources: []string{id}, Tags: tagList(tags)})
		return err
	})
}

// remove calls an operation that deletes what a stack made. What is gone already is no error.
func remove[Out any](ctx context.Context, s *Service, operation string, in any, gone ...string) error {
	_, err := invoke[Out](ctx, s, operation, in)
	return service.Unless(err, gone...)
}

// identified is a resource that is known by its id alone, which is an attribute too.
func identified(id, attribute string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{attribute: id}}
}

// onlyTags is the update of a type of which nothing but the tags can change.
func onlyTags[P any](s *Service, tags func(p *P) []service.TagProperty, show func(ctx context.Context, c service.ResourceCall, p *P) (service.Resource, error)) func(ctx context.Context, c service.ResourceCall, old, p *P) (service.Resource, error) {
	return func(ctx context.Context, c service.ResourceCall, old, p *P) (service.Resource, error) {
		if err := s.retag(ctx, c, c.PhysicalID, c.AllTags(tags(old)), c.AllTags(tags(p))); err != nil {
			return service.Resource{}, err
		}
		return show(ctx, c, p)
	}
}

// truth is a property that is on or off, as an attribute of a call; what a template does not have is its default.
func truth(p *bool, otherwise bool) *api.AttributeBooleanValue {
	if p == nil {
		p = &otherwise
	}
	return &api.AttributeBooleanValue{Value: p}
}

// strings as a list of attributes.
func anys(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

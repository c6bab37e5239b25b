package eventbridge

import (
	"context"
	"encoding/json"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// pages is the List of a type: all that a listing call answers, a page at a time.
func pages[P, Out, A any](s *Service, operation string, in func(p *P, next *string) any, out func(*Out) ([]A, *string), id func(p *P, item *A) service.Identifier) func(context.Context, *P, string) (service.Page, error) {
	return service.Pages(s.deps.Door, "events", operation, in, out, id)
}

// tagsOf returns the tags of a resource.
func (s *Service) tagsOf(ctx context.Context, arn string) (*api.ListTagsForResourceOutput, error) {
	return call[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: arn})
}

func (s *Service) readBusResource(ctx context.Context, id service.Identifier) (*busProperties, service.Resource, error) {
	b, err := call[api.DescribeEventBusOutput](ctx, s, "DescribeEventBus", &api.DescribeEventBusInput{Name: &id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := s.tagsOf(ctx, *b.Arn)
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[busProperties](b, tags), service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": *b.Arn, "Name": id[0], "Policy": opt.Value(b.Policy)}}, nil
}

// statement returns the statement of a bus's policy that has an id, without that.
func (s *Service) statement(ctx context.Context, bus, sid string) (map[string]any, error) {
	b, err := call[api.DescribeEventBusOutput](ctx, s, "DescribeEventBus", &api.DescribeEventBusInput{Name: &bus})
	if err != nil {
		return nil, err
	}
	var doc struct{ Statement []map[string]any }
	if b.Policy != nil {
		if err := json.Unmarshal([]byte(*b.Policy), &doc); err != nil {
			return nil, err
		}
	}
	for _, st := range doc.Statement {
		if st["Sid"] == sid {
			delete(st, "Sid")
			return st, nil
		}
	}
	return nil, service.ErrGone
}

func (s *Service) readPolicyResource(ctx context.Context, id service.Identifier) (*busPolicyProperties, service.Resource, error) {
	st, err := s.statement(ctx, id[0], id[1])
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &busPolicyProperties{EventBusName: &id[0], StatementID: id[1], Statement: st}, service.Resource{PhysicalID: id.String()}, nil
}

// rereadPolicyResource reads a statement, and shows its id where the stack wrote it.
func (s *Service) rereadPolicyResource(ctx context.Context, c service.ResourceCall, recorded *busPolicyProperties) (*busPolicyProperties, error) {
	bus, sid, _ := strings.Cut(c.PhysicalID, "|")
	p, _, err := s.readPolicyResource(ctx, service.Identifier{bus, sid})
	if err != nil {
		return nil, err
	}
	if was, ok := recorded.Statement.(map[string]any); ok && was["Sid"] != nil {
		p.Statement.(map[string]any)["Sid"] = was["Sid"]
	}
	return p, nil
}

// readRuleResource reads a rule by its ARN, in which the name of the bus stands before that of the rule unless it is the default bus.
func (s *Service) readRuleResource(ctx context.Context, id service.Identifier) (*ruleProperties, service.Resource, error) {
	a, err := arn.Parse(id[0])
	name, ok := strings.CutPrefix(a.Resource, "rule/")
	if err != nil || !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	physical, bus := name, defaultBus
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		bus, name = name[:at], name[at+1:]
		physical = bus + "|" + name
	}
	r, err := call[api.DescribeRuleOutput](ctx, s, "DescribeRule", &api.DescribeRuleInput{Name: name, EventBusName: &bus})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := s.tagsOf(ctx, id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[ruleProperties](r, tags)
	in := &api.ListTargetsByRuleInput{Rule: name, EventBusName: &bus}
	for {
		out, err := call[api.ListTargetsByRuleOutput](ctx, s, "ListTargetsByRule", in)
		if err != nil {
			return nil, service.Resource{}, err
		}
		for i := range out.Targets {
			p.Targets = append(p.Targets, *reshape.To[targetProperty](out.Targets[i]))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return p, service.Resource{PhysicalID: physical, Attributes: map[string]any{"Arn": id[0]}}, nil
		}
	}
}

func (s *Service) readArchiveResource(ctx context.Context, id service.Identifier) (*archiveProperties, service.Resource, error) {
	a, err := call[api.DescribeArchiveOutput](ctx, s, "DescribeArchive", &api.DescribeArchiveInput{ArchiveName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[archiveProperties](a)
	p.SourceArn = opt.Value(a.EventSourceArn)
	return p, archiveResource(ctx, id[0]), nil
}

func (s *Service) readEndpointResource(ctx context.Context, id service.Identifier) (*endpointProperties, service.Resource, error) {
	e, err := call[api.DescribeEndpointOutput](ctx, s, "DescribeEndpoint", &api.DescribeEndpointInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.endpointResource(ctx, id[0])
	return reshape.To[endpointProperties](e), r, err
}

func (s *Service) readConnectionResource(ctx context.Context, id service.Identifier) (*connectionProperties, service.Resource, error) {
	c, err := call[api.DescribeConnectionOutput](ctx, s, "DescribeConnection", &api.DescribeConnectionInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.connectionResource(ctx, id[0])
	return reshape.To[connectionProperties](c), r, err
}

func (s *Service) readDestinationResource(ctx context.Context, id service.Identifier) (*destinationProperties, service.Resource, error) {
	d, err := call[api.DescribeApiDestinationOutput](ctx, s, "DescribeApiDestination", &api.DescribeApiDestinationInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.destinationResource(ctx, id[0])
	return reshape.To[destinationProperties](d), r, err
}

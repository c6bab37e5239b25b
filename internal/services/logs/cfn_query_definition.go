package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

// queryDefinitionProperties are the properties of AWS::Logs::QueryDefinition
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html).
type queryDefinitionProperties struct {
	Name          string                     `cfn:"Name,required"`
	QueryString   string                     `cfn:"QueryString,required"`
	QueryLanguage *string                    `cfn:"QueryLanguage"`
	LogGroupNames []string                   `cfn:"LogGroupNames"`
	Parameters    []queryParameterProperties `cfn:"Parameters"`
}

type queryParameterProperties struct {
	Name         string  `cfn:"Name,required"`
	DefaultValue *string `cfn:"DefaultValue"`
	Description  *string `cfn:"Description"`
}

func (l *Logs) queryDefinitionType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::QueryDefinition", service.ResourceSpec[queryDefinitionProperties]{
		Attributes: []string{"QueryDefinitionId"},
		Create: func(ctx context.Context, c service.ResourceCall, p *queryDefinitionProperties) (service.Resource, error) {
			return l.putQueryDefinitionResource(ctx, c, p)
		},
		Update: func(ctx context.Context, c service.ResourceCall, _, p *queryDefinitionProperties) (service.Resource, error) {
			return l.putQueryDefinitionResource(ctx, c, p)
		},
		Delete:     l.deleteQueryDefinitionResource,
		Identifier: []string{"QueryDefinitionId"}, Read: l.readQueryDefinitionResource, List: l.listQueryDefinitionResources, Missing: []string{"ResourceNotFoundException"},
	})
}

func (l *Logs) putQueryDefinitionResource(ctx context.Context, c service.ResourceCall, p *queryDefinitionProperties) (service.Resource, error) {
	in := reshape.To[api.PutQueryDefinitionInput](p)
	if in.QueryDefinitionId = opt.Of(c.PhysicalID); c.PhysicalID == "" {
		in.ClientToken = ptr(uuid.Of(c.Token))
	}
	out, err := ask[api.PutQueryDefinitionOutput](ctx, l, "PutQueryDefinition", in)
	if err != nil {
		return service.Resource{}, err
	}
	return queryDefinitionResource(*out.QueryDefinitionId), nil
}

func queryDefinitionResource(id string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"QueryDefinitionId": id}}
}

func (l *Logs) deleteQueryDefinitionResource(ctx context.Context, c service.ResourceCall, _ *queryDefinitionProperties) error {
	return service.Unless(l.call(ctx, "DeleteQueryDefinition", &api.DeleteQueryDefinitionInput{QueryDefinitionId: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readQueryDefinitionResource(ctx context.Context, id service.Identifier) (*queryDefinitionProperties, service.Resource, error) {
	in := &api.DescribeQueryDefinitionsInput{}
	for {
		out, err := ask[api.DescribeQueryDefinitionsOutput](ctx, l, "DescribeQueryDefinitions", in)
		if err != nil {
			return nil, service.Resource{}, err
		}
		for _, d := range out.QueryDefinitions {
			if *d.QueryDefinitionId == id[0] {
				return reshape.To[queryDefinitionProperties](d), queryDefinitionResource(id[0]), nil
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil, service.Resource{}, service.ErrGone
		}
	}
}

func (l *Logs) listQueryDefinitionResources(ctx context.Context, _ *queryDefinitionProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeQueryDefinitionsOutput](ctx, l, "DescribeQueryDefinitions", &api.DescribeQueryDefinitionsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.QueryDefinitions, out.NextToken, func(d *api.QueryDefinition) service.Identifier {
		return service.Identifier{opt.Value(d.QueryDefinitionId)}
	}), nil
}

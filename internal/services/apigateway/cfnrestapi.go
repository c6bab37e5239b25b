package apigateway

import (
	"context"
	"io"
	"maps"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

// endpointProperties are an EndpointConfiguration.
type endpointProperties struct {
	Types          []string `cfn:"Types"`
	VpcEndpointIds []string `cfn:"VpcEndpointIds,unordered"`
	IpAddressType  *string  `cfn:"IpAddressType"`
}

func (p *endpointProperties) configuration() *aws.EndpointConfiguration {
	if p == nil {
		return nil
	}
	return &aws.EndpointConfiguration{Types: p.Types, VpcEndpointIds: p.VpcEndpointIds, IpAddressType: text(p.IpAddressType)}
}

type bodyLocation struct {
	Bucket  string  `cfn:"Bucket,required"`
	Key     string  `cfn:"Key,required"`
	Version *string `cfn:"Version"`
	ETag    *string `cfn:"ETag"`
}

// restAPIProperties are those of AWS::ApiGateway::RestApi.
type restAPIProperties struct {
	ApiKeySourceType          *string               `cfn:"ApiKeySourceType"`
	BinaryMediaTypes          []string              `cfn:"BinaryMediaTypes,unordered"`
	Body                      any                   `cfn:"Body,writeOnly"`
	BodyS3Location            *bodyLocation         `cfn:"BodyS3Location,writeOnly"`
	CloneFrom                 *string               `cfn:"CloneFrom,writeOnly"`
	Description               *string               `cfn:"Description"`
	DisableExecuteApiEndpoint *bool                 `cfn:"DisableExecuteApiEndpoint"`
	EndpointAccessMode        *string               `cfn:"EndpointAccessMode"`
	EndpointConfiguration     *endpointProperties   `cfn:"EndpointConfiguration"`
	FailOnWarnings            *bool                 `cfn:"FailOnWarnings,writeOnly"`
	MinimumCompressionSize    *int32                `cfn:"MinimumCompressionSize"`
	Mode                      *string               `cfn:"Mode,writeOnly"`
	Name                      *string               `cfn:"Name"`
	Parameters                map[string]string     `cfn:"Parameters,writeOnly"`
	Policy                    any                   `cfn:"Policy"`
	SecurityPolicy            *string               `cfn:"SecurityPolicy"`
	Tags                      []service.TagProperty `cfn:"Tags"`
}

// body returns the OpenAPI document of an API, or nil.
func (g *Gateway) body(ctx context.Context, p *restAPIProperties) ([]byte, error) {
	if l := p.BodyS3Location; l != nil {
		r, size, err := g.options.Objects.OpenObject(ctx, l.Bucket, l.Key, text(l.Version))
		if err != nil {
			return nil, err
		}
		defer r.Close() //nolint:errcheck // it was read
		if size > maxDocument {
			return nil, badRequest("The document s3://%s/%s is %d bytes long; at most %d are read.", l.Bucket, l.Key, size, maxDocument)
		}
		return io.ReadAll(r)
	}
	if p.Body == nil {
		return nil, nil
	}
	document, err := service.Document(p.Body)
	return []byte(document), err
}

// maxDocument bounds an OpenAPI document, in bytes.
const maxDocument = 6 << 20

// parameters returns the parameters of an import.
func (p *restAPIProperties) parameters() map[string]string {
	parameters := maps.Clone(p.Parameters)
	if p.EndpointConfiguration == nil || len(p.EndpointConfiguration.Types) == 0 {
		return parameters
	}
	if parameters == nil {
		parameters = map[string]string{}
	}
	if _, ok := parameters["endpointConfigurationTypes"]; !ok {
		parameters["endpointConfigurationTypes"] = p.EndpointConfiguration.Types[0]
	}
	return parameters
}

// made returns the API that an earlier try of the same step made, which has the stack's tags, or nil.
func (g *Gateway) made(ctx context.Context, c service.ResourceCall) (*aws.RestApi, error) {
	if !c.Retry {
		return nil, nil
	}
	var position *string
	for {
		out, err := call[aws.GetRestApisOutput](ctx, g, "GetRestApis", &aws.GetRestApisInput{Position: position, Limit: ptr(int32(maxPage))})
		if err != nil {
			return nil, err
		}
		for i := range out.Items {
			if t := out.Items[i].Tags; t["aws:cloudformation:stack-id"] == c.StackID && t["aws:cloudformation:logical-id"] == c.LogicalID {
				return &out.Items[i], nil
			}
		}
		if position = out.Position; position == nil {
			return nil, nil
		}
	}
}

func (g *Gateway) createRestAPIResource(ctx context.Context, c service.ResourceCall, p *restAPIProperties) (service.Resource, error) {
	made, err := g.made(ctx, c)
	if err != nil {
		return service.Resource{}, err
	}
	body, err := g.body(ctx, p)
	if err != nil {
		return service.Resource{}, err
	}
	switch {
	case made != nil:
		err = g.overlay(ctx, *made.Id, p, body)
	case body != nil && text(p.Name) != "": // the document need not have a title
		if made, err = g.createPlain(ctx, c, p); err == nil {
			err = g.overlay(ctx, *made.Id, p, body)
		}
	case body != nil:
		if made, err = call[aws.ImportRestApiOutput](ctx, g, "ImportRestApi", &aws.ImportRestApiInput{Body: body, Parameters: p.parameters(), FailOnWarnings: p.FailOnWarnings}); err != nil {
			return service.Resource{}, err
		}
		if err = g.retag(ctx, service.ResourceCall{}, "restapis/"+*made.Id, nil, tagList(c.AllTags(p.Tags))); err == nil {
			err = g.overlay(ctx, *made.Id, p, nil)
		}
	default:
		if made, err = g.createPlain(ctx, c, p); err != nil {
			return service.Resource{}, err
		}
	}
	if err != nil {
		return service.Resource{}, err
	}
	return restAPIResource(made), nil
}

// tagList returns tags as the property of a resource type has them.
func tagList(tags map[string]string) []service.TagProperty {
	out := make([]service.TagProperty, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		out = append(out, service.TagProperty{Key: k, Value: tags[k]})
	}
	return out
}

// createPlain makes an API without a document.
func (g *Gateway) createPlain(ctx context.Context, c service.ResourceCall, p *restAPIProperties) (*aws.RestApi, error) {
	if text(p.Name) == "" {
		return nil, badRequest("AWS::ApiGateway::RestApi needs a Name, or a Body that has one.")
	}
	policy, err := service.Document(p.Policy)
	if err != nil {
		return nil, err
	}
	return call[aws.CreateRestApiOutput](ctx, g, "CreateRestApi", &aws.CreateRestApiInput{
		Name: *p.Name, Description: optional(text(p.Description)), CloneFrom: p.CloneFrom, BinaryMediaTypes: p.BinaryMediaTypes, MinimumCompressionSize: p.MinimumCompressionSize,
		ApiKeySource: text(p.ApiKeySourceType), EndpointConfiguration: p.EndpointConfiguration.configuration(), Policy: optional(policy), Tags: c.AllTags(p.Tags),
		DisableExecuteApiEndpoint: p.DisableExecuteApiEndpoint, SecurityPolicy: text(p.SecurityPolicy), EndpointAccessMode: text(p.EndpointAccessMode),
	})
}

func restAPIResource(a *aws.RestApi) service.Resource {
	return service.Resource{PhysicalID: *a.Id, Attributes: map[string]any{"RootResourceId": text(a.RootResourceId), "RestApiId": *a.Id}}
}

// overlay brings an API to its properties: its document, and what stands beside it.
func (g *Gateway) overlay(ctx context.Context, id string, p *restAPIProperties, body []byte) error {
	if body != nil {
		mode := text(p.Mode)
		if mode == "" {
			mode = aws.PutModeOverwrite
		}
		in := &aws.PutRestApiInput{RestApiId: id, Body: body, Mode: mode, Parameters: p.parameters(), FailOnWarnings: p.FailOnWarnings}
		if _, err := call[aws.PutRestApiOutput](ctx, g, "PutRestApi", in); err != nil {
			return err
		}
	}
	now, err := call[aws.GetRestApiOutput](ctx, g, "GetRestApi", &aws.GetRestApiInput{RestApiId: id})
	if err != nil {
		return err
	}
	policy, err := service.Document(p.Policy)
	if err != nil {
		return err
	}
	var e edits
	for path, value := range map[string][2]*string{
		"/name": {now.Name, p.Name}, "/description": {now.Description, p.Description}, "/apiKeySource": {&now.ApiKeySource, p.ApiKeySourceType},
		"/disableExecuteApiEndpoint": {boolText(now.DisableExecuteApiEndpoint), boolText(p.DisableExecuteApiEndpoint)}, "/policy": {now.Policy, optional(policy)},
		"/minimumCompressionSize": {intText(now.MinimumCompressionSize), intText(p.MinimumCompressionSize)},
		"/securityPolicy":         {&now.SecurityPolicy, p.SecurityPolicy}, "/endpointAccessMode": {&now.EndpointAccessMode, p.EndpointAccessMode},
	} {
		if value[1] != nil {
			e.set(path, value[0], value[1])
		}
	}
	if c := p.EndpointConfiguration; c != nil && len(c.Types) == 1 {
		e.set("/endpointConfiguration/types/0", ptr(now.EndpointConfiguration.Types[0]), ptr(c.Types[0]))
		e.list("/endpointConfiguration/vpcEndpointIds", now.EndpointConfiguration.VpcEndpointIds, c.VpcEndpointIds)
	}
	if p.BinaryMediaTypes != nil {
		for _, m := range p.BinaryMediaTypes {
			e.add("add", "/binaryMediaTypes/"+patch.Escape(m), nil)
		}
	}
	if len(e) == 0 {
		return nil
	}
	_, err = call[aws.UpdateRestApiOutput](ctx, g, "UpdateRestApi", &aws.UpdateRestApiInput{RestApiId: id, PatchOperations: e})
	return err
}

func (g *Gateway) updateRestAPIResource(ctx context.Context, c service.ResourceCall, old, p *restAPIProperties) (service.Resource, error) {
	body, err := g.body(ctx, p)
	if err != nil {
		return service.Resource{}, err
	}
	if err := g.forget(ctx, c.PhysicalID, old, p); err != nil {
		return service.Resource{}, err
	}
	if err := g.overlay(ctx, c.PhysicalID, p, body); err != nil {
		return service.Resource{}, err
	}
	if err := g.retag(ctx, c, "restapis/"+c.PhysicalID, old.Tags, p.Tags); err != nil {
		return service.Resource{}, err
	}
	a, err := call[aws.GetRestApiOutput](ctx, g, "GetRestApi", &aws.GetRestApiInput{RestApiId: c.PhysicalID})
	if err != nil {
		return service.Resource{}, err
	}
	return restAPIResource(a), nil
}

// forget takes back what old properties had and new ones do not have any more.
func (g *Gateway) forget(ctx context.Context, id string, old, p *restAPIProperties) error {
	var e edits
	if old.Description != nil && p.Description == nil {
		e.add("remove", "/description", nil)
	}
	if old.Policy != nil && p.Policy == nil {
		e.add("remove", "/policy", nil)
	}
	if old.MinimumCompressionSize != nil && p.MinimumCompressionSize == nil {
		e.add("replace", "/minimumCompressionSize", nil)
	}
	want := map[string]bool{}
	for _, m := range p.BinaryMediaTypes {
		want[m] = true
	}
	for _, m := range old.BinaryMediaTypes {
		if !want[m] {
			e.add("remove", "/binaryMediaTypes/"+patch.Escape(m), nil)
		}
	}
	if len(e) == 0 {
		return nil
	}
	_, err := call[aws.UpdateRestApiOutput](ctx, g, "UpdateRestApi", &aws.UpdateRestApiInput{RestApiId: id, PatchOperations: e})
	return err
}

func (g *Gateway) deleteRestAPIResource(ctx context.Context, c service.ResourceCall, _ *restAPIProperties) error {
	return drop[aws.DeleteRestApiOutput](ctx, g, "DeleteRestApi", &aws.DeleteRestApiInput{RestApiId: c.PhysicalID})
}

// resourceProperties are those of AWS::ApiGateway::Resource.
type resourceProperties struct {
	ParentId  string `cfn:"ParentId,required,createOnly"`
	PathPart  string `cfn:"PathPart,required,createOnly"`
	RestApiId string `cfn:"RestApiId,required,createOnly"`
}

func (g *Gateway) createResourceResource(ctx context.Context, c service.ResourceCall, p *resourceProperties) (service.Resource, error) {
	out, err := call[aws.CreateResourceOutput](ctx, g, "CreateResource", &aws.CreateResourceInput{RestApiId: p.RestApiId, ParentId: p.ParentId, PathPart: p.PathPart})
	if err == nil {
		return withID(out.Id, "ResourceId"), nil
	}
	if !c.Retry || service.Code(err) != "ConflictException" {
		return service.Resource{}, err
	}
	all, failed := call[aws.GetResourcesOutput](ctx, g, "GetResources", &aws.GetResourcesInput{RestApiId: p.RestApiId, Limit: ptr(int32(maxPage))})
	if failed != nil {
		return service.Resource{}, failed
	}
	for i := range all.Items {
		if r := &all.Items[i]; text(r.ParentId) == p.ParentId && text(r.PathPart) == p.PathPart {
			return withID(r.Id, "ResourceId"), nil
		}
	}
	return service.Resource{}, err
}

func (g *Gateway) deleteResourceResource(ctx context.Context, c service.ResourceCall, p *resourceProperties) error {
	return drop[aws.DeleteResourceOutput](ctx, g, "DeleteResource", &aws.DeleteResourceInput{RestApiId: p.RestApiId, ResourceId: c.PhysicalID})
}

// warnings tells which functions the stages of an API cannot invoke.
func (g *Gateway) warnings(ctx context.Context, c service.ResourceCall) ([]string, error) {
	if g.options.Plane == nil {
		return nil, nil
	}
	return g.options.Plane.Warnings(ctx, scopeOf(ctx), c.PhysicalID)
}

package iam

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// samlProperties are the properties of AWS::IAM::SAMLProvider.
type samlProperties struct {
	Name                 *string       `cfn:"Name,createOnly"`
	SamlMetadataDocument *string       `cfn:"SamlMetadataDocument"`
	Tags                 []tagProperty `cfn:"Tags"`
}

func (s *IAM) samlType() service.ResourceType {
	return service.NewResourceType("AWS::IAM::SAMLProvider", service.ResourceSpec[samlProperties]{
		Attributes: []string{"Arn", "SamlProviderUUID"}, Create: s.createSAMLResource, Update: s.updateSAMLResource,
		Delete: func(ctx context.Context, c service.ResourceCall, _ *samlProperties) error {
			return gone(s.call(ctx, "DeleteSAMLProvider", &api.DeleteSAMLProviderInput{SAMLProviderArn: c.PhysicalID}))
		},
		Identifier: []string{"Arn"}, Read: s.readSAMLResource, Missing: []string{missing}, List: s.listSAMLResources,
	})
}

func (s *IAM) createSAMLResource(ctx context.Context, c service.ResourceCall, p *samlProperties) (service.Resource, error) {
	in := &api.CreateSAMLProviderInput{Name: nameOr(p.Name, c, 128), SAMLMetadataDocument: opt.Value(p.SamlMetadataDocument), Tags: tagsOf(c, p.Tags)}
	arn := samlARN(account(ctx), in.Name)
	err := s.call(ctx, "CreateSAMLProvider", in)
	if err != nil && !(c.Retry && service.Code(err) == "EntityAlreadyExists") {
		return service.Resource{}, err
	}
	_, r, err := s.readSAMLResource(ctx, service.Identifier{arn})
	return r, err
}

func (s *IAM) updateSAMLResource(ctx context.Context, c service.ResourceCall, old, p *samlProperties) (service.Resource, error) {
	arn := c.PhysicalID
	if opt.Value(old.SamlMetadataDocument) != opt.Value(p.SamlMetadataDocument) {
		if err := s.call(ctx, "UpdateSAMLProvider", &api.UpdateSAMLProviderInput{SAMLProviderArn: arn, SAMLMetadataDocument: p.SamlMetadataDocument}); err != nil {
			return service.Resource{PhysicalID: arn}, err
		}
	}
	err := retag(tagsOf(c, old.Tags), tagsOf(c, p.Tags), func(keys []string) error {
		return s.call(ctx, "UntagSAMLProvider", &api.UntagSAMLProviderInput{SAMLProviderArn: arn, TagKeys: keys})
	}, func(tags []api.Tag) error {
		return s.call(ctx, "TagSAMLProvider", &api.TagSAMLProviderInput{SAMLProviderArn: arn, Tags: tags})
	})
	if err != nil {
		return service.Resource{PhysicalID: arn}, err
	}
	_, r, err := s.readSAMLResource(ctx, service.Identifier{arn})
	return r, err
}

func (s *IAM) readSAMLResource(ctx context.Context, id service.Identifier) (*samlProperties, service.Resource, error) {
	out, err := ask[api.GetSAMLProviderOutput](ctx, s, "GetSAMLProvider", &api.GetSAMLProviderInput{SAMLProviderArn: id[0]})
	if err != nil {
		return nil, service.Resource{PhysicalID: id[0]}, err
	}
	p := reshape.To[samlProperties](struct{ Tags []api.Tag }{out.Tags})
	p.SamlMetadataDocument, p.Name = out.SAMLMetadataDocument, new(id[0][len(samlARN(account(ctx), "")):])
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": id[0], "SamlProviderUUID": opt.Value(out.SAMLProviderUUID)}}, nil
}

func (s *IAM) listSAMLResources(ctx context.Context, _ *samlProperties, _ string) (service.Page, error) {
	out, err := ask[api.ListSAMLProvidersOutput](ctx, s, "ListSAMLProviders", &api.ListSAMLProvidersInput{})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.SAMLProviderList, nil, func(p *api.SAMLProviderListEntry) service.Identifier { return service.Identifier{opt.Value(p.Arn)} }), nil
}

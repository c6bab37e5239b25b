package iam

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// oidcProperties are the properties of AWS::IAM::OIDCProvider.
type oidcProperties struct {
	URL            *string       `cfn:"Url,createOnly"`
	ClientIDList   []string      `cfn:"ClientIdList,unordered"`
	ThumbprintList []string      `cfn:"ThumbprintList,unordered"`
	Tags           []tagProperty `cfn:"Tags"`
}

func (s *IAM) oidcType() service.ResourceType {
	return service.NewResourceType("AWS::IAM::OIDCProvider", service.ResourceSpec[oidcProperties]{
		Attributes: []string{"Arn"}, Create: s.createOIDCResource, Update: s.updateOIDCResource,
		Delete: func(ctx context.Context, c service.ResourceCall, _ *oidcProperties) error {
			return s.call(ctx, "DeleteOpenIDConnectProvider", &api.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: c.PhysicalID})
		},
		Identifier: []string{"Arn"}, Read: s.readOIDCResource, Missing: []string{missing}, List: s.listOIDCResources,
	})
}

func oidcResource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"Arn": arn}}
}

func (s *IAM) createOIDCResource(ctx context.Context, c service.ResourceCall, p *oidcProperties) (service.Resource, error) {
	in := &api.CreateOpenIDConnectProviderInput{Url: opt.Value(p.URL), ClientIDList: p.ClientIDList, ThumbprintList: p.ThumbprintList, Tags: tagsOf(c, p.Tags)}
	out, err := ask[api.CreateOpenIDConnectProviderOutput](ctx, s, "CreateOpenIDConnectProvider", in)
	if c.Retry && service.Code(err) == "EntityAlreadyExists" {
		issuer, err := issuerOf(in.Url)
		return oidcResource(oidcARN(account(ctx), issuer)), err
	}
	if err != nil {
		return service.Resource{}, err
	}
	return oidcResource(*out.OpenIDConnectProviderArn), nil
}

func (s *IAM) updateOIDCResource(ctx context.Context, c service.ResourceCall, old, p *oidcProperties) (service.Resource, error) {
	arn := c.PhysicalID
	r := oidcResource(arn)
	if !slices.Equal(old.ThumbprintList, p.ThumbprintList) {
		in := &api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: append([]string{}, p.ThumbprintList...)}
		if err := s.call(ctx, "UpdateOpenIDConnectProviderThumbprint", in); err != nil {
			return r, err
		}
	}
	if err := s.updateClients(ctx, arn, old.ClientIDList, p.ClientIDList); err != nil {
		return r, err
	}
	return r, retag(tagsOf(c, old.Tags), tagsOf(c, p.Tags), func(keys []string) error {
		return s.call(ctx, "UntagOpenIDConnectProvider", &api.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: keys})
	}, func(tags []api.Tag) error {
		return s.call(ctx, "TagOpenIDConnectProvider", &api.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: tags})
	})
}

// updateClients brings the client ids of a provider from old to now.
func (s *IAM) updateClients(ctx context.Context, arn string, old, now []string) error {
	for _, id := range old {
		if slices.Contains(now, id) {
			continue
		}
		in := &api.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: id}
		if err := s.call(ctx, "RemoveClientIDFromOpenIDConnectProvider", in); err != nil {
			return err
		}
	}
	for _, id := range now {
		if slices.Contains(old, id) {
			continue
		}
		in := &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: id}
		if err := s.call(ctx, "AddClientIDToOpenIDConnectProvider", in); err != nil {
			return err
		}
	}
	return nil
}

func (s *IAM) readOIDCResource(ctx context.Context, id service.Identifier) (*oidcProperties, service.Resource, error) {
	out, err := ask[api.GetOpenIDConnectProviderOutput](ctx, s, "GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[oidcProperties](out)
	p.URL, p.ClientIDList = new("https://"+opt.Value(out.Url)), out.ClientIDList
	return p, oidcResource(id[0]), nil
}

func (s *IAM) listOIDCResources(ctx context.Context, _ *oidcProperties, _ string) (service.Page, error) {
	out, err := ask[api.ListOpenIDConnectProvidersOutput](ctx, s, "ListOpenIDConnectProviders", &api.ListOpenIDConnectProvidersInput{})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.OpenIDConnectProviderList, nil, func(p *api.OpenIDConnectProviderListEntry) service.Identifier {
		return service.Identifier{opt.Value(p.Arn)}
	}), nil
}

package iam

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// certificateProperties are the properties of AWS::IAM::ServerCertificate.
type certificateProperties struct {
	ServerCertificateName *string       `cfn:"ServerCertificateName,createOnly"`
	Path                  *string       `cfn:"Path"`
	CertificateBody       *string       `cfn:"CertificateBody,createOnly,writeOnly"`
	CertificateChain      *string       `cfn:"CertificateChain,createOnly,writeOnly"`
	PrivateKey            *string       `cfn:"PrivateKey,createOnly,writeOnly"`
	Tags                  []tagProperty `cfn:"Tags"`
}

func (s *IAM) certificateType() service.ResourceType {
	return service.NewResourceType("AWS::IAM::ServerCertificate", service.ResourceSpec[certificateProperties]{
		Attributes: []string{"Arn"}, Create: s.createCertificateResource, Update: s.updateCertificateResource,
		Delete: func(ctx context.Context, c service.ResourceCall, _ *certificateProperties) error {
			return gone(s.call(ctx, "DeleteServerCertificate", &api.DeleteServerCertificateInput{ServerCertificateName: c.PhysicalID}))
		},
		Identifier: []string{"ServerCertificateName"}, Read: s.readCertificateResource, Missing: []string{missing}, List: s.listCertificateResources,
	})
}

func certificateResource(m *api.ServerCertificateMetadata) service.Resource {
	return service.Resource{PhysicalID: m.ServerCertificateName, Attributes: map[string]any{"Arn": m.Arn}}
}

// certificateNow returns the resource as it is.
func (s *IAM) certificateNow(ctx context.Context, name string) (service.Resource, error) {
	out, err := ask[api.GetServerCertificateOutput](ctx, s, "GetServerCertificate", &api.GetServerCertificateInput{ServerCertificateName: name})
	if err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return certificateResource(out.ServerCertificate.ServerCertificateMetadata), nil
}

func (s *IAM) createCertificateResource(ctx context.Context, c service.ResourceCall, p *certificateProperties) (service.Resource, error) {
	in := &api.UploadServerCertificateInput{
		ServerCertificateName: nameOr(p.ServerCertificateName, c, 128), Path: p.Path, CertificateBody: opt.Value(p.CertificateBody), CertificateChain: p.CertificateChain,
		PrivateKey: opt.Value(p.PrivateKey), Tags: tagsOf(c, p.Tags),
	}
	out, err := ask[api.UploadServerCertificateOutput](ctx, s, "UploadServerCertificate", in)
	if c.Retry && service.Code(err) == "EntityAlreadyExists" {
		return s.certificateNow(ctx, in.ServerCertificateName)
	}
	if err != nil {
		return service.Resource{}, err
	}
	return certificateResource(out.ServerCertificateMetadata), nil
}

func (s *IAM) updateCertificateResource(ctx context.Context, c service.ResourceCall, old, p *certificateProperties) (service.Resource, error) {
	name := c.PhysicalID
	if path := opt.Value(p.Path); path != opt.Value(old.Path) {
		if path == "" {
			path = "/"
		}
		if err := s.call(ctx, "UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: name, NewPath: &path}); err != nil {
			return service.Resource{PhysicalID: name}, err
		}
	}
	err := retag(tagsOf(c, old.Tags), tagsOf(c, p.Tags), func(keys []string) error {
		return s.call(ctx, "UntagServerCertificate", &api.UntagServerCertificateInput{ServerCertificateName: name, TagKeys: keys})
	}, func(tags []api.Tag) error {
		return s.call(ctx, "TagServerCertificate", &api.TagServerCertificateInput{ServerCertificateName: name, Tags: tags})
	})
	if err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return s.certificateNow(ctx, name)
}

func (s *IAM) readCertificateResource(ctx context.Context, id service.Identifier) (*certificateProperties, service.Resource, error) {
	out, err := ask[api.GetServerCertificateOutput](ctx, s, "GetServerCertificate", &api.GetServerCertificateInput{ServerCertificateName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	m := out.ServerCertificate.ServerCertificateMetadata
	return reshape.To[certificateProperties](m, struct{ Tags []api.Tag }{out.ServerCertificate.Tags}), certificateResource(m), nil
}

func (s *IAM) listCertificateResources(ctx context.Context, _ *certificateProperties, next string) (service.Page, error) {
	out, err := ask[api.ListServerCertificatesOutput](ctx, s, "ListServerCertificates", &api.ListServerCertificatesInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.ServerCertificateMetadataList, out.Marker, func(m *api.ServerCertificateMetadata) service.Identifier {
		return service.Identifier{m.ServerCertificateName}
	}), nil
}

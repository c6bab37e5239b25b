package apigateway

import (
	"context"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/domain"
)

func associationView(a *domain.Association) aws.DomainNameAccessAssociation {
	return aws.DomainNameAccessAssociation{
		DomainNameAccessAssociationArn: ptr(a.ARN()), DomainNameArn: ptr(domain.NameARN(a.Provider, a.Name)), AccessAssociationSource: ptr(a.Endpoint),
		AccessAssociationSourceType: aws.AccessAssociationSourceTypeVpce, Tags: a.Tags,
	}
}

func (g *Gateway) createAssociation(ctx context.Context, in *aws.CreateDomainNameAccessAssociationInput) (*aws.CreateDomainNameAccessAssociationOutput, error) {
	a, err := g.options.Domains.Associate(ctx, domainScope(ctx), in.DomainNameArn, in.AccessAssociationSource, in.Tags)
	if err != nil {
		return nil, err
	}
	out := associationView(a)
	return &out, nil
}

func (g *Gateway) getAssociations(ctx context.Context, in *aws.GetDomainNameAccessAssociationsInput) (*aws.GetDomainNameAccessAssociationsOutput, error) {
	out := &aws.GetDomainNameAccessAssociationsOutput{Items: []aws.DomainNameAccessAssociation{}}
	var err error
	out.Position, err = g.options.Domains.Associations(ctx, domainScope(ctx), in.ResourceOwner == aws.ResourceOwnerOtherAccounts, in.Position, limitOf(in.Limit), func(a *domain.Association) {
		out.Items = append(out.Items, associationView(a))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteAssociation(ctx context.Context, in *aws.DeleteDomainNameAccessAssociationInput) (*aws.DeleteDomainNameAccessAssociationOutput, error) {
	return &aws.DeleteDomainNameAccessAssociationOutput{}, g.options.Domains.Dissociate(ctx, domainScope(ctx), in.DomainNameAccessAssociationArn)
}

func (g *Gateway) rejectAssociation(ctx context.Context, in *aws.RejectDomainNameAccessAssociationInput) (*aws.RejectDomainNameAccessAssociationOutput, error) {
	return &aws.RejectDomainNameAccessAssociationOutput{}, g.options.Domains.Reject(ctx, domainScope(ctx), in.DomainNameAccessAssociationArn, in.DomainNameArn)
}

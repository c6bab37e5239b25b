package portal

import (
	"context"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// share says whose a product with a sharing policy is.
type share struct{ Account, Product string }

func (p *Portals) putPolicy(ctx context.Context, in *api.PutPortalProductSharingPolicyInput) (*api.PutPortalProductSharingPolicyOutput, error) {
	if _, err := iam.Parse(in.PolicyDocument, iam.ResourceBased); err != nil {
		return nil, badRequest("Invalid policy document: %v", err)
	}
	_, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, s Scope, v *product) error {
		v.Policy = in.PolicyDocument
		return record.Set(tx, sharedKey(s.Region, v.ID), share{s.Account, v.ID})
	})
	return &api.PutPortalProductSharingPolicyOutput{}, err
}

func (p *Portals) getPolicy(ctx context.Context, in *api.GetPortalProductSharingPolicyInput) (*api.GetPortalProductSharingPolicyOutput, error) {
	out := &api.GetPortalProductSharingPolicyOutput{PortalProductId: &in.PortalProductId}
	err := p.deps.Store.View(ctx, func(r store.Reader) error {
		v, err := loadProduct(r, scopeOf(ctx), in.PortalProductId)
		if err != nil {
			return err
		}
		if v.Policy == "" {
			return service.Errorf("NotFoundException", "Portal product %s has no sharing policy.", in.PortalProductId)
		}
		out.PolicyDocument = &v.Policy
		return nil
	})
	return out, err
}

func (p *Portals) deletePolicy(ctx context.Context, in *api.DeletePortalProductSharingPolicyInput) (*api.DeletePortalProductSharingPolicyOutput, error) {
	_, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, s Scope, v *product) error {
		v.Policy = ""
		tx.Delete(sharedKey(s.Region, v.ID))
		return nil
	})
	return &api.DeletePortalProductSharingPolicyOutput{}, err
}

// sharedWith returns the products of other accounts that their policies let the caller see.
func (p *Portals) sharedWith(ctx context.Context, s Scope) ([]api.PortalProductSummary, error) {
	type candidate struct {
		owner   Scope
		product product
	}
	var all []candidate
	err := p.deps.Store.View(ctx, func(r store.Reader) error {
		all = nil
		shares, err := record.List[share](r, sharedKeys(s.Region).Span())
		if err != nil {
			return err
		}
		for _, sh := range shares {
			owner := Scope{sh.Account, s.Region}
			if owner == s {
				continue
			}
			v, err := loadProduct(r, owner, sh.Product)
			if err != nil {
				return err
			}
			all = append(all, candidate{owner, v})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []api.PortalProductSummary
	for i := range all {
		c := &all[i]
		switch err := p.deps.Door.Allow(ctx, target(c.owner, c.owner.productARN(c.product.ID), c.product.Policy)); {
		case err == nil:
			out = append(out, c.product.summary(c.owner))
		case service.Code(err) == "InternalFailure":
			return nil, err
		}
	}
	return out, nil
}

// target asks for permission to see a product.
func target(owner Scope, arn, policy string) service.Target {
	return service.Target{Action: "apigateway:GetPortalProduct", ARN: arn, Policy: policy, Owner: owner.Account}
}

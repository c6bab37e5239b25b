package s3

import (
	"context"
	"strconv"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// multiPointProperties are the properties of AWS::S3::MultiRegionAccessPoint.
type multiPointProperties struct {
	Name                           string           `cfn:"Name,createOnly"`
	PublicAccessBlockConfiguration *blockProperties `cfn:"PublicAccessBlockConfiguration,createOnly"`
	Regions                        []struct {
		Bucket          string  `cfn:"Bucket,required"`
		BucketAccountID *string `cfn:"BucketAccountId"`
	} `cfn:"Regions,required,createOnly"`
}

// multiPolicyProperties are the properties of AWS::S3::MultiRegionAccessPointPolicy.
type multiPolicyProperties struct {
	MrapName string `cfn:"MrapName,required,createOnly"`
	Policy   any    `cfn:"Policy,required"`
}

func (s *Service) multiPointType() service.ResourceType {
	return service.NewResourceType("AWS::S3::MultiRegionAccessPoint", service.ResourceSpec[multiPointProperties]{
		Attributes: []string{"Alias", "CreatedAt"}, Identifier: []string{"Name"}, Missing: []string{"NoSuchMultiRegionAccessPoint"},
		Create: s.createMultiResource,
		Read: func(ctx context.Context, id service.Identifier) (*multiPointProperties, service.Resource, error) {
			out, r, err := s.multiResource(ctx, id[0])
			if err != nil {
				return nil, r, err
			}
			p := reshape.To[multiPointProperties](out)
			p.PublicAccessBlockConfiguration = reshape.To[blockProperties](out.PublicAccessBlock)
			return p, r, nil
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *multiPointProperties) error {
			_, err := s.control(ctx, "DeleteMultiRegionAccessPoint", &control.DeleteMultiRegionAccessPointInput{
				AccountId: service.RequestFrom(ctx).Account, ClientToken: c.Token, Details: &control.DeleteMultiRegionAccessPointDetails{Name: c.PhysicalID},
			})
			return service.Unless(err, "NoSuchMultiRegionAccessPoint")
		},
		List: func(ctx context.Context, _ *multiPointProperties, next string) (service.Page, error) {
			out, err := controlCall[control.ListMultiRegionAccessPointsOutput](ctx, s, "ListMultiRegionAccessPoints", &control.ListMultiRegionAccessPointsInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, err
			}
			return service.NewPage(out.AccessPoints, out.NextToken, func(r *control.MultiRegionAccessPointReport) service.Identifier {
				return service.Identifier{deref(r.Name)}
			}), nil
		},
	})
}

func (s *Service) createMultiResource(ctx context.Context, c service.ResourceCall, p *multiPointProperties) (service.Resource, error) {
	d := &control.CreateMultiRegionAccessPointDetails{Name: p.Name}
	if d.Name == "" {
		d.Name = c.Name(50, foldBucketName)
	}
	for _, r := range p.Regions {
		d.Regions = append(d.Regions, control.Region{Bucket: r.Bucket, BucketAccountId: r.BucketAccountID})
	}
	if b := p.PublicAccessBlockConfiguration; b != nil {
		d.PublicAccessBlock = &control.PublicAccessBlockConfiguration{
			BlockPublicAcls: &b.BlockPublicAcls, BlockPublicPolicy: &b.BlockPublicPolicy, IgnorePublicAcls: &b.IgnorePublicAcls, RestrictPublicBuckets: &b.RestrictPublicBuckets,
		}
	}
	// The token is the step's, so that a try after a crash finds what an earlier one made.
	_, err := s.control(ctx, "CreateMultiRegionAccessPoint", &control.CreateMultiRegionAccessPointInput{AccountId: service.RequestFrom(ctx).Account, ClientToken: c.Token, Details: d})
	if err != nil {
		return service.Resource{}, err
	}
	_, r, err := s.multiResource(ctx, d.Name)
	return r, err
}

func (s *Service) multiResource(ctx context.Context, name string) (*control.MultiRegionAccessPointReport, service.Resource, error) {
	out, err := controlCall[control.GetMultiRegionAccessPointOutput](ctx, s, "GetMultiRegionAccessPoint", &control.GetMultiRegionAccessPointInput{AccountId: service.RequestFrom(ctx).Account, Name: name})
	if err != nil {
		return nil, service.Resource{PhysicalID: name}, err
	}
	return out.AccessPoint, service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Alias": deref(out.AccessPoint.Alias), "CreatedAt": dateText(out.AccessPoint.CreatedAt),
	}}, nil
}

func (s *Service) multiPolicyType() service.ResourceType {
	return service.NewResourceType("AWS::S3::MultiRegionAccessPointPolicy", service.ResourceSpec[multiPolicyProperties]{
		Attributes: []string{"PolicyStatus.IsPublic"}, Identifier: []string{"MrapName"}, Missing: []string{"NoSuchMultiRegionAccessPoint"},
		Create: s.putMultiPolicyResource,
		Update: func(ctx context.Context, c service.ResourceCall, _, p *multiPolicyProperties) (service.Resource, error) {
			return s.putMultiPolicyResource(ctx, c, p)
		},
		Read: s.readMultiPolicyResource,
		Delete: func(ctx context.Context, c service.ResourceCall, _ *multiPolicyProperties) error {
			out, _, err := s.multiResource(ctx, c.PhysicalID)
			if err != nil {
				return service.Unless(err, "NoSuchMultiRegionAccessPoint")
			}
			return service.Unless(s.putMultiPolicy(ctx, c, c.PhysicalID, ownersPolicy(service.RequestFrom(ctx).Account, deref(out.Alias))), "NoSuchMultiRegionAccessPoint")
		},
		List: func(ctx context.Context, _ *multiPolicyProperties, next string) (service.Page, error) {
			account := service.RequestFrom(ctx).Account
			out, err := controlCall[control.ListMultiRegionAccessPointsOutput](ctx, s, "ListMultiRegionAccessPoints", &control.ListMultiRegionAccessPointsInput{AccountId: account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, err
			}
			page := service.NewPage[control.MultiRegionAccessPointReport](nil, out.NextToken, nil)
			for _, m := range out.AccessPoints {
				policy, err := controlCall[control.GetMultiRegionAccessPointPolicyOutput](ctx, s, "GetMultiRegionAccessPointPolicy", &control.GetMultiRegionAccessPointPolicyInput{AccountId: account, Name: deref(m.Name)})
				if service.Unless(err, "NoSuchMultiRegionAccessPoint") != nil {
					return service.Page{}, err
				}
				if err == nil && policy.Policy.Established != nil {
					page.Identifiers = append(page.Identifiers, service.Identifier{deref(m.Name)})
				}
			}
			return page, nil
		},
	})
}

// ownersPolicy is the policy that takes the place of one that a stack deletes, since the API has no way to remove one: it gives the owner's account what that has anyway.
func ownersPolicy(account, alias string) string {
	arn := pointName{Account: account, Name: alias}.arn()
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"s3:*","Resource":["` + arn + `","` + arn + `/object/*"]}]}`
}

func (s *Service) putMultiPolicy(ctx context.Context, c service.ResourceCall, name, document string) error {
	_, err := s.control(ctx, "PutMultiRegionAccessPointPolicy", &control.PutMultiRegionAccessPointPolicyInput{
		AccountId: service.RequestFrom(ctx).Account, ClientToken: c.Token, Details: &control.PutMultiRegionAccessPointPolicyDetails{Name: name, Policy: document},
	})
	return err
}

func (s *Service) putMultiPolicyResource(ctx context.Context, c service.ResourceCall, p *multiPolicyProperties) (service.Resource, error) {
	document, err := policyText(p.Policy)
	if err != nil {
		return service.Resource{}, err
	}
	if err := s.putMultiPolicy(ctx, c, p.MrapName, document); err != nil {
		return service.Resource{}, err
	}
	_, r, err := s.readMultiPolicyResource(ctx, service.Identifier{p.MrapName})
	return r, err
}

func (s *Service) readMultiPolicyResource(ctx context.Context, id service.Identifier) (*multiPolicyProperties, service.Resource, error) {
	account := service.RequestFrom(ctx).Account
	out, err := controlCall[control.GetMultiRegionAccessPointPolicyOutput](ctx, s, "GetMultiRegionAccessPointPolicy", &control.GetMultiRegionAccessPointPolicyInput{AccountId: account, Name: id[0]})
	if err == nil && out.Policy.Established == nil {
		err = service.ErrGone
	}
	if err != nil {
		return nil, service.Resource{PhysicalID: id[0]}, err
	}
	status, err := controlCall[control.GetMultiRegionAccessPointPolicyStatusOutput](ctx, s, "GetMultiRegionAccessPointPolicyStatus", &control.GetMultiRegionAccessPointPolicyStatusInput{AccountId: account, Name: id[0]})
	if err != nil {
		return nil, service.Resource{PhysicalID: id[0]}, err
	}
	return &multiPolicyProperties{id[0], reshape.Document(deref(out.Policy.Established.Policy))}, service.Resource{PhysicalID: id[0], Attributes: map[string]any{
		"PolicyStatus.IsPublic": strconv.FormatBool(deref(status.Established.IsPublic)),
	}}, nil
}

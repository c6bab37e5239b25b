package s3

import (
	"context"
	"encoding/json"
	"fmt"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
)

// pointProperties are the properties of AWS::S3::AccessPoint that are honoured
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-accesspoint.html).
type pointProperties struct {
	Bucket                         string           `cfn:"Bucket,required,createOnly"`
	BucketAccountID                *string          `cfn:"BucketAccountId,createOnly"`
	Name                           string           `cfn:"Name,createOnly"`
	Policy                         any              `cfn:"Policy"`
	PublicAccessBlockConfiguration *blockProperties `cfn:"PublicAccessBlockConfiguration,createOnly"`
	Tags                           []tagProperty    `cfn:"Tags,createOnly"`
}

func (s *Service) pointResourceType() service.ResourceType {
	return service.NewResourceType("AWS::S3::AccessPoint", service.ResourceSpec[pointProperties]{
		Attributes: []string{"Alias", "Arn", "Name", "NetworkOrigin"},
		Create:     s.createPointResource,
		Identifier: []string{"Name"}, Read: s.readPointResource, List: s.listPointResources, Missing: []string{"NoSuchAccessPoint"},
		Update: func(ctx context.Context, c service.ResourceCall, _, p *pointProperties) (service.Resource, error) {
			if err := s.configurePoint(ctx, c.PhysicalID, p); err != nil {
				return service.Resource{}, err
			}
			return s.pointResource(ctx, c.PhysicalID)
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *pointProperties) error {
			_, err := s.control(ctx, "DeleteAccessPoint", &control.DeleteAccessPointInput{AccountId: service.RequestFrom(ctx).Account, Name: c.PhysicalID})
			if service.Code(err) == "NoSuchAccessPoint" {
				return nil
			}
			return err
		},
	})
}

// control runs an operation of the control API through the door.
func (s *Service) control(ctx context.Context, operation string, in any) (any, error) {
	return s.door.Call(ctx, "s3control", operation, in)
}

func (s *Service) createPointResource(ctx context.Context, c service.ResourceCall, p *pointProperties) (service.Resource, error) {
	name := p.Name
	if name == "" {
		name = c.Name(50, foldBucketName)
	}
	in := &control.CreateAccessPointInput{AccountId: service.RequestFrom(ctx).Account, Name: name, Bucket: p.Bucket, BucketAccountId: p.BucketAccountID}
	if b := p.PublicAccessBlockConfiguration; b != nil {
		in.PublicAccessBlockConfiguration = &control.PublicAccessBlockConfiguration{
			BlockPublicAcls: &b.BlockPublicAcls, BlockPublicPolicy: &b.BlockPublicPolicy, IgnorePublicAcls: &b.IgnorePublicAcls, RestrictPublicBuckets: &b.RestrictPublicBuckets,
		}
	}
	for _, t := range p.Tags {
		in.Tags = append(in.Tags, control.Tag{Key: t.Key, Value: t.Value})
	}
	if _, err := s.control(ctx, "CreateAccessPoint", in); err != nil && (!c.Retry || service.Code(err) != "AccessPointAlreadyOwnedByYou") {
		return service.Resource{}, err
	}
	if err := s.configurePoint(ctx, name, p); err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return s.pointResource(ctx, name)
}

// configurePoint brings the policy of an access point to what p says.
func (s *Service) configurePoint(ctx context.Context, name string, p *pointProperties) error {
	account := service.RequestFrom(ctx).Account
	if p.Policy == nil {
		_, err := s.control(ctx, "DeleteAccessPointPolicy", &control.DeleteAccessPointPolicyInput{AccountId: account, Name: name})
		return err
	}
	document, err := policyText(p.Policy)
	if err != nil {
		return err
	}
	_, err = s.control(ctx, "PutAccessPointPolicy", &control.PutAccessPointPolicyInput{AccountId: account, Name: name, Policy: document})
	return err
}

func (s *Service) pointResource(ctx context.Context, name string) (service.Resource, error) {
	out, err := service.Call[control.GetAccessPointOutput](ctx, s.door, "s3control", "GetAccessPoint", &control.GetAccessPointInput{AccountId: service.RequestFrom(ctx).Account, Name: name})
	if err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Alias": deref(out.Alias), "Arn": deref(out.AccessPointArn), "Name": name, "NetworkOrigin": out.NetworkOrigin,
	}}, nil
}

// policyText returns a policy property as a document: it is given as text or as an object.
func policyText(policy any) (string, error) {
	if document, ok := policy.(string); ok {
		return document, nil
	}
	b, err := json.Marshal(policy)
	if err != nil {
		return "", fmt.Errorf("encode policy document: %w", err)
	}
	return string(b), nil
}
